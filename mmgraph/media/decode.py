"""The one door from a file to a clip. What a file is, its content says, not its name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mmgraph.catalogue.animated import animated
from mmgraph.catalogue.kinds import KIND_OF
from mmgraph.errors import MediaError
from mmgraph.media import image, sound, video, words
from mmgraph.media.clip import Clip, Frames, Source, Span
from mmgraph.media.container import Timeline, timeline
from mmgraph.media.guard import check_file, guarded
from mmgraph.settings import MediaSettings
from mmgraph.types import Modality, Times

Content = Literal["image", "sound", "text", "container"]
_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_AVIF, _HEIF = (b"avif", b"avis"), (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
_HEAD_BYTES = 64
_SOUNDS = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa")
_TEXTS = tuple(suffix for suffix, kind in KIND_OF.items() if kind == "text")


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds. ``duration_s`` of its pictures, else of its sound (0 for stills and texts); ``frames``: how many.

    A still has one frame, and ``has_image`` without ``has_video``; an animated gif has both.
    """

    duration_s: float = 0.0
    frames: int = 0
    rate_hz: int = 0
    channels: int = 0
    has_image: bool = False
    has_video: bool = False
    has_sound: bool = False
    has_text: bool = False


def content(path: Path) -> Content:
    """What the first bytes say; without a known mark, ``text`` if the name says so, else ``container``. Raises MediaError."""
    check_file(path)
    with guarded(path), open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _HEIF:
        raise MediaError("HEIC pictures cannot be read", given=path, todo="convert it to jpg, png or avif")
    bitmap = head[:2] == b"BM" and head[6:10] == bytes(4)
    if bitmap or head.startswith(_IMAGES) or brand in _AVIF or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if head.startswith(_SOUNDS) or (head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"):
        return "container" if b"theora" in head else "sound"
    return "text" if path.suffix.lower() in _TEXTS else "container"


def decode(source: Source, modality: Modality, settings: MediaSettings) -> Clip | None:
    """The clip of one modality; None where the file has no such modality (a silent video's audio). Raises MediaError.

    image: a still, or ``frames_per_segment`` frames evenly spaced inside the span (a whole video: over its length).
    audio: the span's sound, at most ``max_sound_s`` from its start. text: ``source.text``, or of a text file.
    A photo or video may carry a text beside its file: it has both modalities. Of an animated gif the first picture is taken,
    and all as of a video where the source is ``moving`` or a span of it is asked for.
    """
    if modality == "text" and source.text is not None:
        return words.plain(source.text, source.key)
    if source.path is None:
        return None
    path = source.path
    kind = content(path)
    if modality == "text":
        return words.read(path) if kind == "text" or path.suffix.lower() not in KIND_OF else None
    if kind == "text":
        return None
    if modality == "audio":
        return None if kind == "image" else sound.read(path, source.span, settings.max_sound_s, plain=kind == "sound")
    moving = source.moving or source.span != Span()
    if kind == "image" and not (moving and animated(str(path))):
        return image.read(path, settings.max_pixels)
    return _frames(path, source.span, kind, settings)


def _frames(path: Path, span: Span, kind: Content, settings: MediaSettings) -> Frames | None:
    if kind == "sound":
        return None  # cover art of music is no picture of it
    line = timeline(path)
    if not line.has_video:
        return None
    _check_pixels(path, line, settings.max_pixels)
    end_s = line.picture_end_s if span.end_s is None else min(span.end_s, line.picture_end_s)
    inside = line.times_s[(line.times_s >= span.start_s - 1e-3) & (line.times_s < end_s - 1e-3)]
    if not len(inside) and span.start_s >= line.picture_end_s:
        raise MediaError(f"the pictures end at {line.picture_end_s:.2f} s, before {span.start_s:.2f} s", given=path)
    wanted = spaced(span.start_s, end_s, settings.frames_per_segment)
    return video.read(path, np.clip(wanted, inside[0], inside[-1]) if len(inside) else wanted)


def _check_pixels(path: Path, line: Timeline, max_pixels: int) -> None:
    if line.has_video and not line.width * line.height:
        raise MediaError("the size of its frames is unknown, or too large to be decoded", given=path)
    if line.width * line.height > max_pixels:
        size = f"{line.width} x {line.height}"
        raise MediaError(f"frames of {size} pixels are more than media.max_pixels = {max_pixels}", given=path)


def spaced(start_s: float, end_s: float, count: int) -> Times:
    """Middles of ``count`` equal parts of a span.

    >>> spaced(0.0, 8.0, 4).tolist()
    [1.0, 3.0, 5.0, 7.0]
    """
    return start_s + (np.arange(count) + 0.5) * (end_s - start_s) / count


def probe(path: Path, max_pixels: int = MediaSettings().max_pixels) -> MediaInfo:
    """What a file holds, from its headers and packets; a still or text is read whole. Raises MediaError."""
    kind = content(path)
    if kind == "image":
        image.read(path, max_pixels)
        if not animated(str(path)):
            return MediaInfo(frames=1, has_image=True)
    if kind == "text":
        words.read(path)
        return MediaInfo(has_text=True)
    if kind == "sound":
        with guarded(path):
            found = sound.length(path, plain=True)
        duration, rate, channels = found or (0.0, 0, 0)
        return MediaInfo(duration_s=duration, rate_hz=rate, channels=channels, has_sound=rate > 0)
    line = timeline(path)
    _check_pixels(path, line, max_pixels)
    return MediaInfo(
        duration_s=line.picture_end_s if line.has_video else line.end_s,
        frames=len(line.times_s),
        rate_hz=line.rate_hz,
        channels=line.channels,
        has_image=line.has_video,
        has_video=line.has_video,
        has_sound=line.has_sound,
    )
