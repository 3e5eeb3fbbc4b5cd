"""Metrics of fields whose items may have several values."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.bootstrap import Statistic, counts, grouped, interval, ratio
from mmgraph.evaluate.metrics import BINS, ece_of_sums, f1_of_sums
from mmgraph.evaluate.rightness import called, ranking_precisions
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
MAP = "map"
_MOST = 200  # resamples of the mean average precision, which is no function of sums


def several_statistics(probabilities: Floats, has: Bools, groups: Ints) -> dict[str, Statistic]:
    """``lrap`` (label ranking average precision), ``micro_f1`` over all answers, ``macro_f1`` over classes, ``subset_accuracy`` (all of an
    item's classes and no other) and ``ece`` over all answers, of float32 [items, classes]; see ``rightness.called`` for what is called.
    """
    said, ones = called(probabilities), np.ones(len(has))
    right, either = (said & has).astype(np.float64), said.astype(np.float64) + has
    columns: dict[str, tuple[Reals, ...]] = {
        "lrap": (ranking_precisions(probabilities, has), ones),
        "micro_f1": (2.0 * right.sum(1), either.sum(1)),
        "subset_accuracy": ((said == has).all(1).astype(np.float64), ones),
    }
    found = {name: Statistic(grouped(np.stack(both, axis=1), groups), ratio) for name, both in columns.items()}
    found["macro_f1"] = Statistic(grouped(np.concatenate((right, either), axis=1), groups), f1_of_sums)
    found["ece"] = Statistic(grouped(_ece_sums(probabilities, has), groups), ece_of_sums)
    return found


def _ece_sums(probabilities: Floats, has: Bools) -> Reals:
    """[items, BINS + 1]: probability minus truth in the bins of the item's answers, and how many answers there are."""
    probability = probabilities.astype(np.float64)
    bins = np.clip(np.ceil(probability * BINS).astype(int) - 1, 0, BINS - 1)
    sums = np.zeros((len(has), BINS + 1))
    np.add.at(sums, (np.arange(len(has))[:, None], bins), probability - has)
    sums[:, BINS] = has.shape[1]
    return sums


def mean_average_precisions(scores: Floats, has: Bools, weight: Reals) -> Reals:
    """Mean over classes of average precision [draws] for ``weight`` [draws, items], how often each item counts; ties stand together; a
    class that no item of a draw has is left out, and a draw without any is nan.

    >>> scores, has = np.array([[0.9], [0.5], [0.1]]), np.array([[True], [False], [True]])
    >>> mean_average_precisions(scores, has, np.ones((1, 3))).round(4)
    array([0.8333])
    """
    total, classes = np.zeros(len(weight)), np.zeros(len(weight))
    for one in range(has.shape[1]):
        order = np.argsort(-scores[:, one], kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(scores[order, one]) < 0])  # of each run of equal scores
        every = np.add.reduceat(weight[:, order], starts, axis=1)
        true = np.add.reduceat(weight[:, order] * has[order, one], starts, axis=1)
        precision = np.cumsum(true, axis=1) / np.maximum(np.cumsum(every, axis=1), 1e-12)
        there = true.sum(1)
        total += (true * precision).sum(1) / np.maximum(there, 1e-12)
        classes += there > 0
    return np.divide(total, classes, out=np.full(len(weight), np.nan), where=classes > 0)


def measured_map(
    predictions: Mapping[str, Floats], has: Bools, groups: Ints, settings: EvaluateSettings, seed: int
) -> Iterator[tuple[str, float, float | None, float | None]]:
    """(method, mean average precision, ends of its interval) of each method's probabilities [items, classes] of these items."""
    units = np.unique(groups, return_inverse=True)[1]
    resamples = min(settings.bootstrap, _MOST)
    for name, probabilities in predictions.items():
        value = float(mean_average_precisions(probabilities, has, np.ones((1, len(has))))[0])
        drawn = np.zeros(0)
        for weight in counts(int(units.max()) + 1, resamples, seed) if resamples else ():
            drawn = np.append(drawn, mean_average_precisions(probabilities, has, weight[:, units]))
        low, high = interval(drawn[np.isfinite(drawn)], settings.level) if np.isfinite(drawn).any() else (None, None)
        yield name, value, low, high
