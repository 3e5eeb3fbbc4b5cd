"""Tables that may be larger than memory, written block by block as Parquet, CSV and JSON, whole or not at all."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from mmgraph.files import whole

Format = Literal["parquet", "csv", "json"]
FLUSH = 65_536  # rows: small enough for memory, large enough that Parquet's row groups stay few


@contextlib.contextmanager
def streamed(folder: Path, stem: str, schema: pa.Schema, formats: Sequence[Format]) -> Iterator[Callable[[pa.Table], None]]:
    """Give a function that takes tables of ``schema``; ``folder/stem.parquet|csv|json`` appear when the block ends well.

    No format is renamed into place before all of them are written. Raises RunError, with nothing left behind, where the
    disk is full or the folder cannot be written.
    """
    with contextlib.ExitStack() as outer:
        temporaries = [outer.enter_context(whole(folder / f"{stem}.{name}")) for name in formats]
        with contextlib.ExitStack() as inner:
            writers = [
                inner.enter_context(_writer(path, name, schema)) for path, name in zip(temporaries, formats, strict=True)
            ]
            waiting: list[pa.Table] = []

            def flush() -> None:
                block = pa.concat_tables(waiting).combine_chunks()
                waiting.clear()
                for writer in writers:
                    writer.write_table(block)

            def write(table: pa.Table) -> None:
                waiting.append(table.cast(schema))
                if sum(len(one) for one in waiting) >= FLUSH:
                    flush()

            yield write
            if waiting:
                flush()


def _writer(path: Path, name: Format, schema: pa.Schema) -> Any:
    if name == "parquet":
        return pyarrow.parquet.ParquetWriter(path, schema)
    if name == "json":
        return _JSON(path)
    return pyarrow.csv.CSVWriter(path, schema)


class _JSON:
    """A list of objects, one a line."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (closed on exit)
        self._before = "[\n"

    def __enter__(self) -> "_JSON":
        return self

    def __exit__(self, *raised: object) -> None:
        with self._file:
            self._file.write("[]\n" if self._before == "[\n" else "\n]\n")

    def write_table(self, block: pa.Table) -> None:
        for one in block.to_pylist():
            self._file.write(self._before + json.dumps(one, ensure_ascii=False, allow_nan=False))
            self._before = ",\n"
