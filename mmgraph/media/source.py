"""Where the clip of each item of a catalogue is found."""

import math
from pathlib import Path
from typing import NamedTuple

from mmgraph.catalogue.contract import Catalogue
from mmgraph.media.clip import Source, Span
from mmgraph.media.modalities import moving

_WHOLE = Span()


def sources(catalogue: Catalogue) -> dict[str, Source]:
    """Id -> source, for every item that has a file or a text of its own, or is a stretch of its parent's file.

    An item without path and text that states a start or an end lies in the file of its parent, in the parent's time: the parent's
    own start is added, and the parent's end is kept where the item states none. Items without any of these (users,
    entities) are left out.
    """
    items = catalogue.items
    columns = (items[name].tolist() for name in ("id", "path", "text", "parent", "start_s", "end_s"))
    rows = {row[0]: _Row(*row[1:]) for row in zip(*columns, moving(catalogue).tolist(), strict=True)}
    found: dict[str, Source] = {}
    for key, row in rows.items():
        if row.path is not None or row.text is not None:
            path = None if row.path is None else Path(row.path)
            found[key] = Source(key, path, _span(row), row.text, moving=row.moves)
        elif (source := _of_parent(key, row, rows)) is not None:
            found[key] = source
    return found


class _Row(NamedTuple):
    path: str | None
    text: str | None
    parent: str | None
    start_s: float
    end_s: float
    moves: bool


def _of_parent(key: str, row: _Row, rows: dict[str, _Row]) -> Source | None:
    """``row`` and its chain of parents -> source; a chain that runs in a circle has none."""
    start, end = _seconds(row.start_s), _seconds(row.end_s)
    seen = {key}
    while row.path is None:
        if (start is None and end is None) or row.parent is None or row.parent in seen or row.parent not in rows:
            return None
        seen.add(row.parent)
        row = rows[row.parent]
        offset, stop = _seconds(row.start_s) or 0.0, _seconds(row.end_s)
        start, end = (start or 0.0) + offset, stop if end is None else end + offset
    return Source(key, Path(row.path), Span(start or 0.0, end))


def _span(row: _Row) -> Span:
    return (
        _WHOLE
        if math.isnan(row.start_s) and math.isnan(row.end_s)
        else Span(_seconds(row.start_s) or 0.0, _seconds(row.end_s))
    )


def _seconds(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
