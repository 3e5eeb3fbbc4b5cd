"""Frames of a video at asked times, through decord; through PyAV where decord cannot, or disagrees with the container."""

import functools
import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import decord
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.clip import Frames
from mmgraph.media.container import Timeline, opened, picture_stream, timeline
from mmgraph.media.guard import guarded, quiet
from mmgraph.types import Bytes, Ints, Times

_log = logging.getLogger(__name__)
LONGEST_SIDE = 1024  # larger frames are shrunk while they are decoded: four 4K frames a clip would be 100 MB
SMALL_SIDE = 160  # enough to find shots by colour
_BLOCK = 64  # frames in memory at once while a whole file is read
_FAR_S = 10.0  # between two wanted frames: decoding on costs more than another seek
_REORDERED = 32  # frames read past the last wanted one, as B-frames come out of order


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
        with guarded(self.path):
            pixels = self._pixels(wanted)
        return Frames(pixels, tuple(self.line.times_s[wanted].tolist()))

    def _pixels(self, wanted: Ints) -> Bytes:
        pixels = self._by_decord(wanted)
        return _av_frames(self.path, self.line, self.line.times_s[wanted], self._longest) if pixels is None else pixels

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
            yield from _av_blocks(self.path, self.line, self._longest, done)


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


def fitted(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """Width and height shrunk so that the longer is at most ``longest_side``.

    >>> fitted(1920, 1080, 160), fitted(10, 20, 160)
    ((160, 90), (10, 20))
    """
    scale = min(1.0, longest_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _decord_reader(path: Path, line: Timeline, longest_side: int) -> Any | None:
    """A decord reader that agrees with the container on count and times of the frames, or None."""
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


def _av_frames(path: Path, line: Timeline, wanted_s: Times, longest_side: int) -> Bytes:
    """PyAV: the frames nearest to ``wanted_s`` (sorted); seeks once for each stretch of wanted frames.

    A seek may land behind what was wanted (transport streams have no index); then the file is read from its start.
    """
    best = _av_pass(path, line, wanted_s, seek=True)
    if any(distance > 1.5 * line.frame_s for distance, _ in best):
        best = _av_pass(path, line, wanted_s, seek=False)
    if any(frame is None for _, frame in best):
        raise MediaError("no frame could be decoded", given=path)
    return np.stack([_rgb(frame, longest_side) for _, frame in best])


def _av_pass(path: Path, line: Timeline, wanted_s: Times, *, seek: bool) -> list[tuple[float, Any]]:
    """For each wanted time the distance in seconds and the frame nearest to it."""
    best: list[tuple[float, Any]] = [(np.inf, None)] * len(wanted_s)
    position = 0
    with opened(path) as container:
        stream = picture_stream(container)
        if not seek:
            _collect(container, stream, line, wanted_s, best, 0)
        while seek and position < len(wanted_s):
            target = max(0.0, wanted_s[position] - 2 * line.frame_s) + line.start_s
            container.seek(int(target / stream.time_base), stream=stream, backward=True)
            position = _collect(container, stream, line, wanted_s, best, position)
    return best


def _collect(container: Any, stream: Any, line: Timeline, wanted_s: Times, best: list[tuple[float, Any]], first: int) -> int:
    """Decode from here on, keep the nearest frame for each wanted time; gives the first wanted one still far ahead."""
    past = 0
    last = first
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        time = float(frame.pts * stream.time_base) - line.start_s
        for index in range(first, len(wanted_s)):
            distance = abs(time - wanted_s[index])
            if distance < best[index][0]:
                best[index] = (distance, frame)
            if wanted_s[index] <= time:
                last = max(last, index + 1)
        if last == len(wanted_s) or (last > first and wanted_s[last] - time > _FAR_S):
            past += 1
            if past > _REORDERED:
                return last
    return len(wanted_s)


def _rgb(frame: Any, longest_side: int) -> Bytes:
    width, height = fitted(frame.width, frame.height, longest_side)
    pixels = frame.to_ndarray(width=width, height=height, format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90 % 4))


def _av_blocks(path: Path, line: Timeline, longest_side: int, skip: int) -> Iterator[tuple[Times, Bytes]]:
    """PyAV: all frames after the first ``skip``."""
    times: list[float] = []
    pixels: list[Bytes] = []
    with opened(path) as container:
        stream = picture_stream(container)
        shown = (frame for frame in container.decode(stream) if frame.pts is not None)
        for frame in itertools.islice(shown, skip, None):
            times.append(float(frame.pts * stream.time_base) - line.start_s)
            pixels.append(_rgb(frame, longest_side))
            if len(times) == _BLOCK:
                yield np.array(times), np.stack(pixels)
                times, pixels = [], []
        if times:
            yield np.array(times), np.stack(pixels)
