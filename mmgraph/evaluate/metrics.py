"""Metrics as pure functions of ranks or probabilities; each can be checked by hand.

A rank counts from 1 and is real (ties give the mean rank); ``candidates`` counts what the truth was ranked among, itself
included. Every function of nothing at all is nan.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from mmgraph.types import Floats, Ints

Reals = npt.NDArray[np.float64]
BINS = 15  # Guo et al. 2017 (arXiv 1706.04599), section 5


def reciprocals(rank: Reals) -> Reals:
    """1 / rank of each query."""
    return 1.0 / rank


def hits(rank: Reals, k: int) -> Reals:
    """1 where the truth is among the first k, else 0, of each query.

    >>> hits(np.array([1.0, 3.0, 3.5]), 3)
    array([1., 1., 0.])
    """
    return (rank <= k).astype(np.float64)


def gains(rank: Reals, k: int) -> Reals:
    """NDCG@k of each query with one truth: 1 / log2(1 + rank) among the first k, else 0 (Järvelin & Kekäläinen 2002).

    >>> gains(np.array([1.0, 3.0, 11.0]), 10)
    array([1. , 0.5, 0. ])
    """
    return np.where(rank <= k, 1.0 / np.log2(1.0 + rank), 0.0)


def aucs(rank: Reals, candidates: Ints) -> Reals:
    """Share of the other candidates below the truth, ties half, of each query; 0.5 where there is no other.

    >>> aucs(np.array([1.0, 2.0, 3.0, 1.0]), np.array([3, 3, 3, 1]))
    array([1. , 0.5, 0. , 0.5])
    """
    others = candidates - 1
    return np.where(others > 0, 1.0 - (rank - 1.0) / np.maximum(others, 1), 0.5)


def mrr(rank: Reals) -> float:
    """Mean reciprocal rank.

    >>> mrr(np.array([1.0, 2.0, 4.0, 4.0]))
    0.5
    """
    return _mean(reciprocals(rank))


def mr(rank: Reals) -> float:
    """Mean rank.

    >>> mr(np.array([1.0, 2.0, 4.5]))
    2.5
    """
    return _mean(rank)


def hits_at(rank: Reals, k: int) -> float:
    """Share of the queries whose truth is among the first k.

    >>> hits_at(np.array([1.0, 2.0, 4.0, 4.0]), 2)
    0.5
    """
    return _mean(hits(rank, k))


def ndcg_at(rank: Reals, k: int = 10) -> float:
    """Mean NDCG@k with one truth a query.

    >>> ndcg_at(np.array([1.0, 3.0]))
    0.75
    """
    return _mean(gains(rank, k))


def auc(rank: Reals, candidates: Ints) -> float:
    """Mean over queries of the area under the ROC curve within the query.

    >>> auc(np.array([1.0, 2.0]), np.array([3, 3]))
    0.75
    """
    return _mean(aucs(rank, candidates))


def amri(rank: Reals, candidates: Ints) -> float:
    """Adjusted mean rank index: 1 - (MR - 1) / (E[MR] - 1), E[MR] = mean of (candidates + 1) / 2; 1 is perfect, 0 is chance.

    Berrendorf et al. 2020 (arXiv 2002.06914), section 3; 0 where no query has a second candidate.

    >>> amri(np.array([1.0, 1.0]), np.array([5, 9])), amri(np.array([3.0, 5.0]), np.array([5, 9]))
    (1.0, 0.0)
    """
    expected = (candidates - 1) / 2.0
    return float("nan") if not len(rank) else 1.0 - _ratio(float((rank - 1.0).sum()), float(expected.sum()), empty=1.0)


def accuracy(probabilities: Floats, truth: Ints) -> float:
    """Share of items whose most probable class is the true one; ties go to the first class.

    >>> accuracy(np.array([[0.9, 0.1], [0.8, 0.2]], np.float32), np.array([0, 1]))
    0.5
    """
    return _mean((probabilities.argmax(1) == truth).astype(np.float64)) if len(truth) else float("nan")


def macro_f1(probabilities: Floats, truth: Ints) -> float:
    """Mean F1 over the classes that are true or called at least once.

    >>> round(macro_f1(np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.9, 0]], np.float32), np.array([0, 1, 1])), 4)
    0.6667
    """
    return float(f1_of_sums(f1_sums(probabilities, truth).sum(0)[None])[0]) if len(truth) else float("nan")


def ece(probabilities: Floats, truth: Ints) -> float:
    """Expected calibration error of the called class, 15 bins of equal width (Guo et al. 2017, equation 3).

    >>> round(ece(np.array([[0.75, 0.25], [0.75, 0.25]], np.float32), np.array([0, 1])), 4)
    0.25
    """
    return float(ece_of_sums(ece_sums(probabilities, truth).sum(0)[None])[0]) if len(truth) else float("nan")


def f1_sums(probabilities: Floats, truth: Ints) -> Reals:
    """[items, 2 classes]: each item's share in the correct calls of each class, and in calls plus truths of each class."""
    classes = probabilities.shape[1]
    called, true = np.eye(classes)[probabilities.argmax(1)], np.eye(classes)[truth]
    return np.concatenate((called * true, called + true), axis=1)


def f1_of_sums(sums: Reals) -> Reals:
    """Macro-F1 [resamples] of sums over items [resamples, 2 classes] of ``f1_sums``."""
    correct, either = np.split(sums, 2, axis=1)
    f1 = 2.0 * correct / np.maximum(either, 1.0)
    return np.asarray(f1.sum(1) / np.maximum((either > 0).sum(1), 1))


def ece_sums(probabilities: Floats, truth: Ints) -> Reals:
    """[items, BINS + 1]: confidence minus correctness in the item's bin, and a one that counts."""
    confidence = probabilities.max(1).astype(np.float64)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    sums = np.zeros((len(truth), BINS + 1))
    sums[np.arange(len(truth)), bins] = confidence - (probabilities.argmax(1) == truth)
    sums[:, BINS] = 1.0
    return sums


def ece_of_sums(sums: Reals) -> Reals:
    """Calibration error [resamples] of sums over items [resamples, BINS + 1] of ``ece_sums``."""
    return np.asarray(np.abs(sums[:, :BINS]).sum(1) / np.maximum(sums[:, BINS], 1.0))


PerQuery = Callable[[Reals, Ints], tuple[Reals, Reals]]
"""(rank, candidates) -> what each query adds to the numerator and to the denominator of a metric."""


def _mean_of(values: Callable[[Reals, Ints], Reals]) -> PerQuery:
    return lambda rank, candidates: (values(rank, candidates), np.ones(len(rank)))


LINK_METRICS: Mapping[str, PerQuery] = {
    "mrr": _mean_of(lambda rank, _: reciprocals(rank)),
    "mr": _mean_of(lambda rank, _: rank),
    "hits@1": _mean_of(lambda rank, _: hits(rank, 1)),
    "hits@3": _mean_of(lambda rank, _: hits(rank, 3)),
    "hits@10": _mean_of(lambda rank, _: hits(rank, 10)),
    "ndcg@10": _mean_of(lambda rank, _: gains(rank, 10)),
    "auc": _mean_of(aucs),
    # 1 - sum(rank - 1) / sum((candidates - 1) / 2), written as one fraction
    "amri": lambda rank, candidates: ((candidates + 1) / 2.0 - rank, (candidates - 1) / 2.0),
}


def _mean(values: Reals) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _ratio(above: float, below: float, empty: float) -> float:
    return above / below if below else empty
