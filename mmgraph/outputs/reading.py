"""What a run folder holds, read back for the report; what is not there is empty."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from mmgraph.errors import RunError
from mmgraph.evaluate.contract import Row
from mmgraph.evaluate.effects import Effect
from mmgraph.outputs.knock_outs import read_knock_outs
from mmgraph.runs import RunFolder, read_json


@dataclass(frozen=True)
class RunFiles:
    """The small files of a run, as docs/formats.md describes them."""

    rows: tuple[Row, ...]
    verdict: tuple[dict[str, Any], ...]
    evidence: tuple[dict[str, Any], ...]
    knock_outs: tuple[Effect, ...]
    calibration: tuple[dict[str, Any], ...]
    curves: tuple[tuple[int, str, float], ...]
    encoders: dict[str, Any]
    models: tuple[dict[str, Any], ...]
    graph: dict[str, Any]
    confusion: tuple[dict[str, Any], ...]
    quarantine: tuple[dict[str, str], ...]
    duplicates: tuple[dict[str, str], ...]
    versions: dict[str, Any]
    settings: str
    clusters: dict[str, Any]


def read_run(run: RunFolder) -> RunFiles:
    """Read them; raises RunError that names the file where one is broken."""
    metrics = _json(run.metrics, [])
    return RunFiles(
        rows=tuple(_row(run.metrics, one) for one in metrics if one.get("value") is not None),
        verdict=tuple(_json(run.verdict, [])),
        evidence=tuple(_json(run.evidence, [])),
        knock_outs=tuple(read_knock_outs(run.knock_outs)),
        calibration=tuple(_json(run.calibration, [])),
        curves=tuple(_curve(run.curves, one) for one in _csv(run.curves)),
        encoders=_json(run.encoders, {}),
        models=tuple(_json(run.models, [])),
        graph=_json(run.graph_summary, {}),
        confusion=tuple(_json(run.confusion, [])),
        quarantine=tuple(_csv(run.quarantine)),
        duplicates=tuple(_csv(run.duplicates)),
        versions=_json(run.versions, {}),
        settings=run.settings.read_text(encoding="utf-8") if run.settings.exists() else "",
        clusters=_json(run.clusters, {}) if run.cluster_page.exists() else {},
    )


def read_table(
    folder: Path, stem: str, where: Mapping[str, Sequence[str]], columns: Sequence[str] | None = None
) -> pa.Table | None:
    """Rows of ``stem.parquet`` (or ``.csv``) whose columns have one of the given values; None where no file is there."""
    chosen: Any = None
    for name, values in where.items():
        part = pyarrow.compute.field(name).isin(list(values))
        chosen = part if chosen is None else chosen & part
    parquet, comma = folder / f"{stem}.parquet", folder / f"{stem}.csv"
    try:
        if parquet.exists():
            return pyarrow.parquet.read_table(parquet, columns=None if columns is None else list(columns), filters=chosen)
        if comma.exists():
            table = pyarrow.csv.read_csv(comma, convert_options=_strings())
            table = table if chosen is None else table.filter(chosen)
            return table if columns is None else table.select(list(columns))
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise RunError(f"cannot read the table {stem} in {folder}", given=error, todo="run `mmgraph fit` again") from error
    return None


def _strings() -> Any:
    names = ("id", "source", "relation", "target", "field", "value", "split")
    types: dict[str, Any] = {name: pa.string() for name in names}  # an id that looks like a number stays an id
    return pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=False)


def _json(path: Path, empty: Any) -> Any:
    return read_json(path) if path.exists() else empty


def _csv(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(path: Path, one: dict[str, Any]) -> Row:
    try:
        return Row(**one)
    except TypeError as error:
        raise RunError(f"a row of {path} has other keys than it should", given=one, todo="run `mmgraph fit` again") from error


def _curve(path: Path, one: dict[str, str]) -> tuple[int, str, float]:
    try:
        return int(one["epoch"]), one["name"], float(one["value"])
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"a row of {path} is not epoch,name,value", given=one, todo="run `mmgraph fit` again") from error
