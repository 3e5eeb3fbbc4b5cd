"""All visible relations as one undirected graph over the items of every kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from mmgraph.evaluate.contract import Direction, LinkMethod, LinkQuestion, Newcomer
from mmgraph.graph.contract import Graph
from mmgraph.types import Floats, Ints, Relation

Reals = npt.NDArray[np.float64]
_ENTRY_BYTES = 8  # float32 and int32 of a CSR matrix


@dataclass(frozen=True)
class Union:
    """``adjacency``: scipy CSR float32 [nodes, nodes], symmetric, ones, no loops; the items of a kind are the nodes
    ``start[kind]`` .. ``start[kind] + count[kind]``. A pair linked by several relations counts once.
    """

    adjacency: Any
    start: Mapping[str, int]
    count: Mapping[str, int]

    @classmethod
    def of(cls, graph: Graph) -> "Union":
        """Join all relations; their directions are left aside."""
        count = {kind: graph.count(kind) for kind in graph.ids}
        starts = np.concatenate(([0], np.cumsum(list(count.values())))).astype(int).tolist()
        start = dict(zip(count, starts, strict=False))
        nodes = starts[-1]
        source = [edges.source + start[relation.source] for relation, edges in graph.edges.items()]
        target = [edges.target + start[relation.target] for relation, edges in graph.edges.items()]
        rows = np.concatenate([np.zeros(0, np.int64), *source, *target])
        columns = np.concatenate([np.zeros(0, np.int64), *target, *source])
        keep = rows != columns
        rows, columns = rows[keep], columns[keep]
        matrix = scipy.sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(nodes, nodes))
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        return cls(matrix, start, count)

    @staticmethod
    def bytes_of(graph: Graph) -> int:
        """Memory that ``of`` needs at its peak, about."""
        return 6 * _ENTRY_BYTES * 2 * sum(len(edges) for edges in graph.edges.values())

    def nodes(self, kind: str) -> slice:
        """The nodes of a kind."""
        return slice(self.start[kind], self.start[kind] + self.count[kind])

    def degrees(self) -> Reals:
        """Neighbours of every node, float64 [nodes]."""
        return np.diff(self.adjacency.indptr).astype(np.float64)


class NeighbourLinks(LinkMethod):
    """Score = sum of ``weight`` [nodes] over the common neighbours of query and candidate (Liben-Nowell & Kleinberg 2007)."""

    def __init__(self, name: str, union: Union, weight: Reals, relation: Relation) -> None:
        self.name = name
        self._union, self._relation = union, relation
        self._weight = weight.astype(np.float32)
        self._weighted = union.adjacency.multiply(weight.astype(np.float32)[None, :]).tocsr()
        self._answers = {kind: union.adjacency[union.nodes(kind)].T.tocsr() for kind in {relation.source, relation.target}}

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]; only the rows of the queries are multiplied."""
        ends = (self._relation.source, self._relation.target)
        asked, answers = ends if direction == "target" else ends[::-1]
        product = self._weighted[queries + self._union.start[asked]] @ self._answers[answers]
        return np.asarray(product.toarray(), dtype=np.float32)

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: its neighbours are what it likes."""
        liked = newcomer.liked + self._union.start[self._relation.target]
        answers = self._answers[self._relation.target]
        return np.asarray(self._weight[liked] @ answers[liked], np.float32)[None]


def neighbour_links(name: str, question: LinkQuestion, weight_of_degree: Any) -> NeighbourLinks:
    """A common-neighbour method whose neighbours weigh ``weight_of_degree(degrees)``."""
    union = Union.of(question.graph)
    return NeighbourLinks(name, union, np.asarray(weight_of_degree(union.degrees()), dtype=np.float64), question.relation)
