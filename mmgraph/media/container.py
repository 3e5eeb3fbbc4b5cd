"""What a container (mp4, mkv, avi, …) holds, read from its packets without decoding any."""

import array
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.guard import guarded
from mmgraph.types import Times

av.logging.set_level(None)
_LONGEST_S = 7 * 24 * 3600.0  # longer ones have damaged times
_SHORTEST_S = 0.04  # a frame that states no duration, at 25 frames a second
# FFmpeg also "plays" playlists, scripts and text art, which would open other files or addresses: these formats only.
_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,flv,asf,gif,mxf,nut,ivf,dv,rm,"
    "ogg,wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,dts,amr,wv,tta,ape"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_COVER, _DEFAULT = av.stream.Disposition.attached_pic, av.stream.Disposition.default
_UNTIMED = {"aac", "ac3", "eac3", "dts", "mp3", "amr", "tta", "ape"}


@dataclass(frozen=True)
class Timeline:
    """Times count from the container's first moment, ``start_s`` in its own clock.

    ``times_s`` of all frames in showing order, empty without a picture stream, ``keys_s`` of those that can be decoded without any
    other; ``end_s``: where the last stream ends.
    ``picture``, ``sound``: numbers of the streams that are read, -1 for none. ``width``, ``height``: of a frame as it is stored.
    ``seekable``: times are known after a seek. ``counted``: frames carry no times
    that hold (AVI states the order of decoding alone); the nth frame shown has the nth of ``times_s``.
    """

    times_s: Times
    frame_s: float
    picture_end_s: float
    end_s: float
    start_s: float
    rate_hz: int
    channels: int
    picture: int = -1
    sound: int = -1
    width: int = 0
    height: int = 0
    seekable: bool = True
    counted: bool = False
    keys_s: Times = field(default_factory=lambda: np.zeros(0))

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
    with guarded(path), open_container(path) as container:
        yield container


def open_container(path: Path) -> Any:
    """A PyAV container to be closed by the caller; raises MediaError."""
    with guarded(path):
        try:
            return av.open(str(path), metadata_errors="ignore", options=dict(_OPTIONS))
        except (FileNotFoundError, MemoryError):
            raise
        except av.FFmpegError as error:  # damaged, cut short, or none of the formats above
            raise MediaError(f"cannot be decoded: {_why(path)}", given=path) from error


def _why(path: Path) -> str:
    """Why a file cannot be opened, in words; an mp4 keeps its index, ``moov``, often at the end."""
    with open(path, "rb") as file:
        if file.read(12)[4:8] == b"ftyp":
            return "its index is missing or damaged; it was probably cut short while it was copied or recorded"
    return "it is of no format that is read here, or its beginning is damaged"


def timeline(path: Path) -> Timeline:
    """Read a file's timeline; kept for the files used last. Raises MediaError: no container, no stream, cut short."""
    with guarded(path):
        status = path.stat()
    return _timeline(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _timeline(path: Path, _size: int, _mtime_ns: int) -> Timeline:
    with opened(path) as container:
        streams = [_Stream(stream, counted=_counted(container, stream)) for stream in container.streams if _wanted(stream)]
        if not streams:
            raise MediaError("it holds neither moving pictures nor sound", given=path)
        start_s = (container.start_time or 0) / av.time_base
        _read_packets(container, streams, start_s)
        found = _joined(container, streams, start_s)
        _check_whole(path, container, found)
        return found


@dataclass
class _Stream:
    """A stream and what its packets say. ``starts_s`` of pictures only: sound has many packets, and needs their end alone."""

    stream: Any
    starts_s: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    keys_s: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    end_s: float = 0.0
    used: bool = False
    counted: bool = False


def _wanted(stream: Any) -> bool:
    """Sound, and moving pictures: cover art is none."""
    if stream.type == "audio":
        return bool(stream.codec_context and stream.rate)
    return stream.type == "video" and bool(stream.codec_context) and not stream.disposition & _COVER


def _counted(container: Any, stream: Any) -> bool:
    return container.format.name == "avi" and stream.type == "video" and bool(stream.codec_context.has_b_frames)


def _read_packets(container: Any, streams: list[_Stream], start_s: float) -> None:
    by_index = {one.stream.index: (one, float(one.stream.time_base), one.stream.type == "video") for one in streams}
    try:
        for packet in container.demux([one.stream for one in streams]):
            one, base, is_picture = by_index[packet.stream.index]
            moment = packet.dts if one.counted else packet.pts
            if moment is None or packet.is_discard or packet.is_corrupt or not packet.size:
                continue
            start = moment * base - start_s
            one.used = True
            one.end_s = max(one.end_s, start + (packet.duration or 0) * base)
            if is_picture:
                one.starts_s.append(start)
                if packet.is_keyframe:
                    one.keys_s.append(start)
    except MemoryError:
        raise
    except av.FFmpegError:
        pass  # cut short: what was read until here is judged below


def _joined(container: Any, streams: list[_Stream], start_s: float) -> Timeline:
    picture, sound = _chosen(streams, "video"), _chosen(streams, "audio")
    times = np.unique(np.frombuffer(picture.starts_s)) if picture else np.zeros(0)
    rate = float(picture.stream.average_rate or 0) if picture else 0.0
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    frame_s = gap or (1 / rate if rate else _SHORTEST_S)
    picture_end = max(picture.end_s, float(times[-1]) + frame_s) if picture else 0.0
    names = set(container.format.name.split(","))
    return Timeline(
        times_s=times,
        frame_s=frame_s,
        picture_end_s=picture_end,
        end_s=max(picture_end, sound.end_s if sound else 0.0),
        start_s=start_s,
        rate_hz=int(sound.stream.rate) if sound else 0,
        channels=int(sound.stream.channels) if sound else 0,
        picture=picture.stream.index if picture else -1,
        sound=sound.stream.index if sound else -1,
        width=picture.stream.width if picture else 0,
        height=picture.stream.height if picture else 0,
        seekable=not names & _UNTIMED and not (picture and picture.counted),
        counted=picture is not None and picture.counted,
        keys_s=np.unique(np.frombuffer(picture.keys_s)) if picture else np.zeros(0),
    )


def _chosen(streams: list[_Stream], kind: str) -> _Stream | None:
    """Of the streams with anything in them the first that is marked as default, else the first."""
    used = [one for one in streams if one.used and one.stream.type == kind]
    return min(used, key=lambda one: (not one.stream.disposition & _DEFAULT, one.stream.index), default=None)


def see_through(stream: Any) -> bool:
    """Whether a stream of WebM carries a second picture that says where the first is see-through."""
    return stream.metadata.get("alpha_mode") == "1"


def _check_whole(path: Path, container: Any, found: Timeline) -> None:
    """A container that states a length and ends well before it was cut short."""
    if not found.has_video and not found.has_sound:
        raise MediaError("its streams are empty", given=path)
    if found.end_s > _LONGEST_S or found.frame_s > _LONGEST_S / 1000:
        raise MediaError(f"its times are damaged: it would last {found.end_s:.3g} s", given=path)
    guessed = container.format.name in _UNTIMED  # from the first packets
    stated = 0.0 if guessed else (container.duration or 0) / av.time_base
    if stated - found.end_s > max(0.5, 0.1 * stated):
        raise MediaError(f"cut short: it states {stated:.1f} s and holds {found.end_s:.1f} s", given=path)
