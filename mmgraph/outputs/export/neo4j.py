"""Neo4j: CSV files with the headers of ``neo4j-admin database import``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mmgraph.errors import RunError
from mmgraph.files import whole
from mmgraph.outputs.export.contents import Contents, unknown_links

_ROWS = 65_536
_ITEM = {
    "path": "path:string",
    "text": "text:string",
    "parent": "parent:string",
    "start_s": "start_s:double",
    "end_s": "end_s:double",
}
_LINK = {"source": ":START_ID", "target": ":END_ID", "relation": ":TYPE"}
_LINKS = {**_LINK, "weight": "weight:double", "time": "time:double", "split": "split:string"}
_PREDICTED = {**_LINK, "score": "score:double", "probability": "probability:double", "rank": "rank:int"}
ARRAY = ";"


def write_neo4j(contents: Contents, folder: Path) -> list[Path]:
    """``nodes.<kind>.csv`` for each kind, its label; ``links.csv``; ``predicted.csv`` with types ``predicted_<name>``.

    Labels are properties ``label.<field>``, of type ``string[]`` where an item of the kind has several values; embeddings the
    property ``embedding:float[]``. Raises RunError for several values one of which holds the separator of arrays.
    """
    written = [_write_nodes(contents, kind, folder) for kind in contents.kinds]
    links = contents.links[list(_LINKS)].rename(columns=_LINKS)
    written.append(_write(folder / "links.csv", iter([pa.Table.from_pandas(_typed(links), preserve_index=False)])))
    if contents.predicted is not None:
        tables = (
            table.select(list(_PREDICTED)).rename_columns(list(_PREDICTED.values())) for table in unknown_links(contents)
        )
        empty = _typed(pd.DataFrame(columns=list(_PREDICTED.values()), dtype=object))
        first = pa.Table.from_pandas(empty, preserve_index=False)
        written.append(_write(folder / "predicted.csv", tables, first))
    return written


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of text as such, also where all of them are empty."""
    return frame.astype({name: "float64" if name.endswith(":double") else "string" for name in frame.columns})


def _write(path: Path, tables: Iterator[pa.Table], first: pa.Table | None = None) -> Path:
    """Text in quotes, so that its spaces stay; nothing at all where nothing is given."""
    writer: Any = None
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    with whole(path) as temporary:
        for table in tables:
            writer = writer or pyarrow.csv.CSVWriter(temporary, table.schema, write_options=options)
            writer.write_table(table)
        if writer is None and first is not None:
            writer = pyarrow.csv.CSVWriter(temporary, first.schema, write_options=options)
        writer.close()
    return path


def _write_nodes(contents: Contents, kind: str, folder: Path) -> Path:
    items = contents.items[contents.items["kind"] == kind].reset_index(drop=True)
    frame = pd.DataFrame({"id:ID": items["id"], ":LABEL": items["kind"]})
    for name, header in _ITEM.items():
        if items[name].notna().any():
            frame[header] = items[name]
    labels = contents.labels[contents.labels["id"].isin(items["id"])]
    for field, rows in labels.groupby("field", sort=False):
        frame = pd.concat([frame, _labels(str(field), rows).reindex(items["id"]).reset_index(drop=True)], axis=1)
    table = pa.Table.from_pandas(_typed(frame), preserve_index=False)
    return _write(folder / f"nodes.{kind}.csv", _with_vectors(table, items["id"], contents.embeddings.get(kind)))


def _labels(field: str, rows: pd.DataFrame) -> pd.DataFrame:
    """One row an item: its value or values of a field, and their splits."""
    several = rows["id"].duplicated().any()
    if several and rows["value"].str.contains(ARRAY, regex=False).any():
        value = rows["value"][rows["value"].str.contains(ARRAY, regex=False)].iloc[0]
        wrong = (
            f"items have several values of {field!r}, one of which holds {ARRAY!r}, which separates values in Neo4j's files"
        )
        raise RunError(wrong, given=value, todo="export to parquet or graphml")
    kind = "string[]" if several else "string"
    columns = {f"label.{field}:{kind}": rows["value"]}
    if rows["split"].notna().any():
        columns[f"split.{field}:{kind}"] = rows["split"].fillna("")
    joined = pd.DataFrame(columns).groupby(rows["id"], sort=False).agg(ARRAY.join)
    return joined.where(joined != "", None)


def _with_vectors(table: pa.Table, ids: pd.Series, embeddings: tuple[list[str], Any] | None) -> Iterator[pa.Table]:
    """The table, some rows at a time, with the vectors of those items that have one."""
    if embeddings is None:
        yield table
        return
    places = pd.Index(embeddings[0]).get_indexer(pd.Index(ids))
    for start in range(0, max(len(table), 1), _ROWS):
        at = places[start : start + _ROWS]
        rows = np.ascontiguousarray(embeddings[1][np.maximum(at, 0)], np.float32)
        texts = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()).cast(pa.string()), rows.shape[1])
        joined = pc.if_else(pa.array(at >= 0), pc.binary_join(texts.cast(pa.list_(pa.string())), ARRAY), None)
        yield table.slice(start, _ROWS).append_column("embedding:float[]", joined)
