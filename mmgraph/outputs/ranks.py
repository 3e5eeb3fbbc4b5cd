"""ranks.parquet: where each method ranked each test link, so that runs can be compared link by link."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmgraph.evaluate.evaluate import Ranked
from mmgraph.outputs.streamed import streamed

_ROWS = 262_144
_NAME = pa.dictionary(pa.int32(), pa.string())
_RANKS: dict[str, Any] = {
    "question": _NAME,
    "method": _NAME,
    "source": pa.string(),
    "relation": _NAME,
    "target": pa.string(),
    "direction": _NAME,
    "rank": pa.float64(),
    "candidates": pa.int64(),
}
RANKS = pa.schema(_RANKS)


def write_ranks(ranked: Sequence[Ranked], path: Path) -> None:
    """One row a method, test link and direction asked; raises RunError where the disk is full."""
    with streamed(path.parent, path.stem, RANKS, ("parquet",)) as write:
        for one in ranked:
            for table in _tables(one):
                write(table)


def _tables(one: Ranked) -> Iterator[pa.Table]:
    for direction, asked in zip(one.question.directions, one.asked, strict=True):
        for start in range(0, len(one.edges), _ROWS):
            part = slice(start, start + _ROWS)
            edges = one.edges[part]
            source, relation, target = one.question.named(edges)
            to_target = one.question.asks_target(edges, direction)
            columns: list[Any] = [
                pa.array([one.question.name] * len(edges), pa.string()).dictionary_encode(),
                pa.array([one.method] * len(edges), pa.string()).dictionary_encode(),
                pa.array(source, pa.string()),
                pa.array(relation, pa.string()).dictionary_encode(),
                pa.array(target, pa.string()),
                pa.array(np.where(to_target, "target", "source"), pa.string()).dictionary_encode(),
                pa.array(asked.rank[part], pa.float64()),
                pa.array(asked.candidates[part], pa.int64()),
            ]
            yield pa.Table.from_arrays(columns, schema=RANKS)
