"""The hidden truth of a sample corpus: what is behind the files, never written to disk.

A category is three bits (a, b, c). Its look follows from (a, b), its sound from (b, c), its words from (a, c); so it shares
each of them with exactly one other category, with a different one each time, and no modality alone tells it.
"""

from dataclasses import dataclass
from typing import Literal

from mmgraph.errors import SettingsError

CATEGORIES = ("harbour", "forest", "kitchen", "market", "workshop", "garden", "station", "rooftop")
ROLES = ("horizon", "disc", "columns", "checker", "wedge", "ring", "frame", "bands")
FRAME_RATE_HZ = 10


@dataclass(frozen=True, kw_only=True)
class CorpusSize:
    """How many files of each kind, broken ones not counted, and how many users. Raises SettingsError below 0 (videos: below 1)."""

    videos: int = 120
    images: int = 96
    music: int = 72
    texts: int = 240
    users: int = 240

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            if count < (name == "videos"):
                raise SettingsError(f"a sample corpus cannot have so few {name}", given=count, todo="ask for more")


def look_of(category: int) -> int:
    """Bits (a, b) of a category: its palettes and its texture."""
    return category >> 1


def sound_of(category: int) -> int:
    """Bits (b, c) of a category: the family of its ambient sound."""
    return category & 3


def words_of(category: int) -> int:
    """Bits (a, c) of a category: its topic.

    >>> sorted(words_of(category) for category in range(8))
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    return (category >> 1) & 2 | category & 1


@dataclass(frozen=True)
class Mood:
    """Valence (sad to glad) and arousal (calm to excited), both 0..1; independent of the category."""

    valence: float
    arousal: float

    def distance(self, other: "Mood") -> float:
        """Euclidean distance."""
        return ((self.valence - other.valence) ** 2 + (self.arousal - other.arousal) ** 2) ** 0.5


@dataclass(frozen=True)
class Palette:
    """Hue in degrees, saturation 0..1, and what is added to the value (brightness) of a mood."""

    hue: float
    saturation: float
    lift: float


@dataclass(frozen=True)
class Shot:
    """One shot: its place in the video, its motif (index of ROLES), and what of the category it shows.

    look, sound: the category's, or None where the shot is a neutral close-up or has silence or neutral noise.
    """

    start_s: float
    end_s: float
    role: int
    look: int | None
    sound: int | None
    palette: Palette


@dataclass(frozen=True)
class Video:
    """One video: hue_shift (degrees), grain (grey levels) and vignette (0..1) are its own; texts may stand beside it."""

    path: str
    category: int
    mood: Mood
    shots: tuple[Shot, ...]
    hue_shift: float
    grain: float
    vignette: float
    side_car: Literal["", ".srt", ".txt"]

    @property
    def end_s(self) -> float:
        """Its length."""
        return self.shots[-1].end_s


@dataclass(frozen=True)
class Piece:
    """One piece of music."""

    path: str
    mood: Mood
    length_s: float


@dataclass(frozen=True)
class Still:
    """One image, a still of ``video`` (an index) or, unknown to the tables, of none; shown like a shot of its own."""

    path: str
    video: int
    linked: bool
    shot: Shot


@dataclass(frozen=True)
class Note:
    """One text about ``video`` (an index); the tables know of it only if ``linked``."""

    path: str
    video: int
    linked: bool


@dataclass(frozen=True)
class User:
    """One user's taste."""

    id: str
    mood: Mood
    category: int


@dataclass(frozen=True)
class Link:
    """A row of links.csv; ``time`` in epoch seconds."""

    source: str
    relation: str
    target: str
    time: int | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Plan:
    """Everything about one corpus. ``grammar`` is the cyclic order of the roles; ``broken`` the paths of the broken files."""

    seed: int
    size: CorpusSize
    grammar: tuple[int, ...]
    videos: tuple[Video, ...]
    music: tuple[Piece, ...]
    images: tuple[Still, ...]
    texts: tuple[Note, ...]
    users: tuple[User, ...]
    links: tuple[Link, ...]
    broken: tuple[str, ...]
