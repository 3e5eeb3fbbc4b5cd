"""What an update changed: the same test items answered before and after it, drawn again together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmgraph.evaluate.bootstrap import draws, interval
from mmgraph.evaluate.contract import OURS, Row, TaskName
from mmgraph.evaluate.effects import MAIN, Measurement
from mmgraph.evaluate.gnn import GNN
from mmgraph.settings import EvaluateSettings


@dataclass(frozen=True)
class Change:
    """``difference`` = ``after`` - ``before``, with its paired bootstrap interval where the question was answered anew for it."""

    task: TaskName
    target: str
    metric: str
    method: str
    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    n: int

    @property
    def text(self) -> str:
        """One sentence."""
        between = "" if self.low is None or self.high is None else f" ({self.low:+.3f} to {self.high:+.3f})"
        start = f"{self.target}: {self.method} {self.metric} {self.before:.3f} before, {self.after:.3f} after"
        return f"{start}, {self.difference:+.3f}{between} on the same {self.n} test {self._what}"

    @property
    def _what(self) -> str:
        return "items" if self.task == "categories" else "queries"


def changes(before: Sequence[Measurement], after: Sequence[Measurement], settings: EvaluateSettings) -> list[Change]:
    """Of the gnn, and of what is handed out, for every target and main metric that both answered on the same test items."""
    known = {(one.target, one.method, one.metric): one for one in before if one.method in (OURS, GNN)}
    pairs = ((known.get((one.target, one.method, one.metric)), one) for one in after)
    return [_paired(was, now, settings) for was, now in pairs if was is not None]


def changes_of_rows(before: Sequence[Row], after: Sequence[Row], figures: Mapping[str, str] | None = None) -> Iterator[Change]:
    """The same of rows of metrics.json, without intervals; figures: target -> the metric that chooses (of lists: of one length)."""
    known = {(one.target, one.method, one.metric): one for one in _main(before, figures or {})}
    for one in _main(after, figures or {}):
        was = known.get((one.target, one.method, one.metric))
        if was is not None:
            apart = one.value - was.value
            yield Change(one.task, one.target, one.metric, one.method, was.value, one.value, apart, None, None, one.n)


def _main(rows: Sequence[Row], figures: Mapping[str, str]) -> Iterator[Row]:
    for one in rows:
        told = one.metric in MAIN or one.metric == figures.get(one.target)
        if one.split == "test" and not one.group and told and one.method in (OURS, GNN):
            yield one


def _paired(was: Measurement, now: Measurement, settings: EvaluateSettings) -> Change:
    first, second = was.statistic.value, now.statistic.value
    low = high = None
    if settings.bootstrap:
        drawn = draws([was.statistic, now.statistic], settings.bootstrap, seed=0)
        low, high = interval(drawn[1] - drawn[0], settings.level)
    return Change(now.task, now.target, now.metric, now.method, first, second, second - first, low, high, now.n)
