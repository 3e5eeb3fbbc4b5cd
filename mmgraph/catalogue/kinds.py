"""Which file is of which kind, by its ending. A module of its own, as worker processes need it without pandas."""

import posixpath
from typing import Literal

Held = Literal["moving", "still", "sound", "text"]

_ENDINGS = {
    "video": "mp4 mov mkv webm avi ts m4v",
    "music": "wav flac ogg opus mp3 m4a",
    "image": "jpg jpeg png webp gif tiff tif bmp avif",
    "text": "txt md srt vtt json",
}
KIND_OF = {"." + ending: kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
SUBTITLES = (".srt", ".vtt")
_HELD: dict[str, tuple[Held, ...]] = {
    "video": ("moving", "sound"),
    "segment": ("moving", "sound"),
    "image": ("still",),
    "music": ("sound",),
    "text": ("text",),
}


def ending(path: str) -> str:
    """The last ending of a path in small letters, with its dot; empty without one.

    >>> ending("a.b/Walk.MP4"), ending("a.b/walk")
    ('.mp4', '')
    """
    return posixpath.splitext(path)[1].lower()


def held_by_name(path: str, kind: str = "") -> tuple[Held, ...]:
    """What a file may hold as far as its ending tells; for an unknown ending what the kind promises, else nothing.

    >>> held_by_name("a.jpg"), held_by_name("a.mp4"), held_by_name("a.xyz", "music"), held_by_name("a.xyz", "user")
    (('still',), ('moving', 'sound'), ('sound',), ())
    """
    return _HELD.get(KIND_OF.get(ending(path), kind), ())
