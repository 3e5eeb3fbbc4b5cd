"""What goes together: items that the same others are linked with."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import scipy.sparse

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.graph.contract import EdgeBuilder, Edges, Graph
from mmgraph.types import Floats, Ints, Relation

_PAIRS = 2**21  # of items that are compared at once


@dataclass(frozen=True, kw_only=True)
class CoOccurrence(EdgeBuilder):
    """Every target of a relation to the ``k`` that it shares most sources with: of ``user/plays/music`` the relation
    ``music/co_plays/music``. Held-out links never count: once links are held out, all is counted anew from those that are seen.

    relation: one between two kinds; every one that the tables state when not given. users: how many sources two targets share at least,
    from 2 on, so that no edge is there for the sake of one link. weight: ``cosine``, shared / sqrt(dᵢ dⱼ) with d a target's sources
    (Sarwar et al. 2001, section 3.1.1), or ``ppmi``, log(shared · n / (dᵢ dⱼ)) with n the sources that have links, of pairs where it is
    above 0 (Church & Hanks 1990; Levy & Goldberg 2014): cosine is kinder to what many have. Of equal weights the first in the table.
    """

    relation: str | None = None
    users: int = 2
    k: int = 20
    weight: Literal["cosine", "ppmi"] = "cosine"

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation for each that it counts; raises GraphError where the one that is named cannot be counted, or is there already."""
        del catalogue
        if self.k < 1 or self.users < 2:
            wrong = "CoOccurrence counts neighbours from 1 and shared users from 2 on"
            raise GraphError(wrong, given=f"k: {self.k}, users: {self.users}", todo="give more")
        stated = [r for r, e in graph.edges.items() if r.source != r.target and e.built_by == "tables"]
        chosen = stated if self.relation is None else [Relation.parse(self.relation)]
        for one in chosen:
            if one not in graph.edges or one.source == one.target:
                todo = f"take a relation between two kinds: {', '.join(map(str, stated)) or 'there is none'}"
                raise GraphError("CoOccurrence cannot count over this relation", given=one, todo=todo)
        names = [*graph.edges, *map(_named, chosen)]
        if twice := [one for one in names if names.count(one) > 1]:
            wrong = "CoOccurrence would add to a relation that is there already"
            raise GraphError(wrong, given=twice[0], todo="rename that one, or name one relation to count over")
        return [self.counted(one, graph) for one in chosen]

    def counted(self, relation: Relation, graph: Graph) -> Edges:
        """The edges that the links of ``relation`` in ``graph`` make."""
        links = graph.edges[relation]
        shape = (graph.count(relation.source), graph.count(relation.target))
        x = scipy.sparse.csr_matrix((np.ones(len(links), np.float32), (links.source, links.target)), shape=shape)
        source, target, weight = self._nearest(x)
        again = partial(self.counted, relation)
        return Edges(
            _named(relation), source, target, weight=weight, built_by="co_occurrence", derived_from=(relation,), again=again
        )

    def _nearest(self, x: Any) -> tuple[Ints, Ints, Floats]:
        columns = x.T.tocsr()
        degree = np.diff(columns.indptr).astype(np.float64)
        others = columns @ np.diff(x.indptr).astype(np.float64)  # how many entries its row of XᵀX has, at most
        block = np.cumsum(np.minimum(np.maximum(others, 1), x.shape[1])) // _PAIRS
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
        for rows in np.split(np.arange(x.shape[1]), np.flatnonzero(np.diff(block)) + 1):
            shared = (columns[rows] @ x).tocoo()
            row, column = rows[shared.row], shared.col.astype(np.int64)
            use = (row != column) & (shared.data >= self.users)
            row, column, count = row[use], column[use], shared.data[use].astype(np.float64)
            both = degree[row] * degree[column]
            ppmi = self.weight == "ppmi"
            weight = np.log(count * np.count_nonzero(np.diff(x.indptr)) / both) if ppmi else count / np.sqrt(both)
            weight = weight.astype(np.float32)
            order = np.lexsort((column, -weight, row))
            order = order[weight[order] > 0]
            row, column, weight = row[order], column[order], weight[order]
            near = np.arange(len(row)) - np.searchsorted(row, row) < self.k
            found.append((row[near], column[near], weight[near]))
        source, target, value = (np.concatenate(one) for one in zip(*found, strict=True))
        return source, target, value


def _named(relation: Relation) -> Relation:
    return Relation(relation.target, f"co_{relation.name}", relation.target)
