"""The nearest by each modality, for kinds with labels and few links."""

import logging
from dataclasses import dataclass

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.graph.contract import EdgeBuilder, Edges, Graph
from mmgraph.graph.edges.similar import Similar
from mmgraph.types import Ints

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SimilarWhereFew(EdgeBuilder):
    """``Similar`` for every kind that has labels and vectors, and of whose items at least half have fewer than ``links`` links so far, of
    all relations and both ways. ``graph.similar: auto`` is this, after all other builders. k: neighbours by each modality.
    """

    links: int = 2
    k: int = 10

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation for each modality of such a kind; the log says which kinds, and why."""
        found = []
        for kind in dict.fromkeys(kind for kind, _ in graph.labels):
            few = float((links_of(graph, kind) < self.links).mean())
            if few >= 0.5 and graph.features_of(kind):
                _log.info("%s: %.0f %% have fewer than %d links: the nearest are linked", kind, 100 * few, self.links)
                found += Similar(kind=kind, k=self.k).build(catalogue, graph)
        return found


def links_of(graph: Graph, kind: str) -> Ints:
    """How many links each item of the kind has, at either end: int64 [items]."""
    count = np.zeros(graph.count(kind), np.int64)
    for relation, edges in graph.edges.items():
        for end, items in ((relation.source, edges.source), (relation.target, edges.target)):
            if end == kind:
                count += np.bincount(items, minlength=len(count))
    return count
