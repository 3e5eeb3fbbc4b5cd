"""A run folder that is made anew inside the old one, and then takes its place, whole or not at all."""

import shutil
from typing import Any

from mmgraph.errors import RunError
from mmgraph.files import write_text
from mmgraph.runs import RunFolder, read_json, write_json

_ASKED = "asked.json"  # in the new folder: what was asked, so that another call knows whether it goes on with it


def staged(run: RunFolder, asked: dict[str, Any], restart: bool = False) -> RunFolder:
    """The folder ``update`` of a run, new, or left by a call that was cut off and asked the same.

    Raises RunError where it was left by a call that asked something else, unless ``restart``.
    """
    new = RunFolder(run.update)
    note = new.path / _ASKED
    if restart and new.path.exists():
        _removed(new)
    if note.exists() and read_json(note) != asked:
        todo = "give the same file and options again, or --restart to forget it"
        raise RunError("an update with another file or options was cut off", given=new.path, todo=todo)
    for name in ("settings", "versions", "encoders", "models", "quarantine", "duplicates"):
        old = getattr(run, name)
        if old.exists():
            write_text(getattr(new, name), old.read_text(encoding="utf-8"))
    write_json(note, asked)
    return new


def put_in_place(run: RunFolder) -> None:
    """Let what is in ``update`` stand for the run; what it was before is gone. A call that is cut off is finished by the next.

    What described the old state alone (clusters, knock-outs) leaves with it.
    """
    new = RunFolder(run.update)
    write_text(run.placing, "")
    finish(run)
    assert not new.path.exists()


def finish(run: RunFolder) -> bool:
    """Finish a ``put_in_place`` that was cut off; whether there was one."""
    if not run.placing.exists():
        return False
    new = RunFolder(run.update)
    try:
        run.knock_outs.unlink(missing_ok=True)
        for path in sorted(new.path.iterdir()):
            if path.name in (_ASKED, run.placing.name):
                continue
            old = run.path / path.name
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            path.replace(old)
        (new.path / _ASKED).unlink(missing_ok=True)
        run.placing.unlink()  # the last: until then the run is not to be read
        new.path.rmdir()
    except OSError as error:
        todo = "free the disk, and call the same `mmgraph update` again"
        raise RunError(f"cannot put {new.path} in its place", given=error.strerror or error, todo=todo) from error
    return True


def _removed(new: RunFolder) -> None:
    try:
        shutil.rmtree(new.path)
    except OSError as error:
        raise RunError(f"cannot remove {new.path}", given=error.strerror or error, todo="remove it") from error
