"""Text files of one record a line, without quotes, as columns that remember their line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mmgraph.catalogue.tables import as_objects
from mmgraph.errors import CatalogueError
from mmgraph.types import Ints, Strings

_LONGEST_LINE = 1 << 24  # bytes
_NEVER = "\x1e"  # a separator that no line has: each becomes one field


@dataclass(frozen=True)
class Lines:
    """columns: one array of str [rows] a field; line: int64 [rows], where in the file each row stands, from 1."""

    name: str
    columns: tuple[Strings, ...]
    line: Ints

    def place(self, row: int) -> str:
        """File and line of a row."""
        return f"{self.name}, line {self.line[row]}"


@dataclass(frozen=True)
class Form:
    """How a line is written: ``fields`` as a message tells them, of which the last ``optional`` may be left out everywhere.

    separator: None finds it in the first line: a tab, a comma, a semicolon, or else any white space. comment: what a line begins
    with that is none; header: the first line holds names. empty: fields in which nothing may stand. what: the lines tell, for messages.
    """

    fields: tuple[str, ...]
    optional: int = 0
    separator: str | None = None
    comment: str = ""
    header: bool = False
    empty: tuple[str, ...] = ()
    encoding: str = "utf8"
    what: str = "links"

    @property
    def written(self) -> str:
        """What a person is to write."""
        shown = {"\t": "<tab>", None: " "}.get(self.separator, self.separator)
        return str(shown).join(self.fields[: len(self.fields) - self.optional])


def read_lines(path: Path, form: Form) -> Lines:
    """Every line that is neither empty nor a comment; raises CatalogueError that names file and line."""
    text, line = _kept(path, form)
    separator = form.separator or _separator(text[0].as_py())
    parts = _parts(text, separator)
    count = _check_counts(path.name, text, line, parts, form)
    columns = [pc.utf8_trim_whitespace(pc.list_element(parts, i)) for i in range(count)]
    for name, column in zip(form.fields, columns, strict=False):
        at = _first_bad(column, separator in ",;", name in form.empty)
        if at is not None:
            empty = column[at].as_py() == ""
            wrong = f"{path.name}, line {line[at]}: {name} {'is empty' if empty else 'is in quotes, which are not read here'}"
            todo = "fill it in, or take out the line" if empty else "take them out, or bring links.csv (importer Tables)"
            raise CatalogueError(wrong, given=repr(text[at].as_py()), todo=todo)
    return Lines(path.name, tuple(as_objects(column, path.name, "") for column in columns), line)


@dataclass(frozen=True)
class Ragged:
    """Lines of a name and what belongs to it: ``first`` str [lines]; ``others`` str [all], in the order of the file; ``row`` int64 [all],
    of which line each is; ``line`` int64 [lines], where in the file each stands, from 1.
    """

    name: str
    first: Strings
    others: Strings
    row: Ints
    line: Ints


def read_ragged(path: Path, form: Form) -> Ragged:
    """Words between white space, as many a line as there are; raises CatalogueError that names the file."""
    text, line = _kept(path, form)
    words = _parts(text, " ")
    row = pc.list_parent_indices(words).to_numpy().astype(np.int64)
    flat = as_objects(pc.list_flatten(words), path.name, "")
    head = np.diff(row, prepend=-1) != 0
    return Ragged(path.name, flat[head], flat[~head], row[~head], line)


def _kept(path: Path, form: Form) -> tuple[Any, Ints]:
    """The lines that are neither empty nor comments nor names of columns, and their numbers from 1."""
    text = _text(path, form)
    trimmed = pc.utf8_trim_whitespace(text)
    keep = pc.not_equal(trimmed, "")
    if form.comment:
        keep = pc.and_(keep, pc.invert(pc.starts_with(trimmed, pattern=form.comment)))
    line = np.flatnonzero(keep.to_numpy()) + 1
    if form.header:
        line = line[1:]
    if not len(line):
        raise CatalogueError(f"{path.name} holds no {form.what}", given=path, todo=f"one a line: {form.written}")
    return text.take(pa.array(line - 1)), line


def _text(path: Path, form: Form) -> Any:
    try:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                column_names=["line"], block_size=_LONGEST_LINE, use_threads=False, encoding=form.encoding
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=_NEVER, quote_char=False, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types={"line": pa.string()}, strings_can_be_null=False),
        )["line"]
    except pa.ArrowInvalid as error:
        if path.stat().st_size <= len("\ufeff".encode()):
            raise CatalogueError(f"{path.name} holds no {form.what}", given=path, todo=f"one a line: {form.written}") from None
        raise CatalogueError(f"{path.name} cannot be read as lines", given=error, todo="save it as UTF-8 text") from None
    except OSError as error:
        raise CatalogueError(f"{path.name} cannot be read", given=error, todo="check the name of the file") from None


def _separator(line: str) -> str:
    return next((one for one in "\t,;" if one in line), " ")


def _parts(text: Any, separator: str) -> Any:
    if separator == " ":
        return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(text))
    return pc.split_pattern(text, pattern=separator)


def _check_counts(name: str, text: Any, line: Ints, parts: Any, form: Form) -> int:
    """How many fields all lines have."""
    counts = pc.list_value_length(parts).to_numpy()
    first = int(counts[0])
    bad = (counts != first) | (counts > len(form.fields)) | (counts < len(form.fields) - form.optional)
    if bad.any():
        at = int(np.argmax(bad))
        wrong = f"{name}, line {line[at]}: {counts[at]} fields"
        wrong += f" where line {line[0]} has {first}" if counts[at] != first else ""
        raise CatalogueError(wrong, given=repr(text[at].as_py()), todo=f"write {form.written}")
    return first


def _first_bad(column: Any, quoting: bool, empty: bool) -> int | None:
    """The first row that is empty where it must not be, or in quotes where these would be expected to mean something."""
    bad = pc.equal(column, None if empty else "")
    bad = pc.fill_null(bad, False)
    if quoting:
        bad = pc.or_(bad, pc.starts_with(column, pattern='"'))
    found = np.flatnonzero(bad.to_numpy())
    return int(found[0]) if len(found) else None
