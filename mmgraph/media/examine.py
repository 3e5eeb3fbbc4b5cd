"""One file looked at once: can it be decoded, what does it hold, where is it cut. Runs in the processes of ``media.workers``."""

from pathlib import Path
from typing import Any

from mmgraph.catalogue.kinds import KIND_OF, Held, ending
from mmgraph.errors import MediaError
from mmgraph.media import subtitles
from mmgraph.media.clip import Source
from mmgraph.media.decode import MediaInfo, decode, probe
from mmgraph.media.shots import find_cuts
from mmgraph.settings import MediaSettings

VERSION = 2  # part of the cache key: to be raised when the same file would be answered differently


def examine(path: Path, kind: str, settings: MediaSettings) -> dict[str, Any]:
    """``{"duration_s", "holds"}``, for a video to be cut with ``cuts_s`` or ``cues``; or ``{"reason": why it cannot be used}``.

    kind: what the item promises of its file: ``video`` (to be cut), ``whole`` (a video that is not), ``image``, ``music``,
    ``text``, ``any``; or ``cues``: subtitles, answered by ``{"cues": [[start_s, end_s, said], ...]}``.
    """
    try:
        if kind == "cues":
            return {"cues": subtitles.read(path)}
        info = _probe(path, kind, settings)
        _check_kind(path, kind, info)
        _decode_once(path, kind, info, settings)
        found = {"duration_s": info.duration_s, "holds": _holds(info)}
        return found | _to_cut_at(path, settings) if kind == "video" else found
    except MediaError as error:
        if isinstance(error.__cause__, MemoryError):  # no property of the file alone: it is not remembered
            raise MemoryError from error
        return {"reason": error.wrong}


def _probe(path: Path, kind: str, settings: MediaSettings) -> MediaInfo:
    if kind == "text" and ending(str(path)) not in KIND_OF:  # such a name does not tell; the kind does
        decode(Source(str(path), path), "text", settings)
        return MediaInfo(has_text=True)
    return probe(path, settings.max_pixels)


def _holds(info: MediaInfo) -> list[Held]:
    """What the content says, whatever the name or the kind."""
    held: list[tuple[bool, Held]] = [
        (info.has_video, "moving"),
        (info.has_image and not info.has_video, "still"),
        (info.has_sound, "sound"),
        (info.has_text, "text"),
    ]
    return [name for has, name in held if has]


def _check_kind(path: Path, kind: str, info: MediaInfo) -> None:
    """The content must be what the item's kind promises; sound alone under a video's name is quarantined, and said so."""
    holds = "sound" if info.has_sound else "text" if info.has_text else "a still picture"
    if kind in ("video", "whole") and not info.has_video:
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


def _decode_once(path: Path, kind: str, info: MediaInfo, settings: MediaSettings) -> None:
    """As the encoders will: what hangs or crashes does so here. A still or a text was read whole by the probe."""
    if info.has_video and kind != "music":
        decode(Source(str(path), path, moving=True), "image", settings)
    elif info.has_sound:
        decode(Source(str(path), path), "audio", settings)


def _to_cut_at(path: Path, settings: MediaSettings) -> dict[str, Any]:
    method = settings.segments.method
    if method == "shots":
        return {"cuts_s": find_cuts(path, settings.segments.threshold)}
    return {"cues": subtitles.embedded(path)} if method == "subtitles" else {}
