"""Every rule of the tables, checked once; a violation names file, row and column."""

import logging
import os
import posixpath
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import (
    ITEM_COLUMNS,
    LABEL_COLUMNS,
    LINK_COLUMNS,
    UNUSABLE,
    Catalogue,
    GivenFeatures,
    Repeated,
    Stands,
    Unread,
)
from mmgraph.catalogue.features import check_features
from mmgraph.catalogue.tables import Stack, Table
from mmgraph.errors import CatalogueError
from mmgraph.types import Bools, Ints, Strings, Times

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[\w.\-]+")
_SPLITS = ("train", "valid", "test")


def checked(
    items: Sequence[Table],
    links: Table | None,
    labels: Table | None,
    *,
    root: Path,
    features: tuple[GivenFeatures, ...] = (),
    sources: Mapping[str, str] | None = None,
    repeated: Repeated = "add",
) -> Catalogue:
    """Raw tables (ITEM_COLUMNS, LINK_COLUMNS, LABEL_COLUMNS as text) -> the Catalogue; raises CatalogueError.

    Paths are taken relative to ``root``. Items whose file is not there go to ``unread``. Rows of one link are merged: equal
    rows are one; else weights are added, the earliest time is kept, and splits must agree. Rows of one label likewise. repeated:
    ``last`` keeps weight and time of the newest row of a link in their place, as it is with ratings.
    """
    stack = Stack(tuple(items))
    frame = _items(stack, root)
    ids = pd.Index(frame["id"])
    linked, stands = _links(links, ids, repeated)
    catalogue = Catalogue(
        items=frame,
        links=linked,
        labels=_labels(labels, ids),
        features=features,
        sources=dict(sources or {}),
        stands=stands,
        repeated=repeated,
    )
    check_features(catalogue)
    unread = _missing_files(frame)
    return catalogue.without(unread) if unread else catalogue


def _refuse(wrong: Bools, table: Table | Stack, column: str, what: str, value: Strings, todo: str) -> None:
    """Raise for the first row that is wrong."""
    if wrong.any():
        index = int(np.argmax(wrong))
        raise CatalogueError(f"{table.place(index)}, column {column!r}: {what}", given=repr(value[index]), todo=todo)


def _items(stack: Stack, root: Path) -> pd.DataFrame:
    frame = stack.frame
    if frame.empty:
        raise CatalogueError("there are no items", given=root, todo="check catalogue.root, and that items.csv has rows")
    frame = frame[list(ITEM_COLUMNS)].copy()
    for column in ("id", "kind"):
        _no_gaps(frame, stack, column)
    _names(frame, stack, "kind")
    _one_line(frame, stack, "id")
    _no_duplicates(frame, stack)
    for column in ("start_s", "end_s"):
        frame[column] = _numbers(frame, stack, column, least=0.0)
    backwards = (frame["end_s"] < frame["start_s"]).to_numpy()
    _refuse(backwards, stack, "end_s", "the end is before the start", frame["end_s"].to_numpy(), "give seconds, start first")
    parent = _parents(frame, stack)
    _segments(frame, stack)
    frame["path"] = _paths(frame, parent, root)
    return frame


def _no_gaps(frame: pd.DataFrame, table: Table | Stack, column: str) -> None:
    blanks = [value for value in frame[column].unique() if value is None or not value.strip()]
    blank = frame[column].isin(blanks).to_numpy()
    _refuse(blank, table, column, "it is empty", frame[column].to_numpy(), "fill it in")


def _names(frame: pd.DataFrame, table: Table | Stack, column: str) -> None:
    bad = [name for name in frame[column].unique() if not _NAME.fullmatch(name)]
    wrong = frame[column].isin(bad).to_numpy()
    _refuse(wrong, table, column, "not a name", frame[column].to_numpy(), "use letters, digits, '_', '-' and '.'")


def _one_line(frame: pd.DataFrame, table: Table | Stack, column: str) -> None:
    given = frame[column].to_numpy()
    if UNUSABLE.search("".join(given)):
        wrong = np.array([UNUSABLE.search(value) is not None for value in given])
        _refuse(wrong, table, column, "it holds a line break or another control character", given, "take it out")


def _no_duplicates(frame: pd.DataFrame, stack: Stack) -> None:
    twice = frame["id"].duplicated().to_numpy()
    if twice.any():
        second = int(np.argmax(twice))
        value = frame["id"].iloc[second]
        first = int(np.argmax((frame["id"] == value).to_numpy()))
        wrong = f"{stack.place(second)}, column 'id': it is also the id of {stack.place(first)}"
        raise CatalogueError(wrong, given=repr(value), todo="give every item an id of its own")


def _numbers(frame: pd.DataFrame, table: Table | Stack, column: str, *, least: float = -np.inf) -> Times:
    """Text -> float64, NaN where nothing was given; anything else that is no finite number of at least ``least`` is refused."""
    given = frame[column]
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
    wrong = given.notna().to_numpy() & ~np.isfinite(numbers)
    _refuse(wrong, table, column, "not a number", given.to_numpy(), "write a number such as 2.5, or leave it empty")
    _refuse(numbers < least, table, column, "the number is too small", given.to_numpy(), f"at least {least:g}")
    return numbers


def _parents(frame: pd.DataFrame, stack: Stack) -> Ints:
    """Index of each item's parent, -1 for none."""
    given = frame["parent"].to_numpy()
    parent = pd.Index(frame["id"]).get_indexer(pd.Index(frame["parent"], dtype=object))
    unknown = frame["parent"].notna().to_numpy() & (parent < 0)
    _refuse(unknown, stack, "parent", "no item has this id", given, "add the parent to the items, or correct the id")
    above = parent.astype(np.int64)
    for _ in range(int(np.log2(len(frame))) + 1):  # each step doubles how far up it looks; more steps than items is a circle
        above = np.where(above >= 0, above[above], -1)
    _refuse(above >= 0, stack, "parent", "the item is, through its parents, its own parent", given, "break the circle")
    return parent.astype(np.int64)


def _segments(frame: pd.DataFrame, stack: Stack) -> None:
    segment = (frame["kind"] == "segment").to_numpy()
    for column, what in (
        ("parent", "a segment needs a parent"),
        ("start_s", "a segment needs a start"),
        ("end_s", "a segment needs an end"),
    ):
        lacking = segment & frame[column].isna().to_numpy()
        _refuse(lacking, stack, column, what, frame["id"].to_numpy(), "give parent, start_s and end_s")


def _paths(frame: pd.DataFrame, parent: Ints, root: Path) -> pd.Series:
    """Absolute paths; a segment without one has its parent's."""
    base = str(root.absolute())
    given = frame["path"].to_numpy()
    joined = np.array([None if path is None else _joined(base, path) for path in given], dtype=object)
    inherits = (frame["kind"] == "segment").to_numpy() & pd.isna(joined) & (parent >= 0)
    joined[inherits] = joined[parent[inherits]]
    return pd.Series(joined, dtype=object)


def _joined(base: str, path: str) -> str:
    """As pathlib would, ten times as fast: a corpus has many."""
    joined = posixpath.join(base, path)
    return str(Path(joined)) if "//" in joined or "/." in joined or joined.endswith("/") else joined


def _missing_files(frame: pd.DataFrame) -> tuple[Unread, ...]:
    held = frame["path"].notna().to_numpy()
    paths = frame["path"].to_numpy()[held]
    reasons = {path: reason for path in pd.unique(paths) if (reason := _missing(path))}
    if not reasons:
        return ()
    pairs = zip(frame["id"].to_numpy()[held], paths, strict=True)
    return tuple(Unread(name, path, reasons[path]) for name, path in pairs if path in reasons)


def _missing(path: str) -> str:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - as above, a corpus has many
    except (FileNotFoundError, NotADirectoryError):
        return "the file is not there"
    except (OSError, ValueError) as error:  # a loop of links, a name that is too long, or holds a zero byte; a closed folder
        return f"the path cannot be used: {getattr(error, 'strerror', None) or error}"
    if stat.S_ISREG(mode):
        return ""
    return "it is a folder" if stat.S_ISDIR(mode) else "it is a pipe, socket or device, no file"


def _links(table: Table | None, ids: pd.Index, repeated: Repeated) -> tuple[pd.DataFrame, Stands]:
    if table is None:
        table = Table(pd.DataFrame(columns=list(LINK_COLUMNS), dtype=object), "links")
    frame = table.frame[list(LINK_COLUMNS)].copy()
    for column in ("source", "relation", "target"):
        _no_gaps(frame, table, column)
    _names(frame, table, "relation")
    for column in ("source", "target"):
        _known(frame, table, column, ids)
    for column in ("time", "weight"):
        frame[column] = _numbers(frame, table, column)
    weighted = frame["weight"].notna().to_numpy()
    frame["weight"] = frame["weight"].fillna(1.0)
    _splits(frame, table)
    merged, row = _merge_links(frame, table, repeated)
    return merged, Stands(row, table.placing(), weighted[row])


def _known(frame: pd.DataFrame, table: Table, column: str, ids: pd.Index) -> None:
    unknown = ids.get_indexer(pd.Index(frame[column], dtype=object)) < 0
    _refuse(unknown, table, column, "no item has this id", frame[column].to_numpy(), "add it to the items, or correct it")


def _splits(frame: pd.DataFrame, table: Table) -> None:
    bad = frame["split"].notna().to_numpy() & ~frame["split"].isin(_SPLITS).to_numpy()
    _refuse(bad, table, "split", "not a split", frame["split"].to_numpy(), f"one of {', '.join(_SPLITS)}, or empty")


def _merge_links(frame: pd.DataFrame, table: Table, repeated: Repeated) -> tuple[pd.DataFrame, Ints]:
    """Each link once, and the row that it stands in."""
    key = ["source", "relation", "target"]
    if not frame.duplicated(key).any():
        return frame, np.arange(len(frame))
    _one_split(frame, table, key)
    if repeated == "last":
        newest = frame.sort_values("time", kind="stable", na_position="first").drop_duplicates(key, keep="last")
        merged = newest.sort_index()
        row = merged.index.to_numpy()
        merged = merged.reset_index(drop=True)
    else:
        distinct = frame.drop_duplicates()
        groups = distinct.groupby(key, sort=False)
        merged = distinct.drop_duplicates(key)
        row = merged.index.to_numpy()
        merged = merged.set_index(key)
        merged["time"] = groups["time"].min()
        merged["weight"] = groups["weight"].sum()
        merged = merged.reset_index()[list(LINK_COLUMNS)]
    _log.info("%s: %d rows repeat a link and were merged", table.name, len(frame) - len(merged))
    return merged, row.astype(np.int64)


def _labels(table: Table | None, ids: pd.Index) -> pd.DataFrame:
    if table is None:
        table = Table(pd.DataFrame(columns=list(LABEL_COLUMNS), dtype=object), "labels")
    frame = table.frame[list(LABEL_COLUMNS)].copy()
    for column in ("id", "field", "value"):
        _no_gaps(frame, table, column)
    _known(frame, table, "id", ids)
    _splits(frame, table)
    key = ["id", "field", "value"]
    repeated = int(frame.duplicated(key).sum())
    if repeated:
        _one_split(frame, table, key)
        _log.info("%s: %d rows repeat a label and were merged", table.name, repeated)
    return frame.drop_duplicates(key).reset_index(drop=True)


def _one_split(frame: pd.DataFrame, table: Table, key: list[str]) -> None:
    """Rows of one link or label in two splits would leak what is held out."""
    split = frame["split"].fillna("")
    first = frame.assign(split=split).groupby(key, sort=False)["split"].transform("first")
    _refuse(
        (split != first).to_numpy(dtype=bool),
        table,
        "split",
        "an earlier row of the same has another split",
        frame["split"].to_numpy(),
        "give all rows of one link or label the same split",
    )
