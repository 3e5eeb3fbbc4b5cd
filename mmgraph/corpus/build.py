"""Write a sample corpus: into a folder beside the wanted one, which is renamed when all is there."""

import glob
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from mmgraph.corpus.parts import jobs
from mmgraph.corpus.planning import plan
from mmgraph.corpus.truth import CATEGORIES, CorpusSize, Plan
from mmgraph.errors import RunError
from mmgraph.progress import Bar
from mmgraph.runs import read_json, write_csv, write_json

log = logging.getLogger(__name__)

VERSION = 2
MARKER = ".mmgraph-sample.json"
FOLDERS = ("videos", "images", "music", "texts")


def make(folder: Path, seed: int = 7, size: CorpusSize | None = None, workers: int = 2, listening: bool = False) -> None:
    """Write the corpus of ``seed`` and ``size`` to ``folder``, with what users listen to if asked; does nothing where it already is.

    The same seed gives the same decoded samples, for any number of ``workers`` (processes). ``folder`` appears when all is
    written. Raises RunError where it holds anything else, or cannot be written.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (links in it stay as they are)
    size = size or CorpusSize()
    marker: dict[str, object] = {"version": VERSION, "seed": seed, "size": asdict(size)}
    if listening:
        marker["listening"] = True
    try:
        if _there(folder, marker):
            log.info("the sample corpus of seed %d is already in %s", seed, folder)
            return
        _sweep(folder)
        _write(folder, plan(seed, size, listening), marker, workers)
    except OSError as error:
        raise RunError(f"cannot write {folder}", given=error.strerror or error, todo="free or choose another disk") from error
    log.info("sample corpus of seed %d written to %s", seed, folder)


def _write(folder: Path, truth: Plan, marker: dict[str, object], workers: int) -> None:
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        for name in FOLDERS:
            (unfinished / name).mkdir(parents=True)
        _media(unfinished, truth, workers)
        _tables(unfinished, truth)
        write_json(unfinished / MARKER, marker)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _there(folder: Path, marker: dict[str, object]) -> bool:
    """Whether this very corpus is in the folder; raises RunError where something else is."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    todo = "choose another folder, or remove this one"
    if not (folder / MARKER).is_file():
        raise RunError(f"{folder} holds something that is no sample corpus", given=folder.name, todo=todo)
    found = read_json(folder / MARKER)
    if found != marker:
        raise RunError(f"{folder} holds another sample corpus", given=json.dumps(found), todo=todo)
    return True


def _sweep(folder: Path) -> None:
    """Remove what killed processes left beside the folder."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):
        number = left.name.split(".")[-2]
        if number.isdigit() and not _alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _media(folder: Path, truth: Plan, workers: int) -> None:
    todo = jobs(folder, truth)
    with Bar("sample corpus", len(todo), "files") as bar:
        if workers > 1:
            _share(folder, truth, workers, bar)
            return
        for job in todo:
            job()
            bar.advance()


def _share(folder: Path, truth: Plan, workers: int, bar: Bar) -> None:
    """Let fresh processes write the files; each sends one byte for each file that is done.

    Not a process pool: its workers import the caller's main module again, which a plain script does not bear.
    """
    heard, said = os.pipe()
    settings = json.dumps({"folder": str(folder), "seed": truth.seed, "size": asdict(truth.size), "parts": workers})
    command = [sys.executable, "-m", "mmgraph.corpus.worker", settings]
    running = [
        subprocess.Popen([*command, str(part)], stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.PIPE, text=True)
        for part in range(workers)
    ]
    os.close(said)
    try:
        while done := os.read(heard, 4096):
            bar.advance(len(done))
        errors = [process.communicate()[1] for process in running]
    finally:
        os.close(heard)
        for process in running:
            process.kill()
            process.wait()
    for process, error in zip(running, errors, strict=True):
        if process.returncode:
            raise RunError(f"cannot write {folder}", given=(error.strip().splitlines() or ["stopped"])[-1])


def _tables(folder: Path, truth: Plan) -> None:
    """The tables a person would have; sorted, so that the order of rows tells nothing."""
    write_csv(folder / "items.csv", ("id", "kind"), ((user.id, "user") for user in truth.users))
    links = sorted(truth.links, key=lambda link: (link.relation, link.source, link.target))
    rows = ((link.source, link.relation, link.target, _cell(link.time), _cell(link.weight)) for link in links)
    write_csv(folder / "links.csv", ("source", "relation", "target", "time", "weight"), rows)
    labels = sorted((video.path, "category", CATEGORIES[video.category]) for video in truth.videos)
    write_csv(folder / "labels.csv", ("id", "field", "value"), labels)


def _cell(value: float | None) -> object:
    return "" if value is None else value
