"""predictions/ratings: what held-out ratings were expected to be, and what everybody would like best of what they have not rated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmgraph.evaluate.answers import RatingAnswer
from mmgraph.evaluate.ratings.contract import predicted
from mmgraph.evaluate.ratings.spread import chances
from mmgraph.outputs.examples import evenly
from mmgraph.outputs.reading import read_table
from mmgraph.outputs.streamed import streamed
from mmgraph.progress import Bar
from mmgraph.settings import OutputSettings
from mmgraph.tasks.rated import Ratings
from mmgraph.types import Ints

_COLUMNS: dict[str, Any] = {
    "source": pa.string(),
    "relation": pa.string(),
    "target": pa.string(),
    "rating": pa.float32(),
    "low": pa.float32(),
    "high": pa.float32(),
    "level": pa.float32(),
    "probability": pa.float32(),
    "rank": pa.int32(),
    "truth": pa.float32(),
    "split": pa.string(),
}
RATINGS = pa.schema(_COLUMNS)
_PAIRS = 2**20  # asked at once


def write_ratings(answers: Sequence[RatingAnswer], folder: Path, settings: OutputSettings) -> None:
    """Write ``ratings.parquet|csv``, nothing where no ratings were asked.

    First the held-out ratings with their ``truth`` and ``split``, then for every source the ``top_k`` targets of the highest expected
    rating among those it has not rated, with their ``rank``. ``low`` to ``high`` holds 90 % of the ratings, ``level`` is the likeliest
    level and ``probability`` its chance; null where unknown. Equal ratings keep the order of the items. Raises RunError where the disk
    is full.
    """
    if not answers:
        return
    total = sum(one.question.train.shape[0] for one in answers)
    with streamed(folder, "ratings", RATINGS, settings.formats) as write, Bar("predict ratings", total) as bar:
        for one in answers:
            for split, edges in (("valid", one.question.split.valid), ("test", one.question.split.test)):
                held = one.question.ratings(edges)
                for start in range(0, len(held), _PAIRS):
                    part = _part(held, slice(start, start + _PAIRS))
                    write(_table(one, part, None, split))
            for sources, best, rank in _best(one, settings.top_k):
                write(_table(one, best, rank, None))
                bar.advance(sources)


def _part(of: Ratings, chosen: Any) -> Ratings:
    return Ratings(of.source[chosen], of.target[chosen], of.value[chosen], of.shape)


def _best(answer: RatingAnswer, top_k: int) -> Iterator[tuple[int, Ratings, Ints]]:
    """Blocks of sources: how many, and the best pairs of theirs that have no known rating, by rank from 1."""
    question = answer.question
    count, targets = question.train.shape
    rated = question.ratings(np.arange(len(question.split.edges)))
    known = rated.matrix(np.ones(len(rated)))
    size = max(1, _PAIRS // max(targets, 1))
    for start in range(0, count, size):
        sources = np.arange(start, min(start + size, count))
        expected = question.clipped(answer.method.table(sources, targets))
        expected[known[sources].nonzero()] = -np.inf
        order = np.argsort(-expected, axis=1, kind="stable")[:, :top_k]
        row, place = np.nonzero(np.isfinite(np.take_along_axis(expected, order, axis=1)))
        target = order[row, place]
        yield len(sources), Ratings(sources[row], target, expected[row, target], question.train.shape), place + 1


def _table(answer: RatingAnswer, of: Ratings, rank: Ints | None, split: str | None) -> pa.Table:
    """``of``: pairs, with their true ratings where ``split`` says so."""
    question, nothing = answer.question, pa.nulls(len(of), pa.float32())
    relation, ids = question.split.relation, question.graph.ids
    expected = predicted(question, answer.method, of)
    said = chances(question, answer.method, of, answer.spread)
    low, high = (nothing, nothing) if answer.spread is None else map(_floats, answer.spread.interval(question, expected))
    columns: list[Any] = [
        pa.array(ids[relation.source][of.source], pa.string()),
        pa.repeat(pa.scalar(str(relation)), len(of)),
        pa.array(ids[relation.target][of.target], pa.string()),
        _floats(expected),
        low,
        high,
        nothing if said is None else _floats(question.levels[said.argmax(1)]),
        nothing if said is None else _floats(said.max(1)),
        pa.nulls(len(of), pa.int32()) if rank is None else pa.array(rank.astype(np.int32)),
        nothing if split is None else _floats(of.value),
        pa.array([split] * len(of), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=RATINGS)


def _floats(values: Any) -> pa.Array:
    return pa.array(np.asarray(values, np.float32))


@dataclass(frozen=True)
class RatingExamples:
    """Some test ratings of one relation, out of how many: rows of ``ratings``."""

    relation: str
    total: int
    rows: tuple[dict[str, Any], ...]


def rating_examples(folder: Path, count: int) -> list[RatingExamples]:
    """For each relation of predictions/ratings ``count`` test ratings, evenly spaced, never picked for being right."""
    table = read_table(folder, "ratings", {"split": ["test"]})
    if table is None:
        return []
    found = []
    for relation in dict.fromkeys(table["relation"].to_pylist()):
        rows = [row for row in table.to_pylist() if row["relation"] == relation]
        found.append(RatingExamples(relation, len(rows), tuple(evenly(rows, count))))
    return found
