"""Which items another one is made of: the segments of a video, the nodes of a small graph."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph
from mmgraph.sample.adjacency import Adjacency
from mmgraph.types import Ints, Relation


@dataclass(frozen=True)
class Members:
    """The parts of whole ``w`` are the items ``parts[indptr[w]:indptr[w + 1]]`` of ``kind``; int64, positions within their kinds."""

    kind: str
    indptr: Ints
    parts: Ints

    @classmethod
    def of_pairs(cls, kind: str, whole: Ints, part: Ints, num_wholes: int) -> "Members":
        """From pairs in any order."""
        counts = np.bincount(whole, minlength=num_wholes)
        return cls(kind, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), part[np.argsort(whole, kind="stable")])

    @cached_property
    def count(self) -> Ints:
        """Parts of each whole."""
        return np.diff(self.indptr)

    def of(self, wholes: Ints) -> tuple[Ints, Ints]:
        """The parts of the wholes at these positions, one whole's after the other's, and how many each has.

        >>> Members("segment", np.array([0, 2, 2, 3]), np.array([7, 8, 9])).of(np.array([2, 0]))
        (array([9, 7, 8]), array([1, 2]))
        """
        count = self.count[wholes]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return self.parts[np.repeat(self.indptr[:-1][wholes], count) + within], count

    def adjacency(self, wholes: Ints, rows: Ints | None, num_rows: int) -> Adjacency:
        """From the rows of a batch to the wholes, numbered as they are given. rows: sorted positions of the items that are rows, None
        where every item of the kind is one.
        """
        parts, count = self.of(wholes)
        sources = parts if rows is None else np.searchsorted(rows, parts)
        indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        return Adjacency(torch.from_numpy(indptr), torch.from_numpy(sources), num_rows)


def members(graph: Graph, kind: str, over: str, relation: str | None = None) -> Members:
    """The items of kind ``over`` that each item of ``kind`` is made of: its children, or what ``relation`` joins it with, whichever
    end is which; without a name the children, else the one relation between the two kinds.

    Raises SplitError where there are none, or several relations to choose from.
    """
    chosen = joining(graph, kind, over, relation)
    if chosen is None:
        child, parent = _children(graph, kind, over)
        return Members.of_pairs(over, parent, child, graph.count(kind))
    edges = graph.edges[chosen]
    ends = (edges.source, edges.target) if chosen.source == kind else (edges.target, edges.source)
    return Members.of_pairs(over, *ends, graph.count(kind))


def joining(graph: Graph, kind: str, over: str, relation: str | None = None) -> Relation | None:
    """The relation that says what the items of ``kind`` are made of, None where it is their children; raises as ``members``."""
    between = [one for one in graph.edges if {one.source, one.target} == {kind, over} and kind != over]
    todo = f"relations between the two: {', '.join(map(str, between)) or 'none'}"
    if relation is not None:
        chosen = Relation.parse(relation)
        if chosen not in between:
            raise SplitError(f"no such relation joins {kind} with {over}", given=relation, todo=todo)
        return chosen
    if len(_children(graph, kind, over)[0]):
        return None
    if len(between) != 1:
        raise SplitError(f"no item of kind {kind} has children of kind {over}", given=f"over: {over}", todo=todo)
    return between[0]


def _children(graph: Graph, kind: str, over: str) -> tuple[Ints, Ints]:
    """(child, parent) of the items of kind ``over`` whose parent is of ``kind``."""
    nothing = np.zeros(0, np.int64)
    if over not in graph.parent:
        return nothing, nothing
    parent, kinds = graph.parent[over], graph.parent_kind.get(over)
    child = np.flatnonzero((parent >= 0) & (True if kinds is None else kinds == kind))
    return child, parent[child]
