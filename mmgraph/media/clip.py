"""What decoding gives: frames, sound or characters, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from mmgraph.types import Bytes, Floats


@dataclass(frozen=True)
class Span:
    """A stretch of a file in seconds; ``end_s`` None means to the end."""

    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class Frames:
    """Images in time: ``pixels`` uint8 [t, h, w, 3] RGB, ``times_s`` of each (a still image has one frame at 0)."""

    pixels: Bytes
    times_s: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Sound:
    """``samples`` float32 [channels, n] in -1..1 at ``rate_hz``."""

    samples: Floats
    rate_hz: int


@dataclass(frozen=True)
class Words:
    """Characters of a text."""

    text: str


Clip = Frames | Sound | Words


@dataclass(frozen=True)
class Source:
    """Where one clip is found: a file with a span, or a text that the catalogue carries. ``key`` is the item's id.

    ``moving``: of an animated gif all pictures are meant, as of a video, not the first alone; so they are where a span is given.
    """

    key: str
    path: Path | None = None
    span: Span = Span()
    text: str | None = None
    moving: bool = False
