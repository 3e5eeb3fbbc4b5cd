"""Next in time, as far as the order is known."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Edges, Graph
from mmgraph.types import Bools, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class NextInTime(LinkBaseline):
    """For relations that say what comes next (``Edges.temporal``), within one kind.

    The clock is withheld from every method, ours too: start and end times made these links, so reading them would be reading
    the answer. What stays is the known order: the visible links form chains, and a gap is to be closed. In the direction
    ``target`` a candidate scores 2 where it is in the query's group (same parent), does not follow anything yet, and is not in
    the query's own chain (which would close a circle); 1 where it is only in the same group; 0 else. In the direction ``source``
    the same with "is not followed by anything yet". The group of an item is its parent; in a kind without parents, its partner
    in the visible relation to another kind that gives most items a partner and none more than one; without that, all items
    are one group.
    """

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Follow the chains."""
        relation = question.relation
        if relation.source != relation.target or not question.split.edges.temporal:
            return []
        count = question.graph.count(relation.source)
        edges = question.graph.edges.get(relation)
        source, target = (np.zeros(0, np.int64),) * 2 if edges is None else (edges.source, edges.target)
        links = scipy.sparse.csr_matrix((np.ones(len(source), np.int8), (source, target)), shape=(count, count))
        chain = connected_components(links, directed=False)[1].astype(np.int64)
        free: dict[Direction, Bools] = {
            "target": np.bincount(target, minlength=count) == 0,
            "source": np.bincount(source, minlength=count) == 0,
        }
        return [_Next(_groups(question.graph, relation.source), chain, free)]


class _Next(LinkMethod):
    name = "next_in_time"

    def __init__(self, group: Ints, chain: Ints, free: dict[Direction, Bools]) -> None:
        self._group, self._chain, self._free = group, chain, free

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        together = self._group[queries][:, None] == self._group[None, :]
        open_end = self._free[direction][None, :] & (self._chain[queries][:, None] != self._chain[None, :])
        return np.where(together, np.where(open_end, np.float32(2.0), np.float32(1.0)), np.float32(0.0))


def _groups(graph: Graph, kind: str) -> Ints:
    """A number for the group of each item; items outside of all groups are alone."""
    count = graph.count(kind)
    group = graph.parent.get(kind, np.full(count, -1))
    if not (group >= 0).any():
        group = _containers(graph, kind)
    if not (group >= 0).any():
        return np.zeros(count, np.int64)
    return np.where(group >= 0, group, group.max() + 1 + np.arange(count)).astype(np.int64)


def _containers(graph: Graph, kind: str) -> Ints:
    """int64 [items]: the partner in the relation that gives most items exactly one partner of another kind, -1 without."""
    best = np.full(graph.count(kind), -1)
    for edges in graph.edges.values():
        item, partner = _ends(edges, kind)
        if item is not None and len(item) > np.count_nonzero(best >= 0) and len(np.unique(item)) == len(item):
            best = np.full(graph.count(kind), -1)
            best[item] = partner
    return best


def _ends(edges: Edges, kind: str) -> tuple[Ints, Ints] | tuple[None, None]:
    """(items of ``kind``, their partners) of a relation between it and another kind."""
    if edges.relation.source == edges.relation.target:
        return None, None
    if edges.relation.target == kind:
        return edges.target, edges.source
    if edges.relation.source == kind:
        return edges.source, edges.target
    return None, None
