"""Columns of text that a file holds, and the items, links and labels that are made of them.

For files that number each kind of item by itself: an id is ``<kind>/<what is written>``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS
from mmgraph.catalogue.lines import Lines
from mmgraph.catalogue.sheets import Sheet
from mmgraph.catalogue.tables import Table, made_table
from mmgraph.types import Ints, Strings


@dataclass(frozen=True)
class Written:
    """columns: str or None [rows] by name; name: of the file; place: file and line of a row."""

    columns: Mapping[str, Strings]
    count: int
    name: str
    place: Callable[[int], str]

    @classmethod
    def of_lines(cls, lines: Lines, fields: Sequence[str]) -> "Written":
        """The fields that the lines have."""
        return cls(dict(zip(fields, lines.columns, strict=False)), len(lines.line), lines.name, lines.place)

    @classmethod
    def of_sheet(cls, sheet: Sheet, fields: Sequence[str]) -> "Written":
        """These columns of a CSV, all in memory."""
        frame = sheet.text(fields)
        columns = {name: frame[name].to_numpy(dtype=object) for name in fields}
        return cls(columns, len(frame), sheet.path.name, sheet.place)

    def take(self, rows: Ints) -> "Written":
        """The rows at these positions."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Written(columns, len(rows), self.name, lambda i: self.place(int(rows[i])))

    def ids(self, column: str, kind: str) -> Strings:
        """Ids of items; None where nothing is written, which ``checked`` refuses."""
        return prefixed(self.columns[column], kind)

    def links(self, source: Strings, relation: object, target: Strings, **more: object) -> Table:
        """One link a row; ``more``: time, weight, split, as arrays or one for all."""
        given = {"source": source, "relation": relation, "target": target, **more}
        return made_table(self.name, LINK_COLUMNS, given, self.count, self.place)

    def items(self, ids: Strings, kind: str, text: Strings | None = None) -> Table:
        """One item a row."""
        return made_table(self.name, ITEM_COLUMNS, {"id": ids, "kind": kind, "text": text}, self.count, self.place)

    def labels(self, ids: Strings, field: str, values: Strings) -> Table:
        """One label a row; rows without a value have none."""
        rows = np.flatnonzero(pd.notna(values))
        return self._labels(ids, field, values[rows], rows)

    def lists(self, ids: Strings, field: str, values: Strings, separator: str) -> Table:
        """Several labels a row, as ``Action|Crime`` writes them; what is empty is none."""
        words, length = split_words(values, separator)
        rows = np.repeat(np.arange(self.count), length)
        kept = words != ""
        return self._labels(ids, field, words[kept], rows[kept])

    def _labels(self, ids: Strings, field: str, values: Strings, rows: Ints) -> Table:
        given: dict[str, Any] = {"id": ids[rows], "field": field, "value": values}
        return made_table(self.name, LABEL_COLUMNS, given, len(rows), lambda i: self.place(int(rows[i])))


def split_words(values: Strings, separator: str) -> tuple[Strings, Ints]:
    """The words of all rows one after the other, and how many each row has; of nothing the word ``""``.

    >>> words, length = split_words(np.array(["a| b", None], dtype=object), "|")
    >>> words.tolist(), length.tolist()
    (['a', 'b', ''], [2, 1])
    """
    lists: Any = pc.split_pattern(pa.array(values, pa.string()).fill_null(""), pattern=separator)
    words = pc.utf8_trim_whitespace(lists.flatten()).to_numpy(zero_copy_only=False)
    return words, pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)


def without(values: Strings, gone: Any) -> Strings:
    """None where the mask ``gone`` says so."""
    found = values.astype(object)
    found[gone] = None
    return found


def prefixed(written: Strings, kind: str) -> Strings:
    """``<kind>/<what is written>``, one Python str for each that is different; None stays.

    >>> prefixed(np.array(["7", None], dtype=object), "user").tolist()
    ['user/7', None]
    """
    codes, names = pd.factorize(written)
    made = np.array([*(f"{kind}/{name}" for name in names), None], dtype=object)
    found: Strings = made[codes]
    return found


@dataclass(frozen=True)
class Named:
    """Rows that name items: their ids, and where each stands."""

    ids: Strings
    name: str
    place: Callable[[int], str]


def named_items(kind: str, named: Sequence[Named], known: Strings | None = None, *, text: bool = False) -> Table:
    """The items that rows name, in the order in which they do so first, without those ``known``; text: what is written is theirs."""
    together = np.concatenate([one.ids for one in named])
    starts = np.cumsum([0, *(len(one.ids) for one in named)])
    codes, ids = pd.factorize(together)
    first = np.unique(codes[codes >= 0], return_index=True)[1]
    first = np.flatnonzero(codes >= 0)[first]
    kept = np.ones(len(ids), bool) if known is None else ~pd.Index(ids).isin(known)

    def place(row: int) -> str:
        at = int(first[kept][row])
        part = int(np.searchsorted(starts, at, side="right")) - 1
        return named[part].place(at - int(starts[part]))

    given = {"id": ids[kept], "kind": kind, "text": [one.removeprefix(f"{kind}/") for one in ids[kept]] if text else None}
    return made_table(named[0].name, ITEM_COLUMNS, given, int(kept.sum()), place)
