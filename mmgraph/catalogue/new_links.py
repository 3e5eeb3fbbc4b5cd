"""new_links.csv: links that a finished run is given, as ``links.csv`` of the tables, or with columns called as the kinds of a relation."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from mmgraph.catalogue.tables import Table, read_table
from mmgraph.errors import CatalogueError
from mmgraph.types import Relation

LINK = ("source", "relation", "target", "time", "weight")


def holds_links(path: Path, relations: Sequence[Relation]) -> bool:
    """Whether its columns are those of links, also where one is missing; ``relations``: those that a column may be called after."""
    columns = _columns(path)
    return ("id" not in columns and bool({*LINK[:3]} & columns)) or _named(relations, columns) is not None


def read_new_links(path: Path, relations: Sequence[Relation]) -> Table:
    """The columns LINK of every row, ``relation`` in words. ``relations``: what the run predicts, which a row without a relation is of
    where there is one. Raises CatalogueError for a row without one of its ends, and for a file without rows or without a relation.
    """
    named = _named(relations, _columns(path))
    ends = ("source", "target") if named is None else (named.source, named.target)
    table = read_table(path, ends, (*ends, "relation", "time", "weight"))
    frame = table.frame.rename(columns=dict(zip(ends, ("source", "target"), strict=True)))
    if not len(frame):
        raise CatalogueError(f"{table.name} has no link", given="0 rows", todo="give it rows")
    for name, column in zip(ends, ("source", "target"), strict=True):
        lacking = frame[column].isna().to_numpy()
        if lacking.any():
            place = table.place(int(lacking.argmax()))
            raise CatalogueError(f"{place}, column {name!r}: not given", todo="say which two items are linked")
    told = named or (relations[0] if len(relations) == 1 else None)
    if told is None and frame["relation"].isna().any():
        todo = f"add a column relation; the run predicts: {', '.join(map(str, relations)) or 'no relation'}"
        raise CatalogueError(f"{table.name} does not say of which relation its links are", todo=todo)
    frame["relation"] = frame["relation"].fillna(str(told))
    return Table(frame[list(LINK)], table.name, where=table.place)


def _named(relations: Sequence[Relation], columns: set[str]) -> Relation | None:
    """The relation whose two kinds are columns; of two items of one kind no such column could say which is which."""
    return next((one for one in relations if one.source != one.target and {one.source, one.target} <= columns), None)


def _columns(path: Path) -> set[str]:
    """Names of the columns; none where the file cannot be read, which reading the table then says."""
    try:
        if path.suffix == ".parquet":
            return set(pyarrow.parquet.read_schema(path).names)
        with open(path, encoding="utf-8-sig", newline="") as file:
            return set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid):
        return set()
