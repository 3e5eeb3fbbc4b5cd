"""What a part of the input is worth: the same test items answered with it and without it, drawn again together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mmgraph.evaluate.bootstrap import Statistic, draws, interval
from mmgraph.evaluate.contract import OURS, TaskName
from mmgraph.evaluate.gnn import GNN
from mmgraph.settings import EvaluateSettings

What = Literal["links", "modality", "random", "relation", "joint", "baseline"]
MAIN = frozenset({"mrr", "accuracy", "lrap", "macro_f1", "micro_f1"})
"""Metrics that are kept of a test split for pairing, where a question has them."""


@dataclass(frozen=True)
class Measurement:
    """One of the main metrics of one method on the test split of a target; n: items, or queries."""

    task: TaskName
    target: str
    method: str
    metric: str
    statistic: Statistic
    n: int


@dataclass(frozen=True)
class Effect:
    """One entry of knock_outs.json: ``difference`` = ``whole`` - ``without``, with its paired bootstrap interval.

    what: ``links`` of all relations, or one ``relation``; a ``modality``; a modality in whose place stand vectors of other items
    (``random``); ``joint`` training with the other tasks; or the best ``baseline``, against which the method itself is what is added.
    name: of the modality, relation or baseline.
    """

    task: TaskName
    target: str
    metric: str
    method: str
    what: What
    name: str
    whole: float
    without: float
    difference: float
    low: float | None
    high: float | None
    n: int

    @property
    def part(self) -> str:
        """In words what was taken away."""
        named = {"links": self.name, "joint": "training with the other tasks", "random": f"{self.name} beyond random features"}
        return named.get(self.what, self.name)

    @property
    def text(self) -> str:
        """One sentence."""
        if self.what == "baseline":
            against = f"against {self.without:.3f} for {self.name}, the best baseline: {self.difference:+.3f}{self._between}"
            return f"{self.target}: {self.method} {self.metric} {self.whole:.3f} {against}"
        start = f"{self.target}: {self.part} added {self.difference:+.3f}{self._between} to {self.method}'s {self.metric}"
        return start if self.low is None or self.shown else f"{start}: nothing that this test can show"

    @property
    def shown(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def _between(self) -> str:
        return "" if self.low is None or self.high is None else f" ({self.low:+.3f} to {self.high:+.3f})"


def effects(
    whole: Sequence[Measurement], without: Sequence[Measurement], what: What, name: str, settings: EvaluateSettings
) -> list[Effect]:
    """Of the gnn, and of what is handed out, for every target and metric that both fits answered."""
    found = {(one.target, one.method, one.metric): one for one in without}
    pairs = [(one, found.get((one.target, one.method, one.metric))) for one in whole if one.method in (GNN, OURS)]
    return [_effect(one, other, what, name, settings) for one, other in pairs if other is not None]


def over_baselines(whole: Sequence[Measurement], settings: EvaluateSettings) -> list[Effect]:
    """What the gnn, and what is handed out, add to the baseline that is best on the same test items: the hardest opponent."""
    return [_effect(one, best, "baseline", best.method, settings) for one, best in _opponents(whole)]


def _opponents(whole: Sequence[Measurement]) -> Iterator[tuple[Measurement, Measurement]]:
    for one in whole:
        others = [
            other
            for other in whole
            if (other.target, other.metric) == (one.target, one.metric) and other.method not in (GNN, OURS)
        ]
        if one.method in (GNN, OURS) and others:
            yield one, max(others, key=lambda other: other.statistic.value)


def _effect(whole: Measurement, without: Measurement, what: What, name: str, settings: EvaluateSettings) -> Effect:
    first, second = whole.statistic.value, without.statistic.value
    low = high = None
    if settings.bootstrap:
        drawn = draws([whole.statistic, without.statistic], settings.bootstrap, seed=0)
        low, high = interval(drawn[0] - drawn[1], settings.level)
    return Effect(
        whole.task, whole.target, whole.metric, whole.method, what, name, first, second, first - second, low, high, whole.n
    )
