"""The run folder: everything about one ``fit``, each file written whole or not at all."""

import csv
import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgraph.configuration import dump, load
from mmgraph.errors import RunError, SettingsError
from mmgraph.files import write_text
from mmgraph.settings import Settings, plain


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
    evidence = property(lambda self: self.path / "evidence.json")
    confusion = property(lambda self: self.path / "predictions" / "confusion.json")
    embeddings = property(lambda self: self.path / "embeddings")
    report = property(lambda self: self.path / "report" / "index.html")
    quarantine = property(lambda self: self.path / "quarantine.csv")
    log = property(lambda self: self.path / "log.jsonl")


def open_run(settings: Settings, restart: bool = False) -> RunFolder:
    """Make the run folder, or open the one that these settings left unfinished.

    Raises RunError where it cannot be written, or holds a run of other settings.
    """
    run = RunFolder(settings.run.dir)
    if restart and run.settings.exists():
        shutil.rmtree(run.path)
    if run.settings.exists():
        _same(run, settings)
    elif run.path.is_dir() and any(run.path.iterdir()):
        raise RunError("run.dir is no run folder and not empty", given=run.path, todo="choose another run.dir")
    write_text(run.settings, dump(settings))
    return run


def _same(run: RunFolder, settings: Settings) -> None:
    """What may differ between two calls that go on with one run: how long and how it is trained, not what."""
    try:
        before = plain(load(run.settings))
    except SettingsError as error:
        raise RunError(f"{run.settings} cannot be read", given=error, todo="choose another run.dir, or --restart") from None
    now = plain(settings)
    for key in sorted({*before, *now} - {"trainer"}):
        if before.get(key) != now.get(key):
            raise RunError(
                f"{run.path} holds a run made by other settings",
                given=f"{key}: {now.get(key)} instead of {before.get(key)}",
                todo="choose another run.dir, or throw the old run away with --restart",
            )


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
