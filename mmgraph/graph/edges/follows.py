"""What comes next within one parent: the segments of a video in order of time."""

from dataclasses import dataclass

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.graph.contract import EdgeBuilder, Edges, Graph
from mmgraph.graph.located import Located
from mmgraph.types import Relation

_DEFAULT = "segment"


@dataclass(frozen=True, kw_only=True)
class Follows(EdgeBuilder):
    """Items of one kind with the same parent, each linked to the next by ``start_s`` (ties: catalogue order).

    kind: of the items. An edge carries the seconds between the end of its source and the start of its target, negative where
    they overlap (windows with ``overlap_s`` do: a link between two that share frames is told by these, and the run says so).
    Without segments nothing is built; another kind that has no parents and starts is an error.
    """

    kind: str = _DEFAULT

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation ``kind/follows/kind``, or none. Raises GraphError."""
        located = Located.of(catalogue)
        rows = located.rows(self.kind)
        rows = rows[(located.parent[rows] >= 0) & ~np.isnan(located.start_s[rows])]
        if len(rows) == 0 and self.kind == _DEFAULT:
            return []
        if len(rows) == 0:
            todo = f"give the items a parent and start_s, or take a kind of: {', '.join(graph.ids)}"
            raise GraphError("Follows has nothing to put in order", given=f"kind: {self.kind}", todo=todo)
        rows = rows[np.lexsort((located.start_s[rows], located.parent[rows]))]
        same = located.parent[rows[:-1]] == located.parent[rows[1:]]
        before, after = rows[:-1][same], rows[1:][same]
        gap_s = (located.start_s[after] - located.end_s[before]).astype(np.float32)
        relation = Relation(self.kind, "follows", self.kind)
        ends = located.position[before], located.position[after]
        return [Edges(relation, *ends, gap_s=gap_s, built_by="follows", temporal=True)]
