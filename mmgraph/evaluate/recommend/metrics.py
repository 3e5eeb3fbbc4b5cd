"""Metrics of recommended lists, each a number a user.

As RecBole 1.2 defines them (Zhao et al. 2021, arXiv 2011.01731; ``recbole/evaluator/metrics.py``), and with it the papers of LightGCN
and its kin: what is held out is all that is relevant, and each item is relevant or not. Cornac (Salah et al. 2020) has the same recall,
precision and NDCG; its MRR and MAP read the whole ranking, without a cut at k.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from mmgraph.types import Bools, Ints

Reals = npt.NDArray[np.float64]


def recall(hits: Bools, held_out: Ints) -> Reals:
    """Share of a user's held-out items that are in the list; hits bool [users, k], held_out int64 [users] of at least 1.

    >>> recall(np.array([[True, False], [True, True]]), np.array([4, 2]))
    array([0.25, 1.  ])
    """
    return hits.sum(1) / held_out


def precision(hits: Bools, _: Ints) -> Reals:
    """Share of the k places that hold a held-out item; a list that ends early is not excused.

    >>> precision(np.array([[True, False], [True, True]]), np.array([4, 2]))
    array([0.5, 1. ])
    """
    return hits.sum(1) / max(hits.shape[1], 1)


def ndcg(hits: Bools, held_out: Ints) -> Reals:
    """Discounted gain over that of the best possible list (Järvelin & Kekäläinen 2002): 1/log2(1 + place) each, as many as there could be.

    >>> ndcg(np.array([[False, True], [True, True]]), np.array([1, 5])).round(3)
    array([0.631, 1.   ])
    """
    gains = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate(([0.0], np.cumsum(gains)))[np.minimum(held_out, hits.shape[1])]
    return np.asarray((hits @ gains) / np.maximum(ideal, 1e-300))


def hit_rate(hits: Bools, _: Ints) -> Reals:
    """1 where any held-out item is in the list.

    >>> hit_rate(np.array([[False, True], [False, False]]), np.array([1, 5]))
    array([1., 0.])
    """
    return np.asarray(hits.any(1), np.float64)


def mrr(hits: Bools, _: Ints) -> Reals:
    """1 over the place of the first held-out item, 0 where there is none in the list.

    >>> mrr(np.array([[False, True], [False, False]]), np.array([1, 5]))
    array([0.5, 0. ])
    """
    return np.where(hits.any(1), 1.0 / (1 + hits.argmax(1)), 0.0) if hits.shape[1] else np.zeros(len(hits))


def mean_precision(hits: Bools, held_out: Ints) -> Reals:
    """Average precision: mean of the precision at each hit's place, over min(k, held out) hits that there could be.

    >>> mean_precision(np.array([[True, False, True]]), np.array([2])).round(3)
    array([0.833])
    """
    at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return (at * hits).sum(1) / np.maximum(np.minimum(held_out, hits.shape[1]), 1)


OF_USERS: Mapping[str, Callable[[Bools, Ints], Reals]] = {
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "hr": hit_rate,
    "mrr": mrr,
    "map": mean_precision,
}


def novelty(items: Ints, popularity: Ints, users: int) -> Reals:
    """Mean self-information of a user's list in bits: -log2((1 + links) / (1 + users)) of each item (Zhou et al. 2010, PNAS 107, who have
    no 1 +, so that an item without links would be infinitely new).

    items: int64 [users asked, k], -1 for none; popularity: int64 [items], visible links of each; ``users``: who have any.

    >>> novelty(np.array([[0, 1], [1, -1]]), np.array([7, 0]), 7)
    array([1.5, 3. ])
    """
    return _mean_of_listed(items, -np.log2((1.0 + popularity) / (1.0 + users)))


def mean_popularity(items: Ints, popularity: Ints) -> Reals:
    """Mean number of visible links of a user's listed items (ARP of Yin et al. 2012; RecBole's AveragePopularity).

    >>> mean_popularity(np.array([[0, 1], [1, -1]]), np.array([7, 1]))
    array([4., 1.])
    """
    return _mean_of_listed(items, popularity.astype(np.float64))


def coverage(items: Ints, count: int) -> float:
    """Share of all ``count`` items that anybody is recommended.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return len(np.unique(items[items >= 0])) / max(count, 1)


def gini(items: Ints, count: int) -> float:
    """How unequally the items are recommended: 0 all as often, near 1 always the same few (RecBole's GiniIndex).

    >>> gini(np.array([[0, 1], [2, 3]]), 4), round(gini(np.array([[0], [0]]), 4), 2)
    (0.0, 0.75)
    """
    times = np.sort(np.bincount(items[items >= 0], minlength=count)).astype(np.float64)
    weight = 2.0 * np.arange(1, count + 1) - count - 1
    return float(weight @ times / max(count * times.sum(), 1.0))


def _mean_of_listed(items: Ints, of_item: Reals) -> Reals:
    listed = items >= 0
    return np.where(listed, of_item[np.maximum(items, 0)], 0.0).sum(1) / np.maximum(listed.sum(1), 1)
