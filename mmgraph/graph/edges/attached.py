"""What goes with a medium without being a part of it: its side-car text, its poster, its music."""

from dataclasses import dataclass

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.graph.contract import EdgeBuilder, Edges, Graph
from mmgraph.graph.located import Located
from mmgraph.types import Relation


@dataclass(frozen=True, kw_only=True)
class Attached(EdgeBuilder):
    """Child -> parent, for children that are no span of their parent and whose parent is no folder (those: ``Contains``)."""

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation ``kind/attached_to/parent kind`` for each pair of kinds."""
        del graph
        located = Located.of(catalogue)
        beside = np.isnan(located.start_s) & ~located.in_folder
        return [
            Edges(Relation(kind, "attached_to", parent_kind), children, parents, built_by="attached")
            for kind, children, parent_kind, parents in located.children(beside)
        ]
