"""Cues of a video's subtitles: of a file beside it, or of a track inside it."""

import contextlib
from pathlib import Path
from typing import Any

import av

from mmgraph.catalogue.kinds import SUBTITLES
from mmgraph.errors import MediaError
from mmgraph.media import words
from mmgraph.media.container import opened
from mmgraph.media.guard import check_file, guarded

_TEXT = ("subrip", "srt", "webvtt", "text", "mov_text", "ass", "ssa")  # others are pictures of text
_FIELDS = 8  # before the words of an ASS event: order, layer, style, name, three margins, effect
Cues = list[tuple[float, float, str]]


def read(path: Path) -> Cues:
    """The cues (start_s, end_s, said) of a .srt or .vtt file; raises MediaError where it has none."""
    check_file(path)
    with guarded(path):
        if path.stat().st_size > words.LONGEST_BYTES:
            raise MediaError(f"subtitles of more than {words.LONGEST_BYTES // 2**20} MB", given=path)
        found = words.cues(words.characters(path.read_bytes(), path))
    if not found:
        raise MediaError("it holds no cues with times and words", given=path)
    return found


def embedded(path: Path) -> Cues:
    """The cues of the first track of text inside a container; none without such a track. Raises MediaError."""
    with opened(path) as container:
        track = next((stream for stream in container.streams.subtitles if stream.codec_context.name in _TEXT), None)
        if track is None:
            return []
        start_s = (container.start_time or 0) / av.time_base
        blocks = []
        with contextlib.suppress(av.FFmpegError):  # cut short: what was read until here counts
            for packet in container.demux(track):
                if packet.pts is not None and packet.duration and packet.size:
                    begun = float(packet.pts * packet.time_base) - start_s
                    blocks.append(_block(begun, float(packet.duration * packet.time_base), _words(packet, track)))
    return words.cues("\n".join(blocks))


def _words(packet: Any, track: Any) -> str:
    raw = bytes(packet)
    name = track.codec_context.name
    if name == "mov_text":  # 3GPP timed text: a length, the words, then styles
        raw = raw[2 : 2 + int.from_bytes(raw[:2], "big")]
    text = raw.decode("utf-8", errors="replace")
    if name in ("ass", "ssa"):
        text = text.split(",", _FIELDS)[-1].replace("\\N", "\n").replace("\\n", "\n")
    return text


def _block(start_s: float, length_s: float, text: str) -> str:
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return "\n".join([f"{_moment(max(0.0, start_s))} --> {_moment(max(0.0, start_s + length_s))}", *lines, ""])


def _moment(seconds: float) -> str:
    """Seconds as subtitles write them.

    >>> _moment(3723.5)
    '1:02:03.500'
    """
    thousandths = round(seconds * 1000)
    return f"{thousandths // 3_600_000}:{thousandths // 60_000 % 60:02d}:{thousandths % 60_000 / 1000:06.3f}"


def beside(path: str) -> str | None:
    """The subtitles that lie beside a video: ``walk.srt``, ``walk.mp4.srt``, ``walk.vtt`` or ``walk.mp4.vtt``."""
    names = (Path(path).with_suffix(suffix) for suffix in SUBTITLES), (Path(path + suffix) for suffix in SUBTITLES)
    return next((str(one) for some in names for one in some if one.is_file()), None)
