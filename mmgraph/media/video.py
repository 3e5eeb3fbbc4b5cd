"""Frames of a video at asked times, through decord; through PyAV where decord cannot, or disagrees with the container."""

import functools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import decord
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media import pictures
from mmgraph.media.clip import Frames
from mmgraph.media.container import Timeline, timeline
from mmgraph.media.guard import guarded, quiet
from mmgraph.media.pictures import fitted
from mmgraph.types import Bytes, Ints, Times

_log = logging.getLogger(__name__)
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
        self._decord = _decord_reader(path, self.line, longest_side)

    def at(self, times_s: Times) -> Frames:
        """The frame nearest to each time (each frame once, in order); raises MediaError."""
        wanted = nearest(self.line.times_s, times_s)
        shown_s = self.line.times_s[wanted]
        with guarded(self.path):
            pixels = self._by_decord(wanted)
            if pixels is None:
                shown_s, pixels = pictures.frames(self.path, self.line, shown_s, self._longest)
        return Frames(pixels, tuple(shown_s.tolist()))

    def _by_decord(self, wanted: Ints) -> Bytes | None:
        """The frames, or None where decord cannot give them; it is not asked again then."""
        if self._decord is None:
            return None
        try:
            with quiet():
                return np.asarray(self._decord.get_batch(wanted).asnumpy(), dtype=np.uint8)
        except Exception as error:  # noqa: BLE001 - decord throws RuntimeError, DECORDError and more: PyAV tries next
            _log.debug("decord gave up on %s: %s", self.path, error)
            self._decord = None
            return None

    def blocks(self) -> Iterator[tuple[Times, Bytes]]:
        """All frames in order, as (times_s, pixels) blocks; raises MediaError where decoding stops early."""
        done = 0
        while self._decord is not None and done < len(self.line.times_s):
            rows = np.arange(done, min(done + _BLOCK, len(self.line.times_s)))
            pixels = self._by_decord(rows)
            if pixels is not None:
                done += len(rows)
                yield self.line.times_s[rows], pixels
        if done < len(self.line.times_s):
            yield from pictures.blocks(self.path, self.line, self._longest, done, _BLOCK)


def read(path: Path, times_s: Times) -> Frames:
    """Frames of the file at ``path`` nearest to ``times_s``; the files used last stay open. Raises MediaError."""
    with guarded(path):
        status = path.stat()
    return _open(path, status.st_size, status.st_mtime_ns, os.getpid()).at(times_s)


@functools.lru_cache(maxsize=4)
def _open(path: Path, _size: int, _mtime_ns: int, _process: int) -> Video:
    return Video(path)  # keyed by process as well: a reader that was opened before a fork must not be used after it


def nearest(frames_s: Times, wanted_s: Times) -> Ints:
    """Index of the frame nearest to each wanted time; sorted, each once.

    >>> nearest(np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.6, 9.0])).tolist()
    [0, 1, 2]
    """
    middle = (frames_s[1:] + frames_s[:-1]) / 2
    return np.unique(np.searchsorted(middle, wanted_s)).astype(np.int64)


def _decord_reader(path: Path, line: Timeline, longest_side: int) -> Any | None:
    """A decord reader that agrees with the container on count and times of the frames, or None."""
    if not line.ordinary:
        return None
    decord.logging.set_level(decord.logging.QUIET)
    try:
        with quiet():
            reader = decord.VideoReader(str(path), num_threads=1)
            height, width, _ = reader[0].shape
            if max(width, height) > longest_side:
                width, height = fitted(width, height, longest_side)
                reader = decord.VideoReader(str(path), num_threads=1, width=width, height=height)
            times = reader.get_frame_timestamp(np.arange(len(reader)))[:, 0].astype(np.float64)
    except Exception as error:  # noqa: BLE001 - decord throws RuntimeError, DECORDError and more: PyAV tries next
        _log.debug("decord cannot open %s: %s", path, error)
        return None
    agrees = len(times) == len(line.times_s) and np.allclose(
        times - times[0], line.times_s - line.times_s[0], rtol=0, atol=line.frame_s / 2
    )
    if not agrees:
        _log.debug("decord and the container disagree on the frames of %s; PyAV reads it", path)
    return reader if agrees else None
