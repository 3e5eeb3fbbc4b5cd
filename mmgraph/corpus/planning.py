"""Draw the hidden truth of a corpus from a seed."""

import math

import numpy as np

from mmgraph.corpus.chance import spread, stream
from mmgraph.corpus.links import friends, listens, set_to, watches
from mmgraph.corpus.truth import (
    CATEGORIES,
    FRAME_RATE_HZ,
    ROLES,
    CorpusSize,
    Link,
    Mood,
    Note,
    Palette,
    Piece,
    Plan,
    Shot,
    Still,
    User,
    Video,
    look_of,
    sound_of,
)
from mmgraph.errors import SettingsError

SHOWN = 0.55  # share of the shots that show the look, and (drawn apart) carry the sound, of their video's category
SKIP = 0.1  # how often a step of the story leaves one role out
# Hues keep away from red: its hue wraps around, and PySceneDetect takes the flicker of 0 and 360 degrees for cuts.
LOOK_HUES = ((30.0, 201.0), (73.0, 244.0), (116.0, 287.0), (159.0, 330.0))
HUES = (25.0, 335.0)
_FOLDERS = {"videos": (".mp4",), "images": (".png", ".jpg"), "music": (".ogg", ".ogg", ".wav"), "texts": (".txt",)}
_BROKEN = {"videos": ".mp4", "images": ".png", "music": ".wav", "texts": ".txt"}


def plan(seed: int = 7, size: CorpusSize | None = None, listening: bool = False) -> Plan:
    """The truth behind the corpus that ``make`` writes for the same arguments: ``listening`` adds links from users to music, and changes
    nothing else. Raises SettingsError for a seed below 0.
    """
    if seed < 0:
        raise SettingsError("a seed cannot be negative", given=seed, todo="give 0 or more")
    size = size or CorpusSize()
    paths, broken = _paths(seed, size)
    grammar = tuple(int(role) for role in stream(seed, "grammar").permutation(len(ROLES)))
    videos = _videos(seed, paths["videos"], grammar)
    music = _music(seed, paths["music"])
    images = _images(seed, paths["images"], videos)
    texts = _texts(seed, paths["texts"], videos)
    users = _users(seed, size.users)
    links = [
        *(Link(still.path, "still_from", videos[still.video].path) for still in images if still.linked),
        *(Link(note.path, "describes", videos[note.video].path) for note in texts if note.linked),
        *set_to(videos, music, stream(seed, "set_to")),
        *watches(users, videos, stream(seed, "watches")),
        *friends(users, stream(seed, "friends")),
        *(listens(users, music, stream(seed, "listens")) if listening else ()),
    ]
    return Plan(seed, size, grammar, videos, music, images, texts, users, tuple(links), broken)


def _paths(seed: int, size: CorpusSize) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Names that tell nothing: hexadecimal numbers, all different, in an order that has no meaning."""
    counts = {folder: getattr(size, folder) for folder in _FOLDERS}
    chance = stream(seed, "names")
    numbers = iter(chance.choice(16**6, size=sum(counts.values()) + len(_BROKEN), replace=False))
    paths = {
        folder: [f"{folder}/{next(numbers):06x}{endings[chance.integers(len(endings))]}" for _ in range(counts[folder])]
        for folder, endings in _FOLDERS.items()
    }
    return paths, tuple(f"{folder}/{next(numbers):06x}{ending}" for folder, ending in _BROKEN.items())


def _moods(count: int, chance: np.random.Generator) -> list[Mood]:
    return [Mood(float(valence), float(arousal)) for valence, arousal in spread(count, chance)]


def _balanced(count: int, chance: np.random.Generator) -> list[int]:
    return [int(category) for category in chance.permutation(np.arange(count) % len(CATEGORIES))]


def _videos(seed: int, paths: list[str], grammar: tuple[int, ...]) -> tuple[Video, ...]:
    chance = stream(seed, "videos")
    drawn = zip(paths, _balanced(len(paths), chance), _moods(len(paths), chance), strict=True)
    return tuple(
        _video(path, category, mood, grammar, stream(seed, "video", index))
        for index, (path, category, mood) in enumerate(drawn)
    )


def _video(path: str, category: int, mood: Mood, grammar: tuple[int, ...], chance: np.random.Generator) -> Video:
    lengths = _lengths(chance)
    ends = np.cumsum(lengths) / FRAME_RATE_HZ
    starts = ends - lengths / FRAME_RATE_HZ
    roles = _roles(len(lengths), grammar, chance)
    looks = _shown(look_of(category), len(lengths), chance)
    sounds = _shown(sound_of(category), len(lengths), chance)
    palettes = _palettes(looks, chance)
    return Video(
        path=path,
        category=category,
        mood=mood,
        shots=tuple(map(Shot, starts.tolist(), ends.tolist(), roles, looks, sounds, palettes)),
        hue_shift=float(chance.uniform(-7, 7)),
        grain=float(chance.uniform(0.5, 4)),
        vignette=float(chance.uniform(0, 0.45)),
        side_car=("", "", ".srt", ".txt")[chance.integers(4)],
    )


def _lengths(chance: np.random.Generator) -> np.ndarray:
    """Frames of each shot: 3-8 shots of 2.2-4.5 s, 10-30 s together."""
    count = int(chance.choice(np.arange(3, 9), p=(0.06, 0.1, 0.19, 0.25, 0.22, 0.18)))
    while True:
        lengths = chance.integers(22, 46, size=count)
        if 10 * FRAME_RATE_HZ <= lengths.sum() <= 30 * FRAME_RATE_HZ:
            return lengths


def _roles(count: int, grammar: tuple[int, ...], chance: np.random.Generator) -> list[int]:
    """Walk along the cycle from anywhere; a step skips one role at times, never so often that a role comes again."""
    place = int(chance.integers(len(grammar)))
    spare = len(grammar) - count
    roles = [grammar[place]]
    while len(roles) < count:
        skips = bool(chance.random() < SKIP and spare > 0)
        spare -= skips
        place += 1 + skips
        roles.append(grammar[place % len(grammar)])
    return roles


def _shown(own: int, count: int, chance: np.random.Generator) -> list[int | None]:
    """The category's own in a part of the shots, in at least one."""
    shown = chance.random(count) < SHOWN
    shown[chance.integers(count)] |= not shown.any()
    return [own if here else None for here in shown]


def _palettes(looks: list[int | None], chance: np.random.Generator) -> list[Palette]:
    """Two variants take turns: dark and saturated, light and pale; a neutral shot's hue is far from its neighbours'."""
    first = int(chance.integers(2))
    hues = [math.nan if look is None else LOOK_HUES[look][(first + index) % 2] for index, look in enumerate(looks)]
    for index, hue in enumerate(hues):
        if math.isnan(hue):
            hues[index] = _far_from([near for near in hues[max(index - 1, 0) : index + 2] if not math.isnan(near)], chance)
    return [
        Palette(hue, (0.72, 0.42)[(first + index) % 2], (-0.09, 0.09)[(first + index) % 2]) for index, hue in enumerate(hues)
    ]


def _far_from(hues: list[float], chance: np.random.Generator) -> float:
    tried = chance.uniform(*HUES, size=64)
    distances = np.min([np.abs(tried - hue) for hue in hues] or [np.full(64, 360.0)], axis=0)
    far = np.flatnonzero(distances > 60)
    return float(tried[far[0] if len(far) else distances.argmax()])


def _music(seed: int, paths: list[str]) -> tuple[Piece, ...]:
    chance = stream(seed, "music")
    moods = _moods(len(paths), chance)
    return tuple(Piece(path, mood, float(chance.uniform(6, 10))) for path, mood in zip(paths, moods, strict=True))


def _images(seed: int, paths: list[str], videos: tuple[Video, ...]) -> tuple[Still, ...]:
    chance = stream(seed, "images")
    chosen = _some(videos, 0.6, chance)
    stills = []
    for path in paths:
        video = int(chance.choice(chosen))
        look = _shown(look_of(videos[video].category), 1, chance)[0] if chance.random() < 0.7 else None
        shot = Shot(0.0, 0.0, int(chance.integers(len(ROLES))), look, None, _palettes([look], chance)[0])
        stills.append(Still(path, video, bool(chance.random() < 0.9), shot))
    return tuple(stills)


def _texts(seed: int, paths: list[str], videos: tuple[Video, ...]) -> tuple[Note, ...]:
    chance = stream(seed, "texts")
    chosen = _some(videos, 0.85, chance)
    return tuple(Note(path, int(chance.choice(chosen)), bool(chance.random() < 0.93)) for path in paths)


def _some(videos: tuple[Video, ...], share: float, chance: np.random.Generator) -> np.ndarray:
    return chance.permutation(len(videos))[: max(1, round(share * len(videos)))]


def _users(seed: int, count: int) -> tuple[User, ...]:
    chance = stream(seed, "users")
    tastes = zip(_moods(count, chance), _balanced(count, chance), strict=True)
    return tuple(User(f"user:{index:03d}", mood, category) for index, (mood, category) in enumerate(tastes, start=1))
