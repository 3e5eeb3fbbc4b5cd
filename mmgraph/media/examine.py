"""One file looked at once: can it be decoded, what does it hold, where is it cut. Runs in the processes of ``media.workers``."""

from pathlib import Path
from typing import Any

from mmgraph.errors import MediaError
from mmgraph.media.clip import Source
from mmgraph.media.decode import MediaInfo, decode, probe
from mmgraph.media.shots import find_cuts, merge_and_divide, windows
from mmgraph.settings import MediaSettings, SegmentSettings

VERSION = 1  # part of the cache key: to be raised when the same file would be answered differently


def examine(path: Path, kind: str, settings: MediaSettings) -> dict[str, Any]:
    """``{"duration_s": ..., "pieces": [[start_s, end_s], ...]}``, or ``{"reason": why it cannot be used}``."""
    try:
        info = probe(path, settings.max_pixels)
        _check_kind(path, kind, info)
        if kind == "video":
            return {"duration_s": info.duration_s, "pieces": _pieces(path, info, settings)}
        if kind == "music" or info.has_video:  # a still or a text was read whole by the probe
            decode(Source(str(path), path), "audio" if kind == "music" else "image", settings)
        return {"duration_s": info.duration_s, "pieces": []}
    except MediaError as error:
        if isinstance(error.__cause__, MemoryError):  # no property of the file alone: it is not remembered
            raise MemoryError from error
        return {"reason": error.wrong}


def _check_kind(path: Path, kind: str, info: MediaInfo) -> None:
    """The content must be what the item's kind promises; sound alone under a video's name is quarantined, and said so."""
    holds = "sound" if info.has_sound else "text" if info.has_text else "a still picture"
    if kind == "video" and not info.has_video:
        hint = "; as a sound file (.m4a, .ogg, …) it would be music" if info.has_sound else ""
        raise MediaError(f"it is no video: it holds {holds} but no moving pictures{hint}", given=path)
    if kind == "image" and not info.has_image:
        raise MediaError(f"it is no image: it holds {holds}", given=path)
    if kind == "music" and not info.has_sound:
        holds = "moving pictures without sound" if info.has_video else holds
        raise MediaError(f"it is no music: it holds {holds}", given=path)
    if kind == "text" and not info.has_text:
        holds = "moving pictures" if info.has_video else holds
        raise MediaError(f"it is no text: it holds {holds}", given=path)


def _pieces(path: Path, info: MediaInfo, settings: MediaSettings) -> list[tuple[float, float]]:
    cut: SegmentSettings = settings.segments
    decode(Source(str(path), path), "image", settings)  # as the encoders will: what hangs or crashes does so here
    if cut.method == "shots":
        return merge_and_divide(find_cuts(path, cut.threshold), info.duration_s, cut.min_s, cut.max_s)
    return windows(info.duration_s, cut.min_s, cut.max_s) if cut.method == "windows" else []
