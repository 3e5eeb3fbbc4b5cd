"""What is known of files from earlier runs: hashes by path, size and time; answers by content and settings."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from mmgraph.files import write_text

_SAVE_EVERY_S = 20.0


class Remembered:
    """A dictionary in a JSON-lines file, ``[key, value]`` a line, written whole; kept in memory only where ``path`` is None.

    A file that cannot be read is as good as none: it only costs the work again. Used as a context manager, which saves.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
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
            lines = (json.dumps(pair, ensure_ascii=False) for pair in self._known.items())
            write_text(self._path, "".join(line + "\n" for line in lines))
            self._saved = time.monotonic()
            self._cost_s = self._saved - begun
            self._changed = False


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(msgspec.json.Decoder(tuple[str, Any]).decode_lines(path.read_bytes()))  # three times as fast as json
    except (OSError, ValueError, TypeError):
        return {}
