"""Whatever a library throws at a broken file becomes a MediaError that names the path."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mmgraph.errors import MediaError


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn any exception but MediaError into one: ``wrong`` is the reason, ``given`` the path."""
    try:
        yield
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError("the file is not there", given=path) from error
    except Exception as error:  # decoders of four libraries throw anything; one bad file must not end a run
        text = str(error).replace(str(path), path.name).strip().splitlines()
        raise MediaError(f"cannot be decoded: {type(error).__name__}: {text[0][:200] if text else ''}", given=path) from error


def check_file(path: Path) -> None:
    """Raise MediaError for what no decoder needs to look at: no file, a folder, no bytes."""
    with guarded(path):
        if not path.is_file():
            raise MediaError("it is a folder" if path.is_dir() else "the file is not there", given=path)
        if path.stat().st_size == 0:
            raise MediaError("the file is empty (0 bytes)", given=path)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what C libraries write to the standard error of this process while the block runs."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # started without a standard error: nothing to silence
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
