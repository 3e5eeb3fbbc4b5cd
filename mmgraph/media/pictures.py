"""Moving pictures through PyAV: frames in the order in which they are shown, upright, on white where they are see-through."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.container import Timeline, opened, see_through
from mmgraph.types import Bytes, Times

_FAR_S = 10.0  # between two wanted frames: decoding on costs more than another seek
_REORDERED = 32  # frames read past the last wanted one, as B-frames come out of order
_FURTHER_BACK_S = 20.0  # where the key frame before the wanted one is damaged
_LOST_S = 2.0  # a wanted frame that is damaged is stood in for by its neighbour, not by one further off
_MOST_PIXELS = 2**27  # of a frame, whatever the container says
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own do not read the second picture
_Best = tuple[float, float, Any]  # distance and time in seconds, frame


def frames(path: Path, line: Timeline, wanted_s: Times, longest_side: int) -> tuple[Times, Bytes]:
    """The frames nearest to ``wanted_s`` (times of frames, sorted), with their times; each once. Raises MediaError.

    Seeks once for each stretch of wanted frames. A seek may land behind what was wanted (transport streams have no index);
    then the file is read from its start.
    """
    best: list[_Best] = [(np.inf, np.inf, None)] * len(wanted_s)
    behind = not line.seekable or _pass(path, line, wanted_s, best, 2 * line.frame_s)
    if not behind and any(distance > line.frame_s / 2 for distance, _, _ in best):
        behind = _pass(path, line, wanted_s, best, _FURTHER_BACK_S)
    if behind:
        _pass(path, line, wanted_s, best, None)
    for (distance, _, frame), wanted in zip(best, wanted_s, strict=True):
        if frame is None:
            raise MediaError("no frame could be decoded", given=path)
        if distance > max(_LOST_S, line.frame_s):
            raise MediaError(f"its pictures near {wanted:.2f} s are damaged: no frame could be decoded", given=path)
    distinct = {time: frame for _, time, frame in best}
    return np.array(list(distinct)), np.stack([_upright(frame, longest_side) for frame in distinct.values()])


def blocks(path: Path, line: Timeline, longest_side: int, skip: int, size: int) -> Iterator[tuple[Times, Bytes]]:
    """All frames after the first ``skip``, as blocks of (times_s, pixels); raises MediaError."""
    times: list[float] = []
    pixels: list[Bytes] = []
    with opened(path) as container:
        for number, (time, frame) in enumerate(_shown(container, line)):
            if number < skip:
                continue
            times.append(time)
            pixels.append(_upright(frame, longest_side))
            if len(times) == size:
                yield np.array(times), np.stack(pixels)
                times, pixels = [], []
        if times:
            yield np.array(times), np.stack(pixels)


def _pass(path: Path, line: Timeline, wanted_s: Times, best: list[_Best], back_s: float | None) -> bool:
    """Improve ``best`` by seeking ``back_s`` before what is wanted, or from the start; whether a seek landed behind it."""
    position, behind = 0, False
    with opened(path) as container:
        stream = container.streams[line.picture]
        while position < len(wanted_s):
            if back_s is not None:
                target = max(0.0, wanted_s[position] - back_s) + line.start_s
                container.seek(int(target / stream.time_base), stream=stream, backward=True)
            first_s, following = _collect(_shown(container, line), wanted_s, best, position, stop_early=back_s is not None)
            behind = behind or first_s > wanted_s[position] + line.frame_s / 2
            position = following
    return behind


def _collect(
    shown: Iterator[tuple[float, Any]], wanted_s: Times, best: list[_Best], first: int, *, stop_early: bool
) -> tuple[float, int]:
    """Decode from here on and keep the nearest frames; gives the earliest time, and the first wanted one still far ahead."""
    past, last, earliest = 0, first, np.inf
    for time, frame in shown:
        earliest = min(earliest, time)
        for index in range(first, len(wanted_s)):
            distance = abs(time - wanted_s[index])
            if distance < best[index][0]:
                best[index] = (distance, time, frame)
            if wanted_s[index] <= time:
                last = max(last, index + 1)
        if last == len(wanted_s) or (stop_early and last > first and wanted_s[last] - time > _FAR_S):
            past += 1
            if past > _REORDERED:
                return earliest, last
    return earliest, len(wanted_s)


def _shown(container: Any, line: Timeline) -> Iterator[tuple[float, Any]]:
    """Time and frame of all frames from here on; those that are damaged are left out."""
    stream = container.streams[line.picture]
    decoder = _decoder(stream)
    for packet in container.demux(stream):
        try:
            decoded = decoder.decode(packet if packet.size else None)
        except (av.InvalidDataError, av.EOFError):
            continue  # one damaged packet; the next key frame is whole again
        for frame in decoded:
            if frame.pts is not None:
                yield float(frame.pts * stream.time_base) - line.start_s, frame


def _decoder(stream: Any) -> Any:
    context = stream.codec_context
    name = _ALPHA_DECODERS.get(context.codec.name)
    if see_through(stream) and name in av.codecs_available:
        context = av.CodecContext.create(name, "r")
    if not context.is_open:
        context.options = {"max_pixels": str(_MOST_PIXELS)}
        context.thread_count = 1  # as many processes decode as there are workers
    return context


def _upright(frame: Any, longest_side: int) -> Bytes:
    (width, height), turned = fitted(frame.width, frame.height, longest_side), frame.rotation // 90 % 4
    if any(component.is_alpha for component in frame.format.components):
        frame = av.VideoFrame.from_ndarray(_on_white(frame.to_ndarray(format="rgba")), format="rgb24")
    pixels = frame.to_ndarray(width=width, height=height, format="rgb24")
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
