"""``mmgraph export``: a run in another program's form."""

import importlib
from pathlib import Path

from mmgraph.errors import RunError, SettingsError
from mmgraph.outputs.export.contents import Contents, of_run

FORMATS = ("parquet", "graphml", "neo4j")


def export(contents: Contents, to: str, folder: Path) -> list[Path]:
    """Write ``contents`` in one of FORMATS into a folder that is new or empty; the files written.

    Each file is whole or not there. Raises SettingsError for another format, RunError for a folder that holds something: files of
    an earlier export beside these would be read as one.
    """
    if to not in FORMATS:
        raise SettingsError("no such format to export to", given=to, todo=f"one of {', '.join(FORMATS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError("the folder to export to is not empty", given=folder, todo="choose another one by --out")
    module = importlib.import_module(f"mmgraph.outputs.export.{to}")
    written: list[Path] = getattr(module, f"write_{to}")(contents, folder)
    return written


def export_run(run: Path, to: str, folder: Path, *, predictions: bool, embeddings: bool) -> list[Path]:
    """``export`` of the graph of a run; see ``of_run``."""
    return export(of_run(run, predictions=predictions, embeddings=embeddings), to, folder)
