"""A whole and its parts: a video and its segments, a folder and what lies in it."""

from dataclasses import dataclass

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.graph.contract import EdgeBuilder, Edges, Graph
from mmgraph.graph.located import Located
from mmgraph.types import Relation


@dataclass(frozen=True, kw_only=True)
class Contains(EdgeBuilder):
    """Parent -> child, for children that are a span of their parent (they have ``start_s``) and for parents of kind ``folder``."""

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation ``parent kind/contains/kind`` for each pair of kinds."""
        del graph
        located = Located.of(catalogue)
        parts = ~np.isnan(located.start_s) | located.in_folder
        return [
            Edges(Relation(parent_kind, "contains", kind), parents, children, built_by="contains")
            for kind, children, parent_kind, parents in located.children(parts)
        ]
