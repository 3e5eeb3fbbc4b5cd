"""How far two groupings of the same items agree, and how stable a way of grouping is."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from mmgraph.evaluate.clustering import Clustering, ClusterQuestion
from mmgraph.types import Ints

SHARE = 0.8  # of the items, in each half of a comparison under other items


@dataclass(frozen=True)
class Agreement:
    """nmi: normalised mutual information, by the arithmetic mean (Strehl and Ghosh 2002, JMLR 3); ari: adjusted Rand index (Hubert and
    Arabie 1985), 0 by chance; accuracy: share of items whose class is that of their cluster, each class being given to one cluster at
    most so that the share is largest (Kuhn 1955). What is in no cluster is one cluster in the first two, and wrong in the third.
    """

    nmi: float
    ari: float
    accuracy: float


def agreement(of: Ints, classes: Ints) -> Agreement:
    """Clusters and classes of the same items, int64 [n]; a cluster of -1 is none.

    >>> agreement(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]))
    Agreement(nmi=1.0, ari=1.0, accuracy=1.0)
    """
    return Agreement(
        float(normalized_mutual_info_score(classes, of)),
        float(adjusted_rand_score(classes, of)),
        matched_accuracy(of, classes),
    )


def matched_accuracy(of: Ints, classes: Ints) -> float:
    """See ``Agreement.accuracy``; 0 without items.

    >>> matched_accuracy(np.array([0, 0, 0, 1, -1]), np.array([5, 5, 6, 5, 6]))
    0.4
    """
    _, cluster = np.unique(of, return_inverse=True)
    _, label = np.unique(classes, return_inverse=True)
    if not len(of):
        return 0.0
    table = np.zeros((cluster.max() + 1, label.max() + 1), np.int64)
    np.add.at(table, (cluster, label), 1)
    table = table[1:] if of.min() < 0 else table
    return float(table[linear_sum_assignment(-table)].sum() / len(of))


@dataclass(frozen=True)
class Stability:
    """Mean adjusted Rand index of every pair of outcomes: ``seeds``, over seeds, None where chance plays no part; ``items``, of the
    items that two draws of SHARE of all have in common (Ben-Hur, Elisseeff and Guyon 2002, A stability based method). 1: the same.
    """

    seeds: float | None
    items: float


def stability(method: Clustering, question: ClusterQuestion, clusters: int | None, seeds: Sequence[int]) -> Stability:
    """clusters: the number that was chosen, where it can be given."""
    over_seeds = None
    if method.random and len(seeds) > 1:
        over_seeds = mean_ari([method.find(question, clusters, seed).of for seed in seeds])
    drawn = []
    for seed in seeds:
        rows = np.sort(np.random.default_rng(seed).permutation(len(question))[: max(1, round(SHARE * len(question)))])
        some = None if clusters is None else min(clusters, len(rows))
        of = np.full(len(question), -2, np.int64)
        of[rows] = method.find(question.take(rows), some, seed).of
        drawn.append(of)
    return Stability(over_seeds, mean_ari(drawn))


def mean_ari(groupings: Sequence[Ints]) -> float:
    """Over all pairs, on the items that both have (-2: not looked at); 1 for fewer than two."""
    values = []
    for one, two in itertools.combinations(groupings, 2):
        both = (one > -2) & (two > -2)
        values.append(float(adjusted_rand_score(one[both], two[both])))
    return float(np.mean(values)) if values else 1.0
