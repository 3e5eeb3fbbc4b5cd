"""The run folder: everything about one ``fit``, each file written whole or not at all."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgraph.errors import RunError
from mmgraph.files import write_text


@dataclass(frozen=True)
class RunFolder:
    """Names of the files of a run; see docs/formats.md for what each holds."""

    path: Path

    settings = property(lambda self: self.path / "settings.yaml")
    versions = property(lambda self: self.path / "versions.json")
    encoders = property(lambda self: self.path / "encoders.json")
    graph_summary = property(lambda self: self.path / "graph.json")
    graph = property(lambda self: self.path / "graph")
    checkpoints = property(lambda self: self.path / "checkpoints")
    metrics = property(lambda self: self.path / "metrics.json")
    verdict = property(lambda self: self.path / "verdict.json")
    curves = property(lambda self: self.path / "curves.csv")
    predictions = property(lambda self: self.path / "predictions")
    confusion = property(lambda self: self.path / "predictions" / "confusion.json")
    embeddings = property(lambda self: self.path / "embeddings")
    report = property(lambda self: self.path / "report" / "index.html")
    quarantine = property(lambda self: self.path / "quarantine.csv")
    log = property(lambda self: self.path / "log.jsonl")


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises RunError where the file is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}", given=error, todo="run `mmgraph fit` again") from error


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a small CSV table, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
