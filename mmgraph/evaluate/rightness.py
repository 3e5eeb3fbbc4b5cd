"""How right probabilities are about an item: of its one class, or of the several that it has.

``truth`` is that of ``Labels.truth``: int64 [items] classes, or bool [items, classes] of a field whose items may have several values,
whose probabilities are of each class by itself.
"""

import numpy as np
import numpy.typing as npt

from mmgraph.graph.contract import Labels
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
HALF = 0.5
_LEAST = 1e-9


def figure(labels: Labels) -> str:
    """The metric by which methods are chosen and compared: its name in metrics.json."""
    return "accuracy" if labels.several is None else "lrap"


def rightness(probabilities: Floats, truth: Ints | Bools) -> Reals:
    """That metric of each item: 1 where the likeliest class is true, or the item's label ranking average precision."""
    if truth.dtype != bool:
        return (probabilities.argmax(1) == truth).astype(np.float64)
    return ranking_precisions(probabilities, np.asarray(truth, bool))


def likelihoods(probabilities: Floats, truth: Ints | Bools) -> Reals:
    """Log-likelihood of each item's class, or the mean over its classes of having or not having them."""
    if truth.dtype != bool:
        return np.log(np.maximum(probabilities[np.arange(len(truth)), truth], _LEAST)).astype(np.float64)
    own = np.where(truth, probabilities, 1.0 - probabilities)
    return np.log(np.maximum(own, _LEAST)).mean(1).astype(np.float64)


def ranking_precisions(scores: Floats, has: Bools) -> Reals:
    """Label ranking average precision of each item (Schapire & Singer 2000): the mean over its classes of the share of its classes among
    those that are ranked as high, ties count as above; 0 for an item without any class.

    >>> ranking_precisions(np.array([[0.9, 0.5, 0.1], [0.5, 0.5, 0.1]]), np.array([[True, False, True], [True, False, False]]))
    array([0.83333333, 0.5       ])
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked, true = np.take_along_axis(scores, order, 1), np.take_along_axis(has, order, 1)
    width = scores.shape[1]
    last = np.ones(scores.shape, bool)
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    ends = np.minimum.accumulate(np.where(last, np.arange(width), width)[:, ::-1], axis=1)[:, ::-1]
    share = np.take_along_axis(np.cumsum(true, axis=1), ends, 1) / (ends + 1)
    return np.asarray((share * true).sum(1) / np.maximum(true.sum(1), 1), np.float64)


def called(probabilities: Floats) -> Bools:
    """Which classes an item is said to have: those that are likelier than not, and the likeliest in any case."""
    found = probabilities >= HALF
    found[np.arange(len(found)), probabilities.argmax(1)] = True
    return found


def said(labels: Labels, probabilities: Floats, items: Ints) -> tuple[Ints, Floats, Bools]:
    """All that is said of the items: position of the item among them, probability, and whether it is true."""
    some, has = probabilities[items], labels.has(items)
    if labels.several is None:
        best = some.argmax(1)
        each = np.arange(len(items))
        return each, some[each, best], has[each, best]
    row, column = np.nonzero(called(some))
    return row, some[row, column], has[row, column]
