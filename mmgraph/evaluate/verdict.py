"""What ours adds over the hardest baseline, in one plain sentence, also when that is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.bootstrap import interval
from mmgraph.evaluate.contract import OURS, TaskName
from mmgraph.evaluate.gnn import GNN

_NAMES = {"mrr": "MRR", "accuracy": "accuracy", "lrap": "label ranking precision", "rmse": "RMSE"}


@dataclass(frozen=True)
class Verdict:
    """One entry of verdict.json; numbers are None where there is nothing to compute them from.

    difference: mmgraph minus baseline (of an error baseline minus mmgraph, so that more is better), ``low`` and ``high`` its paired
    bootstrap interval; n: queries or items of the test split.
    """

    task: TaskName
    target: str
    metric: str
    mmgraph: float | None
    baseline: str | None
    baseline_value: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    text: str


@dataclass(frozen=True)
class Compared:
    """One metric of one method on the test split: its value, and its draws [resamples] (the same draws for every method)."""

    value: float
    drawn: npt.NDArray[np.float64]


def verdict(
    task: TaskName,
    target: str,
    metric: str,
    methods: Mapping[str, Compared],
    n: int,
    level: float,
    *,
    lower: bool = False,
) -> Verdict:
    """Compare mmgraph with the baseline that is best on the same test queries; that choice decides nothing else.

    ``methods``: by name, OURS among them, or empty where the test split is empty. lower: the smaller number is the better one.
    """
    if OURS not in methods:
        text = f"{target}: nothing held out for test, so nothing can be said"
        return Verdict(task, target, metric, None, None, None, None, None, None, n, text)
    ours = methods[OURS]
    baselines = {name: one for name, one in methods.items() if name not in (OURS, GNN)}
    start = (
        f"{target}: mmgraph {_NAMES.get(metric, metric.upper() if '@' in metric else metric)} {_with_interval(ours, level)}"
    )
    gnn = f"; gnn alone {methods[GNN].value:.3f}" if GNN in methods else ""
    if not baselines:
        text = f"{start}; no baseline applies{gnn}"
        return Verdict(task, target, metric, ours.value, None, None, None, None, None, n, text)
    name, best = min(baselines.items(), key=lambda pair: pair[1].value if lower else -pair[1].value)
    first, second = (best, ours) if lower else (ours, best)
    difference = first.value - second.value
    low, high = interval(first.drawn - second.drawn, level) if len(ours.drawn) else (None, None)
    text = f"{start} against {best.value:.3f} for {name}: {_judged(difference, low, high)}{gnn}"
    return Verdict(task, target, metric, ours.value, name, best.value, difference, low, high, n, text)


def with_carrier(one: Verdict, carried: str) -> Verdict:
    """The same verdict, whose sentence ends with what carries the answer."""
    return replace(one, text=f"{one.text}; {carried}")


def _with_interval(one: Compared, level: float) -> str:
    if not len(one.drawn):
        return f"{one.value:.3f}"
    low, high = interval(one.drawn, level)
    return f"{one.value:.3f} ({low:.3f}–{high:.3f})"


def _judged(difference: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"difference {difference:+.3f}, without an interval"
    if low > 0:
        return f"better by {difference:.3f} ({low:.3f}–{high:.3f})"
    if high < 0:
        return f"worse by {-difference:.3f} ({-high:.3f}–{-low:.3f})"
    return (
        f"no clear difference, {difference:+.3f} ({low:+.3f} to {high:+.3f}): the graph adds nothing that this test can show"
    )
