"""Moving pictures through PyAV: frames in the order in which they are shown, upright, on white where they are see-through.

decord was used here first. It gave wrong frames of MPEG-4 with B-frames and of open groups of pictures, is known to hang on damaged files,
knows no format since 2019, and is no faster than a PyAV container that is kept open.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from mmgraph.errors import MediaError
from mmgraph.media.container import Timeline, open_container, opened, see_through
from mmgraph.types import Bytes, Times

_EXACT_S = 1e-6
_REORDERED = 32  # frames read past a wanted one that did not come
_FURTHER_BACK_S = 20.0  # where the key frame before the wanted one is damaged
_LOST_S = 2.0  # a wanted frame that is damaged is stood in for by its neighbour, not by one further off
_MOST_PIXELS = 2**27  # of a frame, whatever the container says
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own do not read the second picture
_Best = tuple[float, float, Any]  # distance and time in seconds, frame
_NONE: _Best = (np.inf, np.inf, None)


class Pictures:
    """An open file; goes on from where it stopped as long as that is nearer than the next key frame."""

    def __init__(self, path: Path, line: Timeline, longest_side: int) -> None:
        self._path, self._line = path, line
        self._upright = _Upright(longest_side)
        self._container: Any = None
        self._following: Iterator[tuple[float, Any]] = iter(())
        self._last_s = np.inf

    def at(self, wanted_s: Times) -> tuple[Times, Bytes]:
        """The frames nearest to ``wanted_s`` (times of frames, sorted), with their times; each once. Raises MediaError.

        A seek may land behind what was wanted (transport streams have no index), and a key frame may be damaged; then the search
        begins further back, and at last at the start.
        """
        best = [_NONE] * len(wanted_s)
        behind = not self._line.seekable or self._gather(wanted_s, best, 2 * self._line.frame_s)
        if not behind and any(distance > self._line.frame_s / 2 for distance, _, _ in best):
            behind = self._gather(wanted_s, best, _FURTHER_BACK_S)
        if behind:
            self._gather(wanted_s, best, None)
        for (distance, _, _), wanted in zip(best, wanted_s, strict=True):
            if distance > max(_LOST_S, self._line.frame_s):
                raise MediaError(f"its pictures near {wanted:.2f} s are damaged: no frame could be decoded", given=self._path)
        distinct = {time: frame for _, time, frame in best}
        return np.array(list(distinct)), np.stack([self._upright(frame) for frame in distinct.values()])

    def _gather(self, wanted_s: Times, best: list[_Best], back_s: float | None) -> bool:
        """Improve ``best`` by seeking ``back_s`` before what is wanted, or from the start; whether a seek landed behind it."""
        position, behind = 0, False
        while position < len(wanted_s):
            sought = self._go_to(float(wanted_s[position]), back_s)
            first_s, following = self._collect(wanted_s, best, position)
            behind = behind or (sought and first_s > wanted_s[position] + self._line.frame_s / 2)
            position = following
        return behind

    def _go_to(self, time_s: float, back_s: float | None) -> bool:
        """Make ``_following`` lead to ``time_s``; whether that took a seek."""
        if (
            self._last_s < time_s
            and back_s != _FURTHER_BACK_S
            and not self._key_within(self._last_s, time_s - (back_s or 0.0))
        ):
            return False
        if self._container is None or back_s is None:
            self.close()
            self._container = open_container(self._path)
        if back_s is not None:
            stream = self._container.streams[self._line.picture]
            target = max(0.0, time_s - back_s) + self._line.start_s
            self._container.seek(int(target / stream.time_base), stream=stream, backward=True)
        self._following, self._last_s = _shown(self._container, self._line), -np.inf
        return back_s is not None

    def _key_within(self, from_s: float, to_s: float) -> bool:
        """Whether a seek would save decoding: a key frame lies in between."""
        keys = self._line.keys_s
        return self._line.seekable and bool(np.searchsorted(keys, to_s, "right") > np.searchsorted(keys, from_s, "right"))

    def _collect(self, wanted_s: Times, best: list[_Best], first: int) -> tuple[float, int]:
        """Decode on and keep the nearest frames; gives the earliest time, and the first wanted one still far ahead."""
        past, earliest = 0, np.inf
        for time, frame in self._following:
            earliest, self._last_s = min(earliest, time), time
            for index in range(first, len(wanted_s)):
                if abs(time - wanted_s[index]) < best[index][0]:
                    best[index] = (abs(time - wanted_s[index]), time, frame)
            missing = next((index for index in range(first, len(wanted_s)) if best[index][0] > _EXACT_S), len(wanted_s))
            if missing == len(wanted_s):
                return earliest, missing
            if wanted_s[missing] > time:
                if missing > first and self._key_within(time, wanted_s[missing] - 2 * self._line.frame_s):
                    return earliest, missing
            else:
                past += 1  # it is damaged, or comes out of order
                if past > _REORDERED:
                    return earliest, int(np.searchsorted(wanted_s, time, "right"))
        self._last_s = np.inf
        return earliest, len(wanted_s)

    def close(self) -> None:
        """Close the file; it opens again when frames are asked for."""
        self._following, self._last_s = iter(()), np.inf
        if self._container is not None:
            self._container.close()
            self._container = None


def blocks(path: Path, line: Timeline, longest_side: int, size: int) -> Iterator[tuple[Times, Bytes]]:
    """All frames, as blocks of ``size`` (times_s, pixels); raises MediaError."""
    times: list[float] = []
    pixels: list[Bytes] = []
    upright = _Upright(longest_side)
    with opened(path) as container:
        for time, frame in _shown(container, line):
            times.append(time)
            pixels.append(upright(frame))
            if len(times) == size:
                yield np.array(times), np.stack(pixels)
                times, pixels = [], []
        if times:
            yield np.array(times), np.stack(pixels)


def _shown(container: Any, line: Timeline) -> Iterator[tuple[float, Any]]:
    """Time and frame of all frames from here on; those that are damaged are left out."""
    stream = container.streams[line.picture]
    decoder = _decoder(stream)
    base = float(stream.time_base)
    counted = iter(line.times_s.tolist()) if line.counted else None
    for packet in container.demux(stream):
        try:
            decoded = decoder.decode(packet if packet.size else None)
        except (av.InvalidDataError, av.EOFError):
            continue  # one damaged packet; the next key frame is whole again
        for frame in decoded:
            if counted is not None:
                yield next(counted, line.picture_end_s), frame
            elif frame.pts is not None:
                yield frame.pts * base - line.start_s, frame


def _decoder(stream: Any) -> Any:
    context = stream.codec_context
    name = _ALPHA_DECODERS.get(context.codec.name)
    if see_through(stream) and name in av.codecs_available:
        context = av.CodecContext.create(name, "r")
    if not context.is_open:
        context.options = {"max_pixels": str(_MOST_PIXELS)}
        context.thread_count = 1  # as many processes decode as there are workers
    return context


class _Upright:
    """Frames -> upright RGB; one for a file, as what swscale prepares for a size is used for all its frames."""

    def __init__(self, longest_side: int) -> None:
        self._longest = longest_side
        self._to_rgb = VideoReformatter()

    def __call__(self, frame: Any) -> Bytes:
        (width, height), turned = fitted(frame.width, frame.height, self._longest), frame.rotation // 90 % 4
        if any(component.is_alpha for component in frame.format.components):
            frame = av.VideoFrame.from_ndarray(_on_white(frame.to_ndarray(format="rgba")), format="rgb24")
        pixels = self._to_rgb.reformat(frame, width, height, "rgb24").to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, turned))


def _on_white(pixels: Bytes) -> Bytes:
    """uint8 [h, w, 4] -> [h, w, 3].

    >>> _on_white(np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)).tolist()
    [[[255, 255, 255], [10, 20, 30], [127, 127, 127]]]
    """
    colour, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def fitted(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """Width and height shrunk so that the longer is at most ``longest_side``.

    >>> fitted(1920, 1080, 160), fitted(10, 20, 160)
    ((160, 90), (10, 20))
    """
    scale = min(1.0, longest_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
