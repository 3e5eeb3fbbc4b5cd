"""Clusters about means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans as Means
from sklearn.metrics import silhouette_score

from mmgraph.evaluate.clustering import Clustering, ClusterQuestion, Clusters

_SIZES = (*range(2, 13), 15, 20, 25, 30, 40, 50, 75, 100)


@dataclass(frozen=True, kw_only=True)
class KMeans(Clustering):
    """k-means (Lloyd 1982) from k-means++ (Arthur and Vassilvitskii 2007), the best of ``starts``.

    The number of clusters is that of the largest mean silhouette (Rousseeuw 1987, Silhouettes: a graphical aid, section 4) among
    ``sizes`` up to the square root of twice the items, on ``sample`` items at most.
    """

    criterion = "mean silhouette"

    sizes: Sequence[int] = _SIZES
    starts: int = 4
    sample: int = 2000

    def _find(self, question: ClusterQuestion, clusters: int | None, seed: int) -> Clusters:
        if clusters is not None:
            return Clusters(self._means(question, clusters, seed))
        different = len(np.unique(question.vectors, axis=0))
        highest = min(different - 1, max(2, int(np.sqrt(2 * len(question)))))
        sizes = [size for size in self.sizes if 2 <= size <= highest]
        if not sizes:
            return Clusters(np.zeros(len(question), np.int64))
        found = [self._means(question, size, seed) for size in sizes]
        values = [self._silhouette(question, of, seed) for of in found]
        tried = tuple((f"{size} clusters", value) for size, value in zip(sizes, values, strict=True))
        return Clusters(found[int(np.argmax(values))], tried)

    def _means(self, question: ClusterQuestion, clusters: int, seed: int) -> np.ndarray:
        clusters = min(clusters, len(np.unique(question.vectors, axis=0)))
        means = Means(clusters, n_init=self.starts, random_state=seed)
        return means.fit_predict(question.vectors).astype(np.int64)

    def _silhouette(self, question: ClusterQuestion, of: np.ndarray, seed: int) -> float:
        rows = np.arange(len(of))
        if len(rows) > self.sample:
            rows = np.random.default_rng(seed).permutation(rows)[: self.sample]
        if not 2 <= len(np.unique(of[rows])) < len(rows):
            return -1.0
        return float(silhouette_score(question.vectors[rows], of[rows]))
