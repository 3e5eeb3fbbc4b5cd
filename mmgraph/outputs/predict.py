"""The links that a person asks a finished run for, streamed to one file."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute

from mmgraph.errors import SettingsError
from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.prepared import Prepared
from mmgraph.outputs.approximate import Near, index_of
from mmgraph.outputs.predictions import LinkPrediction, Top, link_table, schema, top_links
from mmgraph.outputs.streamed import Format, streamed
from mmgraph.outputs.tiles import tiled_links
from mmgraph.progress import Bar
from mmgraph.types import Ints


@dataclass(frozen=True)
class Asked:
    """sources: ids, all where there are none; top_k: of each source; threshold: least probability; exclude_known: leave out links
    that are known; format: of the file ``to``; approximate: by an index that finds a share of ``recall`` or more.

    Raises SettingsError where a number or the format cannot be.
    """

    sources: tuple[str, ...] = ()
    top_k: int = 10
    threshold: float | None = None
    exclude_known: bool = False
    format: Format = "parquet"
    to: Path | None = None
    approximate: bool = False
    recall: float = 0.95

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise SettingsError("no such --format", given=self.format, todo=f"known: {', '.join(get_args(Format))}")
        if self.top_k < 1:
            raise SettingsError("--top-k must be 1 at least", given=self.top_k)
        for name, share in (("threshold", self.threshold), ("recall", self.recall)):
            if share is not None and not 0 <= share <= 1:
                raise SettingsError(f"--{name} must be between 0 and 1", given=share)
        if self.to is not None and self.to.suffix != f".{self.format}":
            raise SettingsError("--to must end as its format", given=self.to, todo=f"name it {self.to.stem}.{self.format}")


@dataclass(frozen=True)
class Predicted:
    """What was written: where, how many ``rows``, of how many ``sources``, how many of the rows abstain; ``near`` where approximate."""

    path: Path
    sources: int
    rows: int
    abstained: int
    near: Near | None

    @property
    def text(self) -> str:
        """One sentence."""
        links, sources = "link" if self.rows == 1 else "links", "source" if self.sources == 1 else "sources"
        said = f"{self.rows:,} {links} of {self.sources:,} {sources}; {self.abstained:,} abstain"
        if self.near is None:
            return f"{said}; exact"
        near = self.near
        return f"{said}; approximate: {near.recall:.1%} of the exact best are found ({near.probed} of {near.cells} cells looked into)"


def write_predictions(one: LinkPrediction, asked: Asked, folder: Path) -> Predicted:
    """Stream the rows of ``predictions/links`` to ``asked.to``, or a file in ``folder`` named by the relation.

    Memory is bounded by blocks of sources and, where what is handed out is the gnn, of targets; other methods need a row of
    scores for each source of a block. Raises SettingsError for a source that is not there, RunError for a full disk, or where an
    index cannot be had.
    """
    sources = positions(one.question, asked.sources)
    path = asked.to or folder / f"asked.{str(one.question.relation).replace('/', '.')}.{asked.format}"
    near = index_of(one.question, one.method, asked.top_k, asked.recall) if asked.approximate else None
    rows, abstained, columns = 0, 0, schema([one])
    with streamed(path.parent, path.stem, columns, (asked.format,)) as write, Bar("predict links", len(sources)) as bar:
        for done, top in _blocks(one, asked, sources, near):
            table = chosen(link_table(one, top, columns), asked)
            write(table)
            rows, abstained = rows + len(table), abstained + (pyarrow.compute.sum(table["abstain"]).as_py() or 0)
            bar.advance(done)
    return Predicted(path, len(sources), rows, abstained, near)


def _blocks(one: LinkPrediction, asked: Asked, sources: Ints, near: Near | None) -> Iterator[tuple[int, Top]]:
    if near is not None:
        return near.links(one.question, asked.top_k, sources)
    if isinstance(one.method, Prepared):
        return tiled_links(one.question, one.method, asked.top_k, sources)
    return top_links(one.question, one.method, asked.top_k, sources)


def chosen(table: pa.Table, asked: Asked) -> pa.Table:
    """The rows that are asked for."""
    if asked.exclude_known:
        table = table.filter(pyarrow.compute.invert(table["known"]))
    if asked.threshold is not None:
        table = table.filter(pyarrow.compute.greater_equal(table["probability"], pa.scalar(asked.threshold, pa.float32())))
    return table


def positions(question: LinkQuestion, ids: tuple[str, ...]) -> Ints:
    """Positions of the sources with these ids, each once, in the order given; all where none is.

    Raises SettingsError that names an id that is not there.
    """
    kind = question.relation.source
    if not ids:
        return np.arange(question.count("source"), dtype=np.int64)
    place = {str(name): number for number, name in enumerate(question.graph.ids[kind])}
    for name in ids:
        if name not in place:
            near = difflib.get_close_matches(name, place, n=3) if len(place) <= 10_000 else []
            todo = f"did you mean {', '.join(near)}?" if near else f"the ids of this kind: embeddings/{kind}.ids.txt"
            raise SettingsError(f"no item of kind {kind} has this id", given=name, todo=todo)
    return np.array([place[name] for name in dict.fromkeys(ids)], np.int64)
