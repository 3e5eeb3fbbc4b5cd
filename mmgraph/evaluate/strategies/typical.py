"""Typical items of what nothing labelled is like."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from mmgraph.evaluate.asking import AskQuestion, Reals, Strategy
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Typical(Strategy):
    """TypiClust (Hacohen, Dekel & Weinshall 2022, Active learning on a budget: opposite strategies suit high and low budgets, arXiv
    2202.02794, section 3.3), which suits few labels: k-means of all items into as many clusters as there are labelled ones and asked ones
    together, ``most`` at most; then of the clusters with the fewest labelled items, the largest first, the most typical item, whose mean
    distance to its ``neighbours`` nearest in the cluster is smallest. It does not read what is said of the items.
    """

    most: int = 500
    neighbours: int = 20

    def _pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        vectors = unit_rows(np.concatenate((question.vectors, question.shown)))
        count = len(question)
        wanted = min(self.most, n + len(question.shown), len(np.unique(vectors, axis=0)))
        of = KMeans(max(wanted, 1), n_init=4, random_state=seed).fit_predict(vectors)
        own, shown = of[:count], np.bincount(of[count:], minlength=wanted)
        size = np.bincount(own, minlength=wanted)
        free, picked = np.ones(count, bool), list[int]()
        while len(picked) < n:
            left = np.bincount(own[free], minlength=wanted) > 0
            cluster = int(np.lexsort((np.arange(wanted), -size, shown, ~left))[0])
            rows = np.flatnonzero(free & (own == cluster))
            row = int(rows[typicality(vectors[:count][own == cluster], self.neighbours)[free[own == cluster]].argmax()])
            free[row] = False
            picked.append(row)
            shown[cluster] += 1
        return np.array(picked, np.int64)


def typicality(vectors: Floats, neighbours: int) -> Reals:
    """The inverse of the mean Euclidean distance to the nearest others, of each of the rows: float64 [n]."""
    near = min(neighbours, len(vectors) - 1)
    if near < 1:
        return np.ones(len(vectors))
    distance, _ = NearestNeighbors(n_neighbors=near + 1).fit(vectors).kneighbors(vectors)
    return np.asarray(1.0 / np.maximum(distance.sum(axis=1) / near, 1e-12))
