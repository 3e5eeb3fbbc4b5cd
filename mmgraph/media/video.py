"""Frames of a video at asked times, or all of them in order."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.clip import Frames
from mmgraph.media.container import Timeline, timeline
from mmgraph.media.guard import guarded
from mmgraph.media.pictures import Pictures, blocks
from mmgraph.types import Bytes, Ints, Times

LONGEST_SIDE = 1024  # larger frames are shrunk while they are decoded: four 4K frames a clip would be 100 MB
SMALL_SIDE = 160  # enough to find shots by colour
_BLOCK = 64  # frames in memory at once while a whole file is read


class Video:
    """One open video. ``times_s`` of its frames count from the start of the file."""

    def __init__(self, path: Path, longest_side: int = LONGEST_SIDE) -> None:
        self.path, self._longest = path, longest_side
        self.line: Timeline = timeline(path)
        if not self.line.has_video:
            raise MediaError("it holds no moving pictures", given=path)
        self._pictures = Pictures(path, self.line, longest_side)

    def at(self, times_s: Times) -> Frames:
        """The frame nearest to each time (each frame once, in order), with the times they are shown at; raises MediaError."""
        wanted = nearest(self.line.times_s, times_s)
        try:
            with guarded(self.path):
                shown_s, pixels = self._pictures.at(self.line.times_s[wanted])
        except MediaError:
            self._pictures.close()
            raise
        return Frames(pixels, tuple(shown_s.tolist()))

    def blocks(self) -> Iterator[tuple[Times, Bytes]]:
        """All frames in order, as (times_s, pixels) blocks; raises MediaError where decoding stops early."""
        yield from blocks(self.path, self.line, self._longest, _BLOCK)


def read(path: Path, times_s: Times, longest_side: int = LONGEST_SIDE) -> Frames:
    """Frames of the file at ``path`` nearest to ``times_s``; the files used last stay open. Raises MediaError."""
    with guarded(path):
        status = path.stat()
    return _open(path, status.st_size, status.st_mtime_ns, os.getpid(), longest_side).at(times_s)


@functools.lru_cache(maxsize=4)
def _open(path: Path, _size: int, _mtime_ns: int, _process: int, longest_side: int) -> Video:
    # Keyed by process as well: a file that was opened before a fork must not be read after it.
    return Video(path, longest_side)


def nearest(frames_s: Times, wanted_s: Times) -> Ints:
    """Index of the frame nearest to each wanted time; sorted, each once.

    >>> nearest(np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.6, 9.0])).tolist()
    [0, 1, 2]
    """
    middle = (frames_s[1:] + frames_s[:-1]) / 2
    return np.unique(np.searchsorted(middle, wanted_s)).astype(np.int64)
