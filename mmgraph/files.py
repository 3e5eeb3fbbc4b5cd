"""Files are written whole or not at all: a temporary name beside them, then a rename."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from mmgraph.errors import RunError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; when the block ends well it becomes ``path``.

    Raises RunError, with nothing left behind, when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}", given=error.strerror or error, todo="free or choose another disk") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_with(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Open a temporary file in binary mode, let ``write`` fill it, then rename it to ``path``."""
    with whole(path) as temporary, open(temporary, "wb") as file:
        write(file)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as hex, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
