"""The run folder: everything about one ``fit``, each file written whole or not at all."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from mmgraph.configuration import dump, load
from mmgraph.errors import RunError, SettingsError
from mmgraph.files import write_text
from mmgraph.settings import ModelSettings, Settings, plain

ASKED = "asked.csv"  # in a run folder: what a person is asked; with answers in it, so nothing ever removes it


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
    tried = property(lambda self: self.path / "tried")
    models = property(lambda self: self.path / "models.json")
    metrics = property(lambda self: self.path / "metrics.json")
    verdict = property(lambda self: self.path / "verdict.json")
    curves = property(lambda self: self.path / "curves.csv")
    predictions = property(lambda self: self.path / "predictions")
    evidence = property(lambda self: self.path / "evidence.json")
    knock_outs = property(lambda self: self.path / "knock_outs.json")
    calibration = property(lambda self: self.path / "calibration.json")
    ranks = property(lambda self: self.path / "ranks.parquet")
    confusion = property(lambda self: self.path / "predictions" / "confusion.json")
    embeddings = property(lambda self: self.path / "embeddings")
    report = property(lambda self: self.path / "report" / "index.html")
    clusters = property(lambda self: self.path / "predictions" / "clusters.json")
    cluster_page = property(lambda self: self.path / "report" / "clusters.html")
    quarantine = property(lambda self: self.path / "quarantine.csv")
    duplicates = property(lambda self: self.path / "duplicates.csv")
    log = property(lambda self: self.path / "log.jsonl")
    answers = property(lambda self: self.path / "answers.csv")
    new_links = property(lambda self: self.path / "new_links.csv")
    updates = property(lambda self: self.path / "updates.json")
    update = property(lambda self: self.path / "update")
    placing = property(lambda self: self.path / "update" / "placing")


@dataclass(frozen=True)
class RunModel:
    """One of the models of a run. place: of its checkpoints, in the folder of the run's; heads: the fields and relations that it answers,
    by the names of their heads. None: all that no other answers; that is the main one, whose vectors are ``embeddings/``.
    """

    model: ModelSettings
    place: str = ""
    heads: frozenset[str] | None = None

    def within(self, settings: Settings) -> Settings:
        """The settings with this model."""
        return msgspec.structs.replace(settings, model=self.model)


def open_run(settings: Settings, restart: bool = False) -> RunFolder:
    """Make the run folder, or open the one that these settings left unfinished.

    Raises RunError where it cannot be written, or holds a run of other settings. A run that ended before training began may
    be given other settings: there is nothing to lose, and they are most likely what was mended.
    """
    run = RunFolder(settings.run.dir)
    if run.path.exists() and not run.path.is_dir():
        raise RunError("run.dir is a file, not a folder", given=run.path, todo="choose another run.dir")
    for what, file in (("answers of people", run.answers), ("new links", run.new_links)):
        if file.exists():
            todo = "choose another run.dir, or move that file away to lose them"
            raise RunError(f"this run has taken {what}", given=file, todo=todo)
    if run.settings.exists():
        before = settings_of(run)
        if restart:
            _clear(run)
        elif _begun(run):
            _same(run, before, settings)
    elif run.path.is_dir() and any(run.path.iterdir()):
        raise RunError("run.dir is no run folder and not empty", given=run.path, todo="choose another run.dir")
    _sweep(run)
    write_text(run.settings, dump(settings))
    return run


def finished_run(path: Path) -> tuple[RunFolder, Settings]:
    """A run that ended, and its settings, with ``run.dir`` where it is now and the one model that was taken.

    Raises RunError where there is none.
    """
    run = RunFolder(path)
    if not run.settings.exists():
        inner = [str(one.parent) for one in sorted(path.glob("*/settings.yaml"))[:3]]  # the folder of --seeds, or of all runs
        todo = (
            f"give one of those in it, such as {', '.join(inner)}"
            if inner
            else "give a folder that `mmgraph fit` wrote (run.dir)"
        )
        raise RunError("this is no run folder", given=path, todo=todo)
    settings = settings_of(run)
    if run.placing.exists():
        raise RunError("an update of this run was cut off", given=path, todo="the same `mmgraph update` finishes it")
    if not run.metrics.exists() or not run.evidence.exists():
        todo = f"`mmgraph fit --config {run.settings}` goes on with it"
        raise RunError("this run is not finished", given=path, todo=todo)
    return run, with_chosen(run, msgspec.structs.replace(settings, run=msgspec.structs.replace(settings.run, dir=path)))


def taken_before(run: RunFolder) -> Any:
    """The ``encoders.json`` of a run that goes on in its training, which no others may replace; empty where training has not begun."""
    return read_json(run.encoders) if _begun(run) and run.encoders.exists() else {}


def _begun(run: RunFolder) -> bool:
    """Whether training has, so that there is something to lose."""
    return bool(run.checkpoints.exists() or run.tried.exists())


def with_chosen(run: RunFolder, settings: Settings) -> Settings:
    """The settings with the main model that validation took, where several were tried; raises RunError where none was taken."""
    return models_of(run, settings.model)[0].within(settings)


def models_of(run: RunFolder, model: ModelSettings) -> list[RunModel]:
    """The models that answer in a run, the main one first: those that validation took of ``model.candidates``, or ``model`` alone.

    Raises RunError where none was taken.
    """
    if not model.candidates:
        return [RunModel(model)]
    tried = read_json(run.models)
    known = len(tried) == len(model.candidates) and all({"chosen", "heads"} <= one.keys() for one in tried)
    if not known or sum(one["chosen"] for one in tried) != 1:
        todo = "run `mmgraph fit --restart`"
        raise RunError(f"{run.models} does not say which model answers what", given=f"{len(tried)} models", todo=todo)
    found = [
        RunModel(model.of(candidate), str(number), None if one["chosen"] else frozenset(one["heads"]))
        for number, (candidate, one) in enumerate(zip(model.candidates, tried, strict=True))
        if one["chosen"] or one["heads"]
    ]
    return sorted(found, key=lambda one: one.heads is not None)


def answering(models: Sequence[RunModel], heads: AbstractSet[str]) -> list[RunModel]:
    """Of the models those that answer these heads; the first of them is the main one."""
    some = [replace(one, heads=one.heads & heads) for one in models if one.heads is not None and one.heads & heads]
    if len(heads) > sum(len(one.heads or ()) for one in some):
        return [models[0], *some]
    return [replace(some[0], heads=None), *some[1:]]


def _clear(run: RunFolder) -> None:
    """Throw away what a run wrote, and nothing else that stands beside it (a store of features may)."""
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    written = [path for name in names if (path := getattr(run, name)) != run.settings]
    try:
        for path in [*written, run.report.parent, run.settings]:  # the settings last: until then it is a run folder
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        given = error.strerror or error
        raise RunError(f"cannot clear {run.path}", given=given, todo="remove it, or choose another run.dir") from error


def _sweep(run: RunFolder) -> None:
    """Remove what a killed process left half written."""
    for folder in (run.path, run.graph, run.predictions, run.embeddings, run.report.parent):
        for left in folder.glob(".*.part"):
            left.unlink(missing_ok=True)


def settings_of(run: RunFolder) -> Settings:
    """As they were written; raises RunError for a file that holds none."""
    try:
        return load(run.settings)
    except SettingsError as error:
        todo = "choose another run.dir, or remove this one"
        raise RunError(f"{run.settings} are no settings of a run", given=error, todo=todo) from None


def _same(run: RunFolder, before: Settings, now: Settings) -> None:
    """What may differ between two calls that go on with one run: how long and how it is trained, not what."""
    first, second = plain(before), plain(now)
    del first["trainer"], second["trainer"]
    other = _first_other(first, second)
    if other:
        key, was, wanted = other
        raise RunError(
            f"{run.path} holds a run made by other settings",
            given=f"{key}: {wanted} instead of {was}",
            todo="choose another run.dir, or throw the old run away with --restart",
        )


def _first_other(before: Any, now: Any, key: str = "") -> tuple[str, object, object] | None:
    """The first key, deep inside, at which two settings differ, and its two values.

    >>> _first_other({"model": {"width": 8, "depth": 2}}, {"model": {"width": 16, "depth": 2}})
    ('model.width', 8, 16)
    """
    if before == now:
        return None
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            if name not in before or name not in now or before[name] != now[name]:
                return _first_other(before.get(name), now.get(name), f"{key}.{name}".lstrip("."))
    if isinstance(before, list | tuple) and isinstance(now, list | tuple) and len(before) == len(now):
        differing = next(i for i, pair in enumerate(zip(before, now, strict=True)) if pair[0] != pair[1])
        return _first_other(before[differing], now[differing], f"{key}[{differing}]")
    return key, before, now


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
