"""Whatever a library throws at a broken file becomes a MediaError that names the path."""

import contextlib
import errno
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from mmgraph.errors import MediaError

_CUT = re.compile("truncated|unexpected end|premature", re.IGNORECASE)


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn any exception but MediaError into one: ``wrong`` is the reason, ``given`` the path."""
    try:
        yield
    except MediaError:
        raise
    except Exception as error:  # decoders of four libraries throw anything; one bad file must not end a run
        raise MediaError(_reason(error, path), given=path) from error


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return "a symbolic link to a file that is not there" if path.is_symlink() else "the file is not there"
    if isinstance(error, PermissionError):
        return "there is no permission to read it"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a symbolic link that leads back to itself"
    if isinstance(error, RecursionError):
        return "cannot be decoded: it is nested too deeply (RecursionError)"
    lines = str(error).replace(str(path), path.name).strip().splitlines()
    said = lines[0][:200] if lines else ""
    known = f"{type(error).__name__}{': ' + said if said else ''}"
    return f"cannot be decoded: it was cut short ({known})" if _CUT.search(said) else f"cannot be decoded: {known}"


def check_file(path: Path) -> None:
    """Raise MediaError for what no decoder needs to look at: no file, a folder, a device, no bytes. Opens nothing."""
    with guarded(path):
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
            raise MediaError(f"it is {what}, no file", given=path)
        if status.st_size == 0:
            raise MediaError("the file is empty (0 bytes)", given=path)
