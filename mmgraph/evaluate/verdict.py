"""What ours adds over the hardest baseline, in one plain sentence, also when that is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.bootstrap import interval
from mmgraph.evaluate.contract import OURS, TaskName
from mmgraph.evaluate.gnn import GNN

FEWEST = 6  # units: of five that all say the same, a sign test has p = .06, and draws of one or two have no width at all
_NAMES = {"mrr": "MRR", "accuracy": "accuracy", "lrap": "label ranking precision", "rmse": "RMSE"}


@dataclass(frozen=True)
class Verdict:
    """One entry of verdict.json; numbers are None where there is nothing to compute them from.

    difference: mmgraph minus baseline (of an error baseline minus mmgraph, so that more is better), ``low`` and ``high`` its paired
    bootstrap interval, None where the test has fewer than ``FEWEST`` independent units; n: queries or items of the test split.
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
    """One metric of one method on the test split: its value, its draws [resamples] (the same for every method), and of how many units."""

    value: float
    drawn: npt.NDArray[np.float64]
    units: int


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
    low, high = interval(first.drawn - second.drawn, level) if _enough(ours) else (None, None)
    judged = _judged(difference, low, high) if _enough(ours) or not len(ours.drawn) else _too_few(difference, ours.units)
    text = f"{start} against {best.value:.3f} for {name}: {judged}{gnn}"
    return Verdict(task, target, metric, ours.value, name, best.value, difference, low, high, n, text)


def with_carrier(one: Verdict, carried: str) -> Verdict:
    """The same verdict, whose sentence ends with what carries the answer."""
    return replace(one, text=f"{one.text}; {carried}")


def _enough(one: Compared) -> bool:
    return len(one.drawn) > 0 and one.units >= FEWEST


def _too_few(difference: float, units: int) -> str:
    tested = "one link or group" if units == 1 else f"{units} links or groups"
    return f"difference {difference:+.3f} on {tested}, too few to say anything"


def _with_interval(one: Compared, level: float) -> str:
    if not _enough(one):
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
