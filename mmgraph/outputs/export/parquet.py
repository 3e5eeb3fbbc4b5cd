"""Parquet: the tables that the importer Tables reads, with predicted links and embeddings beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS
from mmgraph.files import whole
from mmgraph.outputs.export.contents import Contents

_ROWS = 65_536
_NUMBERS = ("start_s", "end_s", "time", "weight")


def write_parquet(contents: Contents, folder: Path) -> list[Path]:
    """``items``, ``links`` and ``labels.parquet``, ``predicted.parquet`` (as predictions/links) and ``embeddings/<kind>.parquet``."""
    written = [
        _write(folder / f"{name}.parquet", frame, columns)
        for name, frame, columns in (
            ("items", contents.items, ITEM_COLUMNS),
            ("links", contents.links, LINK_COLUMNS),
            ("labels", contents.labels, LABEL_COLUMNS),
        )
    ]
    if contents.predicted is not None:
        written.append(_write_predicted(folder / "predicted.parquet", contents))
    written += [
        _write_vectors(folder / "embeddings" / f"{kind}.parquet", *found) for kind, found in contents.embeddings.items()
    ]
    return written


def _write(path: Path, frame: pd.DataFrame, columns: tuple[str, ...]) -> Path:
    schema: Any = pa.schema([(name, pa.float64() if name in _NUMBERS else pa.string()) for name in columns])
    table = pa.Table.from_pandas(frame[list(columns)], schema=schema, preserve_index=False)
    with whole(path) as temporary:
        pyarrow.parquet.write_table(table.replace_schema_metadata(None), temporary)
    return path


def _write_predicted(path: Path, contents: Contents) -> Path:
    assert contents.predicted is not None, "asked for"
    writer: Any = None
    with whole(path) as temporary:
        for batch in contents.predicted():
            writer = writer or pyarrow.parquet.ParquetWriter(temporary, batch.schema)
            writer.write_batch(batch)
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(temporary, pa.schema([("source", pa.string())]))
        writer.close()
    return path


def _write_vectors(path: Path, ids: list[str], vectors: Any) -> Path:
    width = vectors.shape[1]
    schema = pa.schema([pa.field("id", pa.string()), pa.field("vector", pa.list_(pa.float32(), width))])
    with whole(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        for start in range(0, len(ids), _ROWS):
            rows = np.ascontiguousarray(vectors[start : start + _ROWS], np.float32)
            lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width)
            writer.write_table(pa.table([pa.array(ids[start : start + _ROWS], pa.string()), lists], schema=schema))
    return path
