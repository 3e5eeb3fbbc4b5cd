"""A tree of files as items: what kind each is, and which text stands beside which media file."""

import hashlib
import logging
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mmgraph.catalogue.animated import animated
from mmgraph.catalogue.contract import UNUSABLE, Unread
from mmgraph.catalogue.features import FOLDER
from mmgraph.catalogue.kinds import KIND_OF, SUBTITLES, ending
from mmgraph.catalogue.tables import SUFFIXES
from mmgraph.errors import first_of

_log = logging.getLogger(__name__)
_TABLES = {name + suffix for name in ("items", "links", "labels") for suffix in SUFFIXES}
_LANGUAGE = re.compile(r"\.[a-z]{2,3}([-_][A-Za-z0-9]+)*$")  # of subtitles: walk.en.srt, walk.pt-BR.vtt
_ABOUT = {"readme", "license", "licence", "copying", "notice", "changelog"}  # texts about the folder, not in it


@dataclass(frozen=True)
class Found:
    """One file: ``id`` is its path relative to the root with ``/``; ``parent``: the media file that a side-car belongs to."""

    id: str
    kind: str
    parent: str | None = None

    @property
    def folder(self) -> str:
        """The folder it lies in, relative to the root; empty for the root itself."""
        return posixpath.dirname(self.id)

    @property
    def stem(self) -> str:
        """Its name without the last ending."""
        return posixpath.splitext(self.name)[0]

    @property
    def name(self) -> str:
        """Its name with all endings."""
        return posixpath.basename(self.id)


@dataclass(frozen=True)
class Walk:
    """Files sorted by id, names that cannot be used, and a hash over the paths and sizes of all."""

    files: tuple[Found, ...]
    unread: tuple[Unread, ...]
    listing: str


def walk(root: Path) -> Walk:
    """Find the media files under ``root``: sorted, hidden ones left out, folders reached twice through links read once."""
    found: list[Found] = []
    unread: list[Unread] = []
    ignored: list[str] = []
    sizes = hashlib.sha256()
    for name, size in sorted(_names(root)):
        kind = _kind(root, name)
        if kind is None:
            if not _is_table(name):
                ignored.append(name)
        elif wrong := _wrong(name):
            shown = name.encode("unicode_escape").decode("ascii")
            unread.append(Unread(shown, str((root / shown).absolute()), wrong))
        else:
            found.append(Found(name, kind))
            sizes.update(f"{name}\0{size}\0".encode())
    if ignored:
        files = "1 file" if len(ignored) == 1 else f"{len(ignored)} files"
        _log.warning("left out, as their endings or names are of no kind: %s under %s: %s", files, root, first_of(ignored))
    return Walk(_with_parents(found), tuple(unread), sizes.hexdigest())


def _names(root: Path) -> Iterator[tuple[str, int]]:
    """Path relative to ``root`` with ``/``, and size, of every file that is not hidden."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_say):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:  # reached before, through a symbolic link: a loop or a second way
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in files:
            if not name.startswith("."):
                yield name if below == "." else f"{below}/{name}", _size(posixpath.join(folder, name))


def _say(error: OSError) -> None:
    _log.warning("a folder cannot be read and is left out: %s", error)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - pathlib takes ten times as long, and a corpus has many
    except OSError:  # a link to nothing: an item all the same, so that it ends in quarantine with its reason
        return -1


def _wrong(name: str) -> str:
    """Why a name can be no id; empty where it can."""
    if not (unusable := UNUSABLE.search(name)):
        return ""
    not_unicode = "\ud800" <= unusable[0] <= "\udfff"  # how Python shows bytes that are no UTF-8
    return (
        "the file name is not UTF-8; rename it" if not_unicode else "the file name holds a line break or the like; rename it"
    )


def _kind(root: Path, name: str) -> str | None:
    suffix = ending(name)
    kind = KIND_OF.get(suffix)
    if kind == "text" and (_is_table(name) or posixpath.basename(name)[: -len(suffix)].lower() in _ABOUT):
        return None
    return "video" if suffix == ".gif" and animated(posixpath.join(root, name)) else kind


def _is_table(name: str) -> bool:
    """Whether it is one of the tables or brought vectors at the root."""
    return name in _TABLES or (name.startswith(FOLDER + "/") and name.endswith((".npy", ".ids.txt")))


def _with_parents(found: list[Found]) -> tuple[Found, ...]:
    """Texts of the same stem as a media file of their folder (``a.txt`` or ``a.mp4.txt`` beside ``a.mp4``) get it as parent.

    Subtitles may name a language (``a.en.srt``). Of several media files of one stem, a video comes before music, and music
    before an image.
    """
    media: dict[tuple[str, str], str] = {}
    for kind in ("image", "music", "video"):
        for one in found:
            if one.kind == kind:
                media[one.folder, one.stem] = one.id
    for one in found:
        if one.kind != "text":
            media[one.folder, one.name] = one.id
    return tuple(replace(one, parent=_beside(one, media)) if one.kind == "text" else one for one in found)


def _beside(text: Found, media: dict[tuple[str, str], str]) -> str | None:
    parent = media.get((text.folder, text.stem))
    if parent is None and text.id.lower().endswith(SUBTITLES):
        return media.get((text.folder, _LANGUAGE.sub("", text.stem)))
    return parent
