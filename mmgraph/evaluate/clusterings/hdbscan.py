"""Clusters of dense regions; what lies between them is in none."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA

from mmgraph.evaluate.clustering import NONE, Clustering, ClusterQuestion, Clusters, finds_number


@dataclass(frozen=True, kw_only=True)
class Hdbscan(Clustering):
    """HDBSCAN (Campello, Moulavi and Sander 2013, Density-Based Clustering Based on Hierarchical Density Estimates), by scikit-learn.

    The number of clusters is what has the largest excess of mass (section 5 there). smallest: items of a cluster at least, a fiftieth of
    all and 5 when not given; neighbours: that make a region dense, as many as ``smallest`` when not given; components: principal
    ones that are looked at, since density tells little where there are many.
    """

    criterion = "excess of mass"
    random = False

    smallest: int | None = None
    neighbours: int | None = None
    components: int = 10

    def _find(self, question: ClusterQuestion, clusters: int | None, seed: int) -> Clusters:
        finds_number("hdbscan", clusters)
        smallest = self.smallest or max(5, len(question) // 50)
        if len(question) <= smallest or not np.ptp(question.vectors, axis=0).any():
            return Clusters(np.full(len(question), NONE, np.int64))
        components = min(self.components, len(question), question.vectors.shape[1])
        rows = PCA(components, svd_solver="full").fit_transform(question.vectors.astype(np.float64))
        found = HDBSCAN(min_cluster_size=smallest, min_samples=self.neighbours, copy=True).fit(rows)
        return Clusters(np.maximum(found.labels_.astype(np.int64), NONE))
