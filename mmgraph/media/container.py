"""What a container (mp4, mkv, avi, …) holds, read from its packets without decoding any."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.guard import guarded
from mmgraph.types import Times

av.logging.set_level(None)
_LONGEST_S = 7 * 24 * 3600.0  # longer ones have damaged times, on which decord hangs
_SHORTEST_S = 0.04  # a frame that states no duration, at 25 frames a second


@dataclass(frozen=True)
class Timeline:
    """Times count from the container's first moment, ``start_s`` in its own clock.

    ``times_s`` of all frames in showing order, empty without a picture stream; ``end_s``: where the last stream ends.
    """

    times_s: Times
    frame_s: float
    picture_end_s: float
    end_s: float
    start_s: float
    rate_hz: int
    channels: int

    @property
    def has_video(self) -> bool:
        """Whether there are moving pictures (cover art of music does not count)."""
        return len(self.times_s) > 0

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound track with anything in it."""
        return self.rate_hz > 0


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An open PyAV container; everything thrown inside becomes a MediaError."""
    with guarded(path), av.open(str(path), metadata_errors="ignore") as container:
        yield container


def picture_stream(container: Any) -> Any:
    """The first stream of moving pictures, or None; cover art is none."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def timeline(path: Path) -> Timeline:
    """Read a file's timeline; kept for the files used last. Raises MediaError: no container, no stream, cut short."""
    with guarded(path):
        status = path.stat()
    return _timeline(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _timeline(path: Path, _size: int, _mtime_ns: int) -> Timeline:
    with opened(path) as container:
        picture = picture_stream(container)
        sound = next(iter(container.streams.audio), None)
        streams = [stream for stream in (picture, sound) if stream is not None]
        if not streams:
            raise MediaError("it holds neither moving pictures nor sound", given=path)
        start_s = (container.start_time or 0) / av.time_base
        starts, ends = _packets(container, streams, start_s)
        found = _joined(starts, ends, picture, sound, start_s)
        _check_whole(path, container, found)
        return found


def _packets(container: Any, streams: list[Any], start_s: float) -> tuple[dict[int, list[float]], dict[int, float]]:
    """Start times of each stream's packets and the end of its last, in seconds."""
    starts: dict[int, list[float]] = {stream.index: [] for stream in streams}
    ends = {stream.index: 0.0 for stream in streams}
    try:
        for packet in container.demux(streams):
            if packet.pts is None or packet.is_discard:
                continue
            index, base = packet.stream.index, float(packet.time_base)
            start = packet.pts * base - start_s
            starts[index].append(start)
            ends[index] = max(ends[index], start + (packet.duration or 0) * base)
    except av.FFmpegError:
        pass  # cut short: what was read until here is judged below
    return starts, ends


def _joined(starts: dict[int, list[float]], ends: dict[int, float], picture: Any, sound: Any, start_s: float) -> Timeline:
    times = np.unique(np.array(starts[picture.index] if picture is not None else [], dtype=np.float64))
    rate = float(picture.average_rate or 0) if picture is not None else 0.0
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    frame_s = gap or (1 / rate if rate else _SHORTEST_S)
    picture_end = max(ends[picture.index], float(times[-1]) + frame_s) if len(times) else 0.0
    heard = sound is not None and bool(starts[sound.index]) and sound.rate
    return Timeline(
        times_s=times,
        frame_s=frame_s,
        picture_end_s=picture_end,
        end_s=max(picture_end, ends[sound.index] if heard else 0.0),
        start_s=start_s,
        rate_hz=int(sound.rate) if heard else 0,
        channels=int(sound.channels) if heard else 0,
    )


def _check_whole(path: Path, container: Any, found: Timeline) -> None:
    """A container that states a length and ends well before it was cut short."""
    if not found.has_video and not found.has_sound:
        raise MediaError("its streams are empty", given=path)
    if found.end_s > _LONGEST_S or found.frame_s > _LONGEST_S / 1000:
        raise MediaError(f"its times are damaged: it would last {found.end_s:.3g} s", given=path)
    stated = (container.duration or 0) / av.time_base
    if stated - found.end_s > max(0.5, 0.1 * stated):
        raise MediaError(f"cut short: it states {stated:.1f} s and holds {found.end_s:.1f} s", given=path)
