"""Sound of a file or of a stretch of it at its own rate: soundfile, and PyAV for what soundfile cannot read."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from mmgraph.errors import MediaError
from mmgraph.media.clip import Sound, Span
from mmgraph.media.container import Timeline, opened, timeline
from mmgraph.media.guard import guarded
from mmgraph.types import Floats

_log = logging.getLogger(__name__)
_PREROLL_S = 0.2  # AAC and Opus need the packets before the first wanted sample
_JITTER_S = 0.004  # between where a piece is put by its time and where the one before ends: no gap
_RATES_HZ = range(1_000, 1_000_000)
_MOST_CHANNELS = 64
_MOST_SAMPLES = 2**28


def read(path: Path, span: Span, max_s: float, *, plain: bool) -> Sound | None:
    """The samples of ``span``, at most ``max_s`` seconds from its start; None where the span holds no sound.

    plain: the content looks like a sound file (not a container), so soundfile is asked first. Raises MediaError.
    """
    end_s = min(span.start_s + max_s, np.inf if span.end_s is None else span.end_s)
    found = _by_soundfile(path, span.start_s, end_s) if plain else None
    if found is None:
        found = _by_av(path, span.start_s, end_s)
    if found is None:
        return None
    samples, rate = found
    if not np.isfinite(samples).all():
        raise MediaError("its sound holds numbers that are not finite", given=path)
    if samples.shape[1] == 0:
        if span == Span():
            raise MediaError("its sound is empty", given=path)
        return None
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    return Sound(np.clip(samples, -1.0, 1.0, out=samples), rate)


def length(path: Path, *, plain: bool) -> tuple[float, int, int] | None:
    """Duration in seconds, rate_hz and channels; None where the file has no sound. Raises MediaError."""
    if plain:
        try:
            with soundfile.SoundFile(path) as file:
                _check_size(path, file.samplerate, file.channels, 0.0)
                _check_whole(path, file.frames / file.samplerate)
                return file.frames / file.samplerate, file.samplerate, file.channels
        except soundfile.LibsndfileError as error:
            _log.debug("soundfile cannot open %s: %s", path, error)
    line = timeline(path)
    return (line.end_s, line.rate_hz, line.channels) if line.has_sound else None


def _by_soundfile(path: Path, start_s: float, end_s: float) -> tuple[Floats, int] | None:
    with guarded(path):
        try:
            with soundfile.SoundFile(path) as file:
                rate: int = file.samplerate
                start = min(round(start_s * rate), file.frames)
                stop = min(file.frames, round(end_s * rate)) if np.isfinite(end_s) else file.frames
                _check_size(path, rate, file.channels, (stop - start) / rate)
                file.seek(start)
                samples: Floats = file.read(max(0, stop - start), dtype="float32", always_2d=True).T
                if samples.shape[1] < 0.9 * (stop - start):
                    raise MediaError(f"cut short: {samples.shape[1]} of {stop - start} samples", given=path)
                return samples, rate
        except soundfile.LibsndfileError as error:
            _log.debug("soundfile cannot read %s: %s", path, error)
            return None


def _check_size(path: Path, rate_hz: int, channels: int, duration_s: float) -> None:
    """A header may state anything; raises MediaError before memory is asked for."""
    if rate_hz not in _RATES_HZ or not 0 < channels <= _MOST_CHANNELS:
        raise MediaError(f"its header is damaged: {channels} channels at {rate_hz} Hz", given=path)
    if duration_s * rate_hz * channels > _MOST_SAMPLES:
        todo = "lower media.max_sound_s"
        raise MediaError(
            f"{duration_s:.0f} s of {channels} channels at {rate_hz} Hz take too much memory", given=path, todo=todo
        )


def _check_whole(path: Path, stated_s: float) -> None:
    """A file states its length, and soundfile believes it: raises MediaError where much less is there."""
    with open(path, "rb") as file:
        head = file.read(8)
    if head[:4] != b"RIFF":
        held_s = timeline(path).end_s
        if held_s < 0.9 * stated_s - 0.1:
            raise MediaError(f"cut short: it states {stated_s:.1f} s and holds {held_s:.1f} s", given=path)
        return
    stated = int.from_bytes(head[4:8], "little") + 8
    size = path.stat().st_size
    streamed = stated in (8, 2**32 - 1 + 8)  # written without knowing the length
    if not streamed and size < 0.9 * stated:
        raise MediaError(f"cut short: it states {stated} bytes and holds {size}", given=path)


def _by_av(path: Path, start_s: float, end_s: float) -> tuple[Floats, int] | None:
    line = timeline(path)
    if not line.has_sound:
        return None
    _check_size(path, line.rate_hz, line.channels, end_s - start_s)
    seek = line.seekable and start_s > _PREROLL_S
    track, behind = _track(path, line, start_s, end_s, seek=seek)
    if seek and behind:
        track, _ = _track(path, line, start_s, end_s, seek=False)
    if track is None:
        raise MediaError("no sound could be decoded", given=path)
    return track.samples(), track.rate_hz


def _track(path: Path, line: Timeline, start_s: float, end_s: float, *, seek: bool) -> "tuple[_Track | None, bool]":
    """The sound of start_s..end_s, None where nothing can be decoded; whether the first of it came too late (a seek too far)."""
    track: _Track | None = None
    earliest = np.inf
    with opened(path) as container:
        stream = container.streams[line.sound]
        stream.codec_context.thread_count = 1
        if seek:
            target = start_s - _PREROLL_S + line.start_s
            container.seek(int(target / stream.time_base), stream=stream, backward=True)
        for frame in _heard(container, stream):
            time = None if frame.time is None else float(frame.time) - line.start_s
            track = track or _Track(frame, start_s, end_s)
            earliest = min(earliest, track.add(frame, time))
            if track.full:
                break
    return track, earliest > start_s


def _heard(container: Any, stream: Any) -> Iterator[Any]:
    """All frames of sound from here on; damaged packets are left out."""
    for packet in container.demux(stream):
        try:
            decoded = stream.codec_context.decode(packet if packet.size else None)
        except (av.InvalidDataError, av.EOFError):
            continue
        yield from decoded


class _Track:
    """Decoded pieces, each put where its own time says; silence where there is none."""

    def __init__(self, frame: Any, start_s: float, end_s: float) -> None:
        self.rate_hz = int(frame.sample_rate)
        self._layout, self._setup = frame.layout, ("", "", 0)
        self._resampler: Any = None
        self._start_s, self._end_s, self._next_s = start_s, end_s, 0.0
        self._parts: list[Floats] = []
        self._channels, self._count = len(frame.layout.channels), 0

    @property
    def full(self) -> bool:
        """Whether what is decoded now lies behind the end."""
        return self._next_s >= self._end_s

    def add(self, frame: Any, time_s: float | None) -> float:
        """Take what of a frame lies within; gives its time."""
        begun = self._next_s if time_s is None else time_s
        self._next_s = begun + frame.samples / frame.sample_rate
        if self._next_s <= self._start_s or begun >= self._end_s:
            return begun
        for piece in self._as_the_first(frame):
            samples = (
                piece.to_ndarray().reshape(-1, self._channels).T
            )  # planes of more than 7 channels are not PyAV's strength
            self._place(samples, round((begun - self._start_s) * self.rate_hz))
        return begun

    def _as_the_first(self, frame: Any) -> list[Any]:
        """A frame as floats in the first one's layout and rate: broadcasts change both in the middle."""
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if setup != self._setup:
            self._setup = setup
            self._resampler = av.AudioResampler(format="flt", layout=self._layout, rate=self.rate_hz)
        pieces: list[Any] = self._resampler.resample(frame)
        return pieces

    def _place(self, samples: Floats, at: int) -> None:
        if abs(at - self._count) <= _JITTER_S * self.rate_hz and self._count:
            at = self._count  # containers round times to milliseconds
        if at > self._count:
            self._parts.append(np.zeros((self._channels, at - self._count), np.float32))
            self._count = at
        samples = samples[:, self._count - at :]
        if np.isfinite(self._end_s):
            samples = samples[:, : max(0, round((self._end_s - self._start_s) * self.rate_hz) - self._count)]
        self._parts.append(samples)
        self._count += samples.shape[1]

    def samples(self) -> Floats:
        """Float32 [channels, n]."""
        return np.concatenate([np.zeros((self._channels, 0), np.float32), *self._parts], axis=1)
