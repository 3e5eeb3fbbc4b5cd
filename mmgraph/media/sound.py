"""Sound of a file or of a stretch of it at its own rate: soundfile, and PyAV for what soundfile cannot read."""

import logging
from pathlib import Path

import av
import numpy as np
import soundfile

from mmgraph.errors import MediaError
from mmgraph.media.clip import Sound, Span
from mmgraph.media.container import opened, timeline
from mmgraph.media.guard import guarded
from mmgraph.types import Floats

_log = logging.getLogger(__name__)
_PREROLL_S = 0.2  # AAC and Opus need the packets before the first wanted sample


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
    return Sound(np.ascontiguousarray(np.clip(samples, -1.0, 1.0), dtype=np.float32), rate)


def length(path: Path, *, plain: bool) -> tuple[float, int, int] | None:
    """Duration in seconds, rate_hz and channels; None where the file has no sound. Raises MediaError."""
    if plain:
        try:
            with soundfile.SoundFile(path) as file:
                _check_whole(path)
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
                file.seek(start)
                samples: Floats = file.read(max(0, stop - start), dtype="float32", always_2d=True).T
                if samples.shape[1] < 0.9 * (stop - start):
                    raise MediaError(f"cut short: {samples.shape[1]} of {stop - start} samples", given=path)
                return samples, rate
        except soundfile.LibsndfileError as error:
            _log.debug("soundfile cannot read %s: %s", path, error)
            return None


def _check_whole(path: Path) -> None:
    """A RIFF file states its size; soundfile reads one that was cut short without a word."""
    with open(path, "rb") as file:
        head = file.read(8)
    stated = int.from_bytes(head[4:8], "little") + 8
    size = path.stat().st_size
    streamed = stated in (8, 2**32 - 1 + 8)  # written without knowing the length
    if head[:4] == b"RIFF" and not streamed and size < 0.9 * stated:
        raise MediaError(f"cut short: it states {stated} bytes and holds {size}", given=path)


def _by_av(path: Path, start_s: float, end_s: float) -> tuple[Floats, int] | None:
    line = timeline(path)
    if not line.has_sound:
        return None
    parts: list[Floats] = []
    first_s: float | None = None
    with opened(path) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
        if start_s > _PREROLL_S:
            target = start_s - _PREROLL_S + line.start_s
            container.seek(int(target / stream.time_base), stream=stream, backward=True)
        for frame in container.decode(stream):
            time = float(frame.time) - line.start_s if frame.time is not None else (first_s or 0.0)
            if time >= end_s:
                break
            if time + frame.samples / frame.sample_rate <= start_s:
                continue
            first_s = time if first_s is None else first_s
            parts += [piece.to_ndarray() for piece in resampler.resample(frame)]
        rate = int(stream.rate)
    return _cut(parts, first_s or 0.0, start_s, end_s, rate), rate


def _cut(parts: list[Floats], first_s: float, start_s: float, end_s: float, rate: int) -> Floats:
    """Join decoded pieces that begin at ``first_s`` and keep start_s..end_s; silence where the track starts later."""
    if not parts:
        return np.zeros((1, 0), np.float32)
    samples = np.concatenate(parts, axis=1)
    offset = round((start_s - first_s) * rate)
    if offset < 0:
        samples = np.pad(samples, ((0, 0), (-offset, 0)))
    samples = samples[:, max(0, offset) :]
    return samples[:, : round((end_s - start_s) * rate)] if np.isfinite(end_s) else samples
