"""What `mmgraph cluster` finds: predictions/clusters, and tables for a terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text

from mmgraph.evaluate.clusters import Measured, Outcome
from mmgraph.outputs.embedding_map import Map
from mmgraph.outputs.streamed import Format, streamed
from mmgraph.outputs.terminal import ANY, table_of, widest
from mmgraph.runs import write_json
from mmgraph.types import Strings

CLUSTERS = pa.schema(
    {
        "id": pa.string(),
        "kind": pa.string(),
        "cluster": pa.int32(),
        "name": pa.string(),
        "cosine": pa.float32(),
        "central_rank": pa.int32(),
        "x": pa.float32(),
        "y": pa.float32(),
    }.items()
)
METRICS = ("nmi", "ari", "accuracy")


def write_clusters(one: Outcome, drawn: Map, ids: Strings, folder: Path, formats: Sequence[Format]) -> None:
    """Write ``clusters.parquet|csv``, one row an item, and ``clusters.json``; see docs/formats.md. Raises RunError on a full disk."""
    of, cosine = one.found.of, one.cosine
    order = np.lexsort((np.arange(len(of)), -np.nan_to_num(cosine, nan=-2), of))
    rank = np.empty(len(of), np.int64)
    starts = np.searchsorted(of[order], of[order])
    rank[order] = np.arange(len(of)) - starts + 1
    x, y = np.full(len(of), np.nan, np.float32), np.full(len(of), np.nan, np.float32)
    x[drawn.rows], y[drawn.rows] = drawn.x, drawn.y
    names = [None if c < 0 else one.clusters[c].name for c in of]
    inside = of >= 0
    columns: list[Any] = [
        pa.array(ids, pa.string()),
        pa.repeat(pa.scalar(one.kind), len(of)),
        pa.array(np.where(inside, of + 1, 0), pa.int32(), mask=~inside),
        pa.array(names, pa.string()),
        pa.array(cosine, pa.float32(), mask=~inside),
        pa.array(rank, pa.int32(), mask=~inside),
        pa.array(x, pa.float32(), mask=np.isnan(x)),
        pa.array(y, pa.float32(), mask=np.isnan(y)),
    ]
    with streamed(folder, "clusters", CLUSTERS, formats) as write:
        write(pa.Table.from_arrays(columns, schema=CLUSTERS))
    write_json(folder / "clusters.json", as_record(one, ids))


def as_record(one: Outcome, ids: Strings) -> dict[str, Any]:
    """What is not said of each item; clusters are numbered from 1."""
    return {
        "kind": one.kind,
        "method": one.method,
        "criterion": one.criterion,
        "tried": [{"what": what, "value": value} for what, value in one.found.tried],
        "seeds": list(one.seeds),
        "stability": asdict(one.stable),
        "in_none": int((one.found.of < 0).sum()),
        "clusters": [
            {
                "cluster": c.number + 1,
                "name": c.name,
                "size": c.size,
                "words": [{"word": word, "weight": weight} for word, weight in c.words],
                "central": [str(ids[i]) for i in c.central],
            }
            for c in one.clusters
        ],
        "measured": [asdict(m) for m in one.measured],
    }


def said(one: Outcome) -> str:
    """What was found, how the number was chosen, and how stable it is, in one sentence each."""
    none = int((one.found.of < 0).sum())
    lines = [f"{len(one.clusters)} clusters of {len(one.found.of)} items of kind {one.kind} by {one.method}"]
    if none:
        lines[0] += f", {none} items in none"
    best = max((value for _, value in one.found.tried), default=None)
    number = "was given" if one.criterion == "given" else f"is that of the largest {one.criterion}"
    lines.append(f"their number {number}" + ("" if best is None else f" ({best:.3f})"))
    seeds = "no seed plays a part" if one.stable.seeds is None else f"{one.stable.seeds:.2f} over {len(one.seeds)} seeds"
    lines.append(
        f"stability, mean adjusted Rand index of pairs: {seeds}, {one.stable.items:.2f} over draws of 80 % of the items"
    )
    return "; ".join(lines)


def clusters_table(one: Outcome, ids: Strings) -> Table:
    """One line a cluster."""
    table = table_of(f"clusters of {one.kind}", ("#", "items", "name", "most central"), ("name", "most central"))
    for c in one.clusters:
        words = ", ".join(word for word, _ in c.words[:5]) or c.name
        table.add_row(str(c.number + 1), str(c.size), Text(words), Text(", ".join(str(ids[i]) for i in c.central[:2])))
    return table


def measured_tables(measured: Sequence[Measured], kind: str, width: int = ANY) -> list[Table]:
    """One table a field: methods, and their agreement with labels that no training saw; as many intervals as fit into ``width``."""
    fields = {field: [one for one in measured if one.field == field] for field in dict.fromkeys(one.field for one in measured)}
    return [
        widest((_table(f"{kind}.{field}", rows, n) for n in range(len(METRICS), -1, -1)), width)
        for field, rows in fields.items()
    ]


def _table(target: str, rows: Sequence[Measured], intervals: int) -> Table:
    title = f"{target}: agreement with labels that no training saw (n = {rows[0].n}, {rows[0].classes} classes)"
    table = table_of(title, ("method", *METRICS), ("method",))
    for method in dict.fromkeys(one.method for one in rows):
        cells = {one.metric: one for one in rows if one.method == method}
        table.add_row(Text(method), *(_cell(cells[metric], place < intervals) for place, metric in enumerate(METRICS)))
    return table


def _cell(one: Measured, interval: bool) -> Text:
    text = Text(f"{one.value:.3f}")
    return text.append(f" [{one.low:.3f}, {one.high:.3f}]", style="dim") if interval and one.low < one.high else text
