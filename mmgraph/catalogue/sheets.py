"""CSV files with columns of any names: some as text, some as lists of numbers, which are streamed."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mmgraph.catalogue.tables import as_objects, line_of
from mmgraph.errors import CatalogueError
from mmgraph.types import Bools, Floats

_BLOCK = 1 << 24  # bytes of a file looked at in one step; a record must fit
_LIST = re.compile(r"\s*[\[(]?\s*[-+.\d][^,;]*([,;].*)?[\])]?\s*", re.DOTALL)


@dataclass(frozen=True)
class Sheet:
    """One CSV file; ``given``: the names of its columns where another file holds them, else its first line does."""

    path: Path
    separator: str = ","
    given: tuple[str, ...] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order. Raises CatalogueError where there are none, or one twice."""
        names = self.given or header_of(self.path, self.separator)
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise CatalogueError(f"{self.path.name} has column {twice[0]!r} twice", given=names, todo="keep one of them")
        return names

    def place(self, index: int) -> str:
        """File and line of record ``index``, from 0."""
        return f"{self.path.name}, line {line_of(self.path, index, header=self.given is None)}"

    def first(self, column: str) -> str:
        """The first text that stands in a column, ``""`` where there is none."""
        at = self.names.index(column)
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=self.separator)
            if self.given is None:
                next((row for row in rows if row), None)
            return next((row[at] for row in rows if len(row) > at and row[at]), "")

    def lists(self, column: str) -> bool:
        """Whether the column's first text is a list of more than one number."""
        found = self.first(column)
        return bool(_LIST.fullmatch(found)) and len(re.split("[,;]", found)) > 1

    def text(self, columns: Sequence[str]) -> pd.DataFrame:
        """These columns, str or None. Raises CatalogueError that names file and line."""
        if not columns:
            return pd.DataFrame()
        options = {
            "read_options": self._reading(),
            "parse_options": self._parsing(),
            "convert_options": self._strings(columns),
        }
        try:
            table = pyarrow.csv.read_csv(self.path, **options)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(error) from None
        return pd.DataFrame({name: as_objects(table[name], self.path.name, name) for name in columns}, dtype=object)

    def present(self, column: str) -> Bools:
        """Which records have anything in a column."""
        parts = [np.asarray(pc.is_valid(part)) for part in self._streamed(column)]
        return np.concatenate(parts) if parts else np.zeros(0, bool)

    def vectors(self, column: str, separator: str) -> Iterator[Floats]:
        """The lists of numbers of a column, [n, width] at a time, of records that have one.

        Raises CatalogueError that names file and line where one has another length, or holds anything but finite numbers.
        """
        width, start = None, 0
        for part in self._streamed(column):
            plain = pc.replace_substring_regex(part, pattern=r"[\[\]()\s]+", replacement="")
            lists = pc.split_pattern(plain, pattern=separator)
            lengths = pc.list_value_length(lists)
            width = next((one for one in lengths.to_pylist() if one), None) if width is None else width
            bad = pc.fill_null(pc.not_equal(lengths, width or 0), False).to_numpy(zero_copy_only=False)
            if bad.any():
                at = int(np.argmax(bad))
                todo = f"every record needs a list of {width} numbers, or nothing"
                raise self._wrong(start + at, column, "a list of another length", part[at].as_py(), todo)
            if width:
                yield self._numbers(part, lists.flatten(), width, start, column)
            start += len(part)

    def _numbers(self, part: Any, flat: Any, width: int, start: int, column: str) -> Floats:
        try:
            numbers = flat.cast(pa.float32()).to_numpy(zero_copy_only=False).reshape(-1, width)
        except pa.ArrowInvalid:
            numbers = pd.to_numeric(flat.to_pandas(), errors="coerce").to_numpy(np.float32).reshape(-1, width)
        bad = ~np.isfinite(numbers).all(1)
        if bad.any():
            at = int(np.flatnonzero(pc.is_valid(part).to_numpy(zero_copy_only=False))[int(np.argmax(bad))])
            todo = "write finite numbers, or leave the field empty"
            raise self._wrong(start + at, column, "not a list of numbers", part[at].as_py(), todo)
        return np.asarray(numbers, np.float32)

    def _streamed(self, column: str) -> Iterator[Any]:
        try:
            with pyarrow.csv.open_csv(
                self.path,
                read_options=self._reading(),
                parse_options=self._parsing(),
                convert_options=self._strings([column]),
            ) as reader:
                for batch in reader:
                    yield batch.column(0)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(error) from None

    def _reading(self) -> Any:
        names = [name or f"\x00{i}" for i, name in enumerate(self.names)]  # nameless columns (an index) are never asked for
        options: dict[str, Any] = {"column_names": names, "skip_rows": 0 if self.given else 1}
        return pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK, **options)

    def _parsing(self) -> Any:
        return pyarrow.csv.ParseOptions(delimiter=self.separator, newlines_in_values=True)

    def _strings(self, columns: Sequence[str]) -> Any:
        types: Any = dict.fromkeys(columns, pa.string())
        return pyarrow.csv.ConvertOptions(
            column_types=types, include_columns=list(columns), null_values=[""], strings_can_be_null=True
        )

    def _wrong(self, index: int, column: str, what: str, given: object, todo: str) -> CatalogueError:
        return CatalogueError(f"{self.place(index)}, column {column!r}: {what}", given=repr(given), todo=todo)

    def _unreadable(self, error: Exception) -> CatalogueError:
        return CatalogueError(f"{self.path.name} cannot be read as a table", given=error, todo="mend or save it again")


def header_of(path: Path, separator: str) -> tuple[str, ...]:
    """The first line of a CSV; raises CatalogueError where there is none."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter=separator), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{path.name} cannot be read", given=error, todo="check its name, and save it as UTF-8") from None
    if not names:
        raise CatalogueError(f"{path.name} has no line of names", given=path, todo="write the names of the columns first")
    return tuple(name.strip() for name in names)
