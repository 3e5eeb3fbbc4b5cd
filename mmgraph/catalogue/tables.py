"""CSV and Parquet files as tables of plain text columns that remember which row of which file each line came from."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from mmgraph.errors import CatalogueError

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Table:
    """``frame``: object columns of str or None, index 0..n-1; ``name``: the file as messages call it; ``path``: None if made by us;
    ``where``: line -> file and row, for tables that an importer made of something else.
    """

    frame: pd.DataFrame
    name: str
    path: Path | None = None
    where: Callable[[int], str] | None = None

    def place(self, index: int) -> str:
        """Where line ``index`` (from 0) is found: file and row, counted from 1 with the header, as an editor shows it.

        In a CSV with quoted line ends or empty lines that takes a second reading of the file, paid only for a message.
        """
        if self.where is None and self.path is None:
            return f"{self.name}: {self.frame['id'].iloc[index]}"
        return self.placing()(index)

    def placing(self) -> Callable[[int], str]:
        """What ``place`` calls, without keeping the lines in memory; of a table from no file its name alone."""
        return self.where or partial(_place, self.name, self.path)


def _place(name: str, path: Path | None, index: int) -> str:
    if path is None:
        return name
    return f"{name}, row {index + 1}" if path.suffix == ".parquet" else f"{name}, row {line_of(path, index)}"


def line_of(path: Path, index: int, *, header: bool = True) -> int:
    """The line, counted from 1, on which record ``index`` (from 0, after the header) of a CSV begins."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        start, seen = 1, -1 if header else 0
        for row in reader:
            if row:
                if seen == index:
                    return start
                seen += 1
            start = reader.line_num + 1
    return start


def find_table(root: Path, name: str) -> Path | None:
    """``root/name.csv`` or ``.parquet``; None if neither is there; raises CatalogueError if both are."""
    found = [root / (name + suffix) for suffix in SUFFIXES if (root / (name + suffix)).is_file()]
    if len(found) > 1:
        raise CatalogueError(f"{name}.csv and {name}.parquet are both in {root}", todo="keep one of them")
    return found[0] if found else None


def read_table(path: Path, required: Sequence[str], known: Sequence[str]) -> Table:
    """Read a table whose columns are all of ``known`` and hold at least ``required``; missing columns come as None.

    Numbers stay as text here; ``checked`` converts them, so that a message can name the row. Raises CatalogueError.
    """
    try:
        read = _read_csv(path) if path.suffix == ".csv" else pyarrow.parquet.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    _check_columns(path.name, read.column_names, required, known)
    columns = {}
    for name in known:
        held = name in read.column_names
        columns[name] = as_objects(read[name], path.name, name) if held else np.full(read.num_rows, None, dtype=object)
    return Table(pd.DataFrame(columns, dtype=object), path.name, path)


def _unreadable(path: Path, error: Exception) -> CatalogueError:
    if isinstance(error, FileNotFoundError):
        return CatalogueError("there is no such table", given=path, todo="check the name")
    if "UTF8" in str(error) or isinstance(error, UnicodeDecodeError):
        return CatalogueError(f"{path.name} is not UTF-8 text", given=error, todo="save it as CSV in UTF-8")
    if path.suffix not in SUFFIXES:
        return CatalogueError("this is no table", given=path, todo=f"save it as {' or '.join(SUFFIXES)}")
    return CatalogueError(f"{path.name} cannot be read as a table", given=error, todo="mend or save it again")


def _read_csv(path: Path) -> pa.Table:
    with open(path, encoding="utf-8-sig", newline="") as file:
        header = next((row for row in csv.reader(file) if row), [])
    if not header:
        raise pa.ArrowInvalid("the file is empty")
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False),  # single-threaded, or the message lacks the row
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def _check_columns(file: str, names: Sequence[str], required: Sequence[str], known: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise CatalogueError(f"{file} has column {twice[0]!r} twice", given=", ".join(names), todo="keep one of them")
    missing = [name for name in required if name not in names]
    if missing:
        todo = f"columns: {', '.join(known)}; separated by commas"
        raise CatalogueError(f"{file} lacks column {missing[0]!r}", given=", ".join(names), todo=todo)
    unknown = [name for name in names if name not in known]
    if unknown:
        listed = ", ".join(repr(name) for name in unknown)
        raise CatalogueError(f"{file} has unknown columns", given=listed, todo=f"known: {', '.join(known)}")


def as_objects(column: Any, file: str, name: str) -> np.ndarray:
    """Any column that can be said as text -> objects, one Python str per distinct value (small memory, fast)."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    try:
        if pa.types.is_timestamp(kind):
            column = pc.divide(column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
        distinct = column.cast(pa.string()).combine_chunks().dictionary_encode()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CatalogueError(f"{file}, column {name!r} is not text or numbers", given=kind, todo="convert it") from error
    words = np.array([*distinct.dictionary.to_pylist(), None], dtype=object)
    words[words == ""] = None
    codes = distinct.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
    return words[codes]


@dataclass(frozen=True)
class Stack:
    """Tables with the same columns one below the other; ``place`` still knows where each line came from."""

    tables: tuple[Table, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """All lines, index 0..n-1."""
        return pd.concat([table.frame for table in self.tables], ignore_index=True)

    def place(self, index: int) -> str:
        """File and row of line ``index``."""
        for table, start in self._starts():
            if index < start + len(table.frame):
                return table.place(index - start)
        raise IndexError(index)

    def _starts(self) -> Iterator[tuple[Table, int]]:
        start = 0
        for table in self.tables:
            yield table, start
            start += len(table.frame)


def made_table(
    name: str, columns: Sequence[str], given: Mapping[str, Any], count: int, where: Callable[[int], str] | None = None
) -> Table:
    """A table of ``count`` rows with all ``columns``: ``given`` ones (arrays, or one value for all rows), the others not given.

    NaN and empty text count as not given.
    """
    frame = pd.DataFrame({column: given.get(column) for column in columns}, index=range(count), dtype=object)
    return Table(frame.where(frame.notna() & (frame != ""), None), name, where=where)


def joined(name: str, tables: Sequence[Table]) -> Table | None:
    """Tables with the same columns as one, which still knows where each line came from; None where there is none."""
    stack = Stack(tuple(tables))
    return Table(stack.frame, name, where=stack.place) if tables else None
