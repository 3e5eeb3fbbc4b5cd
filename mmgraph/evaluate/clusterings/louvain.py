"""Communities of the graph."""

from dataclasses import dataclass
from typing import Literal

import networkx
import numpy as np

from mmgraph.evaluate.clustering import NONE, Clustering, ClusterQuestion, Clusters, finds_number
from mmgraph.evaluate.communities import community_graph


@dataclass(frozen=True, kw_only=True)
class Louvain(Clustering):
    """Louvain's method (Blondel et al. 2008, Fast unfolding of communities in large networks, arXiv 0803.0476), as networkx does it.

    The number of clusters is that of the largest modularity found. on: visible ``links`` of all kinds, the ``nearest`` items, or
    ``both``; neighbours: of each item; resolution: above 1 there are more and smaller communities.
    """

    criterion = "modularity"

    on: Literal["links", "nearest", "both"] = "both"
    neighbours: int = 15
    resolution: float = 1.0

    def _find(self, question: ClusterQuestion, clusters: int | None, seed: int) -> Clusters:
        finds_number("louvain", clusters)
        adjacency, items = community_graph(question, self.on, self.neighbours)
        graph = networkx.from_scipy_sparse_array(adjacency)
        found = networkx.community.louvain_communities(graph, resolution=self.resolution, seed=seed)
        value = networkx.community.modularity(graph, found, resolution=self.resolution) if adjacency.nnz else 0.0
        of = np.full(adjacency.shape[0], NONE, np.int64)
        for number, community in enumerate(found):
            of[list(community)] = number
        lone = np.asarray(adjacency.sum(axis=1)).ravel()[items] == 0
        return Clusters(np.where(lone, NONE, of[items]), ((f"resolution {self.resolution:g}", float(value)),))
