"""Communities of the graph that are connected within."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmgraph.errors import SettingsError
from mmgraph.evaluate.clustering import NONE, Clustering, ClusterQuestion, Clusters, finds_number
from mmgraph.evaluate.communities import community_graph


@dataclass(frozen=True, kw_only=True)
class Leiden(Clustering):
    """Leiden's method (Traag, Waltman and van Eck 2019, From Louvain to Leiden, arXiv 1810.08473), as scikit-network does it.

    Needs the extra ``leiden`` (BSD). Settings and criterion as for Louvain.
    """

    criterion = "modularity"

    on: Literal["links", "nearest", "both"] = "both"
    neighbours: int = 15
    resolution: float = 1.0

    def _find(self, question: ClusterQuestion, clusters: int | None, seed: int) -> Clusters:
        finds_number("leiden", clusters)
        try:
            from sknetwork.clustering import Leiden as Found
            from sknetwork.clustering import get_modularity
        except ImportError as error:
            todo = "pip install 'mmgraph[leiden]', or take louvain"
            raise SettingsError("leiden needs scikit-network", given=error, todo=todo) from error
        adjacency, items = community_graph(question, self.on, self.neighbours)
        if not adjacency.nnz:
            return Clusters(np.full(len(question), NONE, np.int64))
        of = Found(resolution=self.resolution, random_state=seed, shuffle_nodes=True).fit_predict(adjacency)
        value = float(get_modularity(adjacency, of, resolution=self.resolution))
        lone = np.asarray(adjacency.sum(axis=1)).ravel()[items] == 0
        return Clusters(np.where(lone, NONE, of.astype(np.int64)[items]), ((f"resolution {self.resolution:g}", value),))
