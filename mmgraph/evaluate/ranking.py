"""Full filtered ranking: every held-out link against every candidate that is not itself a known link, block by block.

Filter: for (s, relation, ?) all other known targets of s leave the candidates (Bordes et al. 2013, section 4.1), and in a relation
within one kind s itself; of facts (evaluate/family.py) s stays, as in the published protocols. Candidates are all items of the kind,
or those seen on that side of the relation in a visible link (the local closed-world assumption of Krompass et al. 2015). Ties count
as the mean rank ("realistic", Berrendorf et al. 2020, section 2.2). From the same scores a truth may be ranked once more, among the
candidates of the query's own group alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgraph.errors import MMGraphError
from mmgraph.evaluate.contract import Direction, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Edges
from mmgraph.types import Floats, Ints

Reals = npt.NDArray[np.float64]
DIRECTIONS: tuple[Direction, ...] = ("target", "source")
CELLS = 2**25  # scores held at once: 128 MiB of float32, however many candidates there are


class Ranks(NamedTuple):
    """One entry a query: ``rank`` float64 from 1, ``candidates`` int64 that were left with the truth among them, ``query`` and
    ``truth`` item positions, ``score`` float32 of the truth. near_rank, near_candidates: the same among the query's group alone, where
    groups are given; 0 where the truth is of another group.
    """

    rank: Reals
    candidates: Ints
    query: Ints
    truth: Ints
    score: Floats
    near_rank: Reals
    near_candidates: Ints


@dataclass(frozen=True)
class Known:
    """Known links of every query item, one after the other: of item q ``other[start[q]:start[q + 1]]``; ``itself``: q too."""

    start: Ints
    other: Ints
    itself: bool

    @classmethod
    def of(cls, edges: Edges, queries: int, direction: Direction) -> "Known":
        """Index ``edges`` by the side that asks; ``queries``: how many items there are on that side."""
        query, other = sides(edges, direction)
        order = np.argsort(query, kind="stable")
        start = np.concatenate(([0], np.cumsum(np.bincount(query, minlength=queries)))).astype(np.int64)
        return cls(start, other[order], edges.relation.source == edges.relation.target)

    def pairs(self, queries: Ints) -> tuple[Ints, Ints]:
        """(row in ``queries``, item) of everything known of them."""
        lengths = self.start[queries + 1] - self.start[queries]
        rows = np.repeat(np.arange(len(queries)), lengths)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = self.other[np.repeat(self.start[queries], lengths) + within]
        if self.itself:
            rows, items = np.concatenate((rows, np.arange(len(queries)))), np.concatenate((items, queries))
        return rows, items


def sides(edges: Edges, direction: Direction) -> tuple[Ints, Ints]:
    """(queries, truths) of edges: ``target`` asks from the sources, ``source`` from the targets."""
    return (edges.source, edges.target) if direction == "target" else (edges.target, edges.source)


def other_way(direction: Direction) -> Direction:
    """The direction whose candidates are this one's queries."""
    return "source" if direction == "target" else "target"


def rows_at_once(block: int, candidates: int, cells: int = CELLS) -> int:
    """How many queries a block holds: at most ``block``, and at most ``cells`` scores, but one in any case."""
    return max(1, min(block, cells // max(candidates, 1)))


def cells_of(memory_mb: int) -> int:
    """How many float32 scores there are in as many MiB.

    >>> cells_of(128) == CELLS
    True
    """
    return memory_mb * 2**18


def seen(question: LinkQuestion, direction: Direction) -> Known | None:
    """The candidates of each of the question's readings, where not all items of the kind are."""
    if question.candidates == "kind":
        return None
    query, other = sides(question.visible, direction)
    number = question.reading(query)
    order = np.argsort(number, kind="stable")
    start = np.concatenate(([0], np.cumsum(np.bincount(number, minlength=question.readings)))).astype(np.int64)
    return Known(start, other[order], itself=False)


def checked(method: LinkMethod, queries: Ints, direction: Direction, candidates: int) -> Floats:
    """The method's scores, float32 [len(queries), candidates]; raises MMGraphError where its shape or numbers are wrong."""
    scores = np.asarray(method.scores(queries, direction), dtype=np.float32)
    if scores.shape != (len(queries), candidates):
        raise MMGraphError(f"{method.name} gave scores of a wrong shape", given=scores.shape, todo="mend the method")
    if scores.size and not (np.isfinite(scores.min()) and np.isfinite(scores.max())):  # NaN is the least and the largest
        raise MMGraphError(f"{method.name} gave scores that are not finite", given=direction, todo="mend the method")
    return scores


def ranks(
    method: LinkMethod,
    question: LinkQuestion,
    edges: Ints,
    direction: Direction,
    block: int = 1024,
    known: Ints | None = None,
    group: Ints | None = None,
    cells: int = CELLS,
) -> Ranks:
    """Rank the truth of the edges at positions ``edges`` of ``question.split.edges``; entries in their order.

    known: positions of the links that the filter knows; all of them (train, valid and test) when not given. Choosing on
    validation gives train and valid only, so that test links do not speak. group: int64 [items], of a relation within one kind.
    cells: scores held at once, of all candidates of at most ``block`` queries.
    """  # fmt: skip
    every = question.split.edges
    count, candidates = question.count(other_way(direction)), question.count(direction)
    asking = _Asking(
        method,
        direction,
        candidates,
        Known.of(every if known is None else every.take(known), count, direction),
        seen(question, direction),
        question.reading,
        group,
    )
    query, truth = sides(every.take(edges), direction)
    order = np.argsort(query, kind="stable")  # the same query is scored once
    size = rows_at_once(block, candidates, cells)
    parts = [
        _ranks_of_block(asking, query[part], truth[part])
        for part in np.split(order, range(size, len(order), size))
        if len(part)
    ]
    columns: list[Any] = [np.zeros(len(edges), kind) for kind in (np.float64, np.int64, np.float32, np.float64, np.int64)]
    for column, made in zip(columns, zip(*parts, strict=True), strict=bool(parts)):
        column[order] = np.concatenate(made)
    rank, left, score, near_rank, near_left = columns
    return Ranks(rank, left, query, truth, score, near_rank, near_left)


@dataclass(frozen=True)
class _Asking:
    """What all blocks share: see ``ranks``; ``seen``: the candidates of each reading, of all where None."""

    method: LinkMethod
    direction: Direction
    candidates: int
    known: Known
    seen: Known | None
    reading: Callable[[Ints], Ints]
    group: Ints | None


def _ranks_of_block(asking: _Asking, query: Ints, truth: Ints) -> tuple[Reals, Ints, Floats, Reals, Ints]:
    asked, row = np.unique(query, return_inverse=True)
    scores = checked(asking.method, asked, asking.direction, asking.candidates)[row]  # a copy: the method's own stays as it is
    each = np.arange(len(query))
    own = scores[each, truth]
    if asking.seen is not None:
        readings, of_query = np.unique(asking.reading(query), return_inverse=True)
        unseen = np.ones((len(readings), asking.candidates), bool)
        unseen[asking.seen.pairs(readings)] = False
        scores[unseen[of_query]] = -np.inf
    scores[asking.known.pairs(query)] = -np.inf
    scores[each, truth] = own
    rank, left = _placed(scores, own)
    group = asking.group
    if group is None:
        return rank, left, own, np.zeros(len(query)), np.zeros(len(query), np.int64)
    scores[group[query][:, None] != group[None, :]] = -np.inf
    within = group[query] == group[truth]
    near_rank, near_left = _placed(scores, own)
    return rank, left, own, near_rank * within, near_left * within


def _placed(scores: Floats, own: Floats) -> tuple[Reals, Ints]:
    """(mean rank of ``own``, how many candidates are left) of each row; who is no candidate scores minus infinity."""
    better = np.count_nonzero(scores > own[:, None], axis=1)
    equal = np.count_nonzero(scores == own[:, None], axis=1) - 1
    left = scores.shape[1] - np.count_nonzero(np.isneginf(scores), axis=1)
    return 1.0 + better + equal / 2.0, left.astype(np.int64)
