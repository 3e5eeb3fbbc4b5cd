"""What is known of files from earlier runs: hashes by path, size and time; answers by content and settings."""

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from mmgraph.files import write_with

_SAVE_EVERY_S = 20.0


class Remembered:
    """A dictionary in a JSON-lines file, ``[key, value]`` a line, written whole; kept in memory only where ``path`` is None.

    Lines are sorted by key, so that the file does not depend on the order in which things came to be known.
    A file that cannot be read is as good as none: it only costs the work again. Used as a context manager, which saves.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            _remove_leftovers(path)
        self._known = _read(path) if path is not None else {}
        self._changed = False
        self._saved = time.monotonic()
        self._cost_s = 0.0

    def __enter__(self) -> "Remembered":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.save()

    def get(self, key: str) -> Any:
        """The value, or None."""
        return self._known.get(key)

    def put(self, key: str, value: Any) -> None:
        """Remember; on disk within half a minute, so that a killed run loses little (less often where saving takes long)."""
        self._known[key] = value
        self._changed = True
        if time.monotonic() - self._saved > max(_SAVE_EVERY_S, 20 * self._cost_s):
            self.save()

    def save(self) -> None:
        """Write what is new; raises RunError where the disk is full."""
        if self._path is not None and self._changed:
            begun = time.monotonic()
            lines = msgspec.json.Encoder().encode_lines(sorted(self._known.items(), key=lambda pair: pair[0]))
            write_with(self._path, lambda file: file.write(lines))
            self._saved = time.monotonic()
            self._cost_s = self._saved - begun
            self._changed = False


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(msgspec.json.Decoder(tuple[str, Any]).decode_lines(path.read_bytes()))  # three times as fast as json
    except (OSError, ValueError, TypeError):
        return {}


def _remove_leftovers(path: Path) -> None:
    """What a killed process of this machine was writing; its name holds the process's number."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        with contextlib.suppress(OSError, ValueError):
            try:
                os.kill(int(part.suffixes[-2][1:]), 0)
            except ProcessLookupError:
                part.unlink()
