"""predictions/links: for every source its most likely targets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmgraph.errors import RunError
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion, Part
from mmgraph.evaluate.ranking import Known
from mmgraph.outputs.streamed import streamed
from mmgraph.progress import Bar
from mmgraph.settings import OutputSettings
from mmgraph.types import Bools, Floats, Ints

_LINKS: dict[str, Any] = {
    "source": pa.string(),
    "relation": pa.string(),
    "target": pa.string(),
    "score": pa.float32(),
    "probability": pa.float32(),
    "rank": pa.int32(),
    "known": pa.bool_(),
    "abstain": pa.bool_(),
}
LINKS = pa.schema(_LINKS)
_HELD_OUT: dict[str, Any] = {name: pa.string() for name in ("source", "relation", "target", "split")}
HELD_OUT = pa.schema(_HELD_OUT)
CELLS = 4_000_000  # scores held at once: 16 MB, and a few masks of the same shape
PIECE_CELLS = 4 * CELLS  # of all pieces of a combination together, two numbers a score
ROWS = 4096


def never(sources: Ints, probability: Floats) -> Bools:
    """Abstain from nothing."""
    return np.zeros(np.broadcast_shapes(sources.shape, probability.shape), bool)


@dataclass(frozen=True)
class LinkPrediction:
    """What is written about one relation: the method that validation chose, and ``probability``, its calibration.

    probability: float32 [n] scores -> float32 [n] in 0..1, the same for equal scores. abstain: positions of sources int64 [n] and
    probabilities [n] -> bool [n], whether nothing should be said.
    """

    question: LinkQuestion
    method: LinkMethod
    probability: Callable[[Floats], Floats]
    abstain: Callable[[Ints, Floats], Bools] = never


@dataclass(frozen=True)
class Top:
    """One row a predicted link: positions ``source`` and ``target``, ``score``, ``rank`` from 1, ``known``; arrays [n].

    parts: of each piece of a combination what it gives these pairs; none for a single method, whose score is all there is.
    """

    source: Ints
    target: Ints
    score: Floats
    rank: Ints
    known: Bools
    parts: tuple[Part, ...] = field(default=())


def schema(predictions: Sequence[LinkPrediction]) -> pa.Schema:
    """LINKS, and for every piece of what is handed out about any relation ``score.<piece>`` and ``evidence.<piece>``."""
    pieces = dict.fromkeys(piece for one in predictions for piece in one.method.pieces)
    more = [pa.field(f"{what}.{piece}", pa.float32()) for piece in pieces for what in ("score", "evidence")]
    return pa.schema([*LINKS, *more])


def write_links(predictions: Sequence[LinkPrediction], folder: Path, settings: OutputSettings) -> None:
    """Write ``links.parquet|csv`` and ``held_out.parquet|csv`` into ``folder``, the relations one after the other.

    Every source item has its ``settings.top_k`` best targets among those not known to be linked with it (all of them, where fewer are
    left), ranked from 1. Known links stand among them, marked ``known``, with the rank that they would have if they alone were added
    to the unknown ones (the filtered rank of the evaluation), as far as it is at most ``top_k``; a known link and the unknown one that
    it pushes down share a rank. The item itself is no target of a relation within one kind. Equal scores keep the order of the items.
    Columns say what speaks for each pair: see ``schema``; those of pieces that have no part in a relation's answer are null.
    ``held_out`` lists the valid and test links, so that a reader can tell a link that was found from one that was seen.

    Raises RunError where the disk is full, or where a method gives scores that are not finite.
    """
    total, columns = sum(one.question.count("source") for one in predictions), schema(predictions)
    with (
        streamed(folder, "held_out", HELD_OUT, settings.formats) as write_held_out,
        streamed(folder, "links", columns, settings.formats) as write,
        Bar("predict links", total) as bar,
    ):
        for one in predictions:
            write_held_out(_held_out(one.question))
            for rows, top in top_links(one.question, one.method, settings.top_k):
                write(link_table(one, top, columns))
                bar.advance(rows)


def top_links(
    question: LinkQuestion, method: LinkMethod, top_k: int, sources: Ints | None = None
) -> Iterator[tuple[int, Top]]:
    """Yield blocks of sources (positions; all of them where not given): how many there are, and their rows in the order of
    ``sources``, rank, known first.
    """
    asked = np.arange(question.count("source"), dtype=np.int64) if sources is None else sources
    known, several = KnownTargets(question), len(method.pieces) > 1
    cells = PIECE_CELLS // (2 * len(method.pieces)) if several else CELLS
    rows = max(1, min(ROWS, cells // max(question.count("target"), 1)))
    for start in range(0, len(asked), rows):
        queries = asked[start : start + rows]
        parts = method.parts(queries, "target") if several else []
        scores = sum_of(parts) if several else np.array(method.scores(queries, "target"), dtype=np.float32)  # masked below
        finite(scores, method, question)
        top = _top(scores, queries, known, top_k)
        yield len(queries), replace(top, parts=_at(parts, queries, top))


def sum_of(parts: Sequence[Part]) -> Floats:
    """The scores of which the parts are, float32 [queries, candidates]; added in their order, as a combination adds them."""
    total = np.zeros(parts[0].share.shape, np.float32)
    for part in parts:
        total += part.share
    return total


def _at(parts: Sequence[Part], queries: Ints, top: Top) -> tuple[Part, ...]:
    """The parts [queries, targets] at the pairs of ``top``: [n]."""
    order = np.argsort(queries, kind="stable")
    row = order[np.searchsorted(queries, top.source, sorter=order)]
    return tuple(replace(one, given=one.given[row, top.target], share=one.share[row, top.target]) for one in parts)


def finite(scores: Floats, method: LinkMethod, question: LinkQuestion) -> None:
    """Raise RunError for scores that are not."""
    if not np.isfinite(scores).all():
        raise RunError(f"{method.name} gave scores for {question.relation} that are not finite", todo="train it again")


class KnownTargets:
    """The known links of a question, by source; ``loops``: an item is no target of its own."""

    def __init__(self, question: LinkQuestion) -> None:
        edges = question.split.edges
        self.loops = question.relation.source == question.relation.target
        self._index = Known.of(edges, question.count("source"), "target")

    def of(self, queries: Ints) -> tuple[Ints, Ints]:
        """Row within ``queries`` and target, of every known link of theirs, in the order of the rows; never the item itself."""
        row, target = replace(self._index, itself=False).pairs(queries)
        if not self.loops:
            return row, target
        apart = queries[row] != target
        return row[apart], target[apart]


def _top(scores: Floats, queries: Ints, known: KnownTargets, top_k: int) -> Top:
    row_known, target_known = known.of(queries)
    own = scores[row_known, target_known]
    scores[row_known, target_known] = -np.inf
    if known.loops:
        scores[np.arange(len(queries)), queries] = -np.inf
    return ranked(queries, _best(scores, top_k), (row_known, target_known, own), top_k)


def ranked(queries: Ints, best: tuple[Ints, Ints, Floats, Ints], known: tuple[Ints, Ints, Floats], top_k: int) -> Top:
    """The ``best`` unknown targets (row, target, score, rank), and the ``known`` ones (row, target, score) that rank as high."""
    row, target, value, rank = best
    row_known, target_known, own = known
    rank_known = _rank_among(row_known, target_known, own, (row, target, value))
    near = rank_known <= top_k
    source = np.concatenate([row, row_known[near]])
    ranks = np.concatenate([rank, rank_known[near]])
    is_known = np.repeat([False, True], [len(row), int(near.sum())])
    targets = np.concatenate([target, target_known[near]])
    score = np.concatenate([value, own[near]])
    order = np.lexsort((targets, -score, ~is_known, ranks, source))
    return Top(queries[source[order]], targets[order], score[order], ranks[order], is_known[order])


def _best(scores: Floats, top_k: int) -> tuple[Ints, Ints, Floats, Ints]:
    """Row, column, score and rank of the ``top_k`` largest finite scores of each row; of equal ones the first columns."""
    rows, columns = scores.shape
    k = min(top_k, columns)
    if k == 0 or rows == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
    bound = np.partition(scores, columns - k, axis=1)[:, columns - k, None]
    row, column = np.nonzero((scores >= bound) & np.isfinite(scores))
    value = scores[row, column]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    first = np.searchsorted(row, np.arange(rows))
    rank = np.arange(len(row)) - first[row] + 1
    keep = rank <= k
    return row[keep], column[keep], value[keep], rank[keep]


def _rank_among(row: Ints, target: Ints, own: Floats, best: tuple[Ints, Ints, Floats]) -> Ints:
    """One more than the number of ``best`` of the same row that come before (a higher score, or the same and a lower column)."""
    rows = np.concatenate([best[0], row])
    columns = np.concatenate([best[1], target])
    values = np.concatenate([best[2], own])
    added = np.repeat([0, 1], [len(best[0]), len(row)])
    order = np.lexsort((columns, -values, rows))
    before = np.cumsum(1 - added[order])  # of any row
    rank = np.empty(len(order), np.int64)
    rank[order] = before
    earlier_rows = np.searchsorted(best[0], row)
    return rank[len(best[0]) :] - earlier_rows + 1


def link_table(one: LinkPrediction, top: Top, columns_of: pa.Schema) -> pa.Table:
    """Rows of a table of ``schema``."""
    graph, relation = one.question.graph, one.question.relation
    probability = np.asarray(one.probability(top.score), dtype=np.float32)
    columns: list[Any] = [
        pa.array(graph.ids[relation.source][top.source], pa.string()),
        pa.repeat(pa.scalar(str(relation)), len(top.source)),
        pa.array(graph.ids[relation.target][top.target], pa.string()),
        pa.array(top.score, pa.float32()),
        pa.array(probability, pa.float32()),
        pa.array(top.rank.astype(np.int32), pa.int32()),
        pa.array(top.known, pa.bool_()),
        pa.array(one.abstain(top.source, probability), pa.bool_()),
    ]
    told = {f"{what}.{part.piece}": values for part in _parts(one, top) for what, values in _columns(part)}
    for name in columns_of.names[len(columns) :]:
        values = told.get(name)
        columns.append(pa.nulls(len(top.source), pa.float32()) if values is None else pa.array(values, pa.float32()))
    return pa.Table.from_arrays(columns, schema=columns_of)


def _parts(one: LinkPrediction, top: Top) -> tuple[Part, ...]:
    return top.parts or tuple(Part(piece, top.score, top.score) for piece in one.method.pieces[:1])


def _columns(part: Part) -> tuple[tuple[str, Floats], ...]:
    return ("score", np.asarray(part.given, np.float32)), ("evidence", np.asarray(part.share, np.float32))


def _held_out(question: LinkQuestion) -> pa.Table:
    graph, relation, split = question.graph, question.relation, question.split
    chosen = np.concatenate([split.valid, split.test])
    names = np.repeat(["valid", "test"], [len(split.valid), len(split.test)])
    columns: list[Any] = [
        pa.array(graph.ids[relation.source][split.edges.source[chosen]], pa.string()),
        pa.repeat(pa.scalar(str(relation)), len(chosen)),
        pa.array(graph.ids[relation.target][split.edges.target[chosen]], pa.string()),
        pa.array(names, pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=HELD_OUT)
