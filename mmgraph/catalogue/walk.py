"""A tree of files as items: what kind each is, and which text stands beside which media file."""

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmgraph.catalogue.contract import Unread
from mmgraph.catalogue.features import FOLDER
from mmgraph.catalogue.kinds import KIND_OF
from mmgraph.catalogue.tables import SUFFIXES

_log = logging.getLogger(__name__)
_TABLES = {name + suffix for name in ("items", "links", "labels") for suffix in SUFFIXES}
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
        above = PurePosixPath(self.id).parent.as_posix()
        return "" if above == "." else above

    @property
    def stem(self) -> str:
        """Its name without the last ending."""
        return PurePosixPath(self.id).stem


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
        if not _is_unicode(name):
            shown = name.encode("utf-8", "backslashreplace").decode()
            unread.append(Unread(shown, str(root / shown), "the file name is not UTF-8; rename it"))
        elif kind := _kind(name):
            found.append(Found(name, kind))
            sizes.update(f"{name}\0{size}\0".encode())
        elif not _is_table(name):
            ignored.append(name)
    if ignored:
        _log.info("%d files under %s fit no kind and are ignored: %s", len(ignored), root, ", ".join(ignored[:5]))
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
        for name in files:
            path = Path(folder, name)
            if not name.startswith("."):
                yield path.relative_to(root).as_posix(), _size(path)


def _say(error: OSError) -> None:
    _log.warning("a folder cannot be read and is left out: %s", error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a link to nothing: an item all the same, so that it ends in quarantine with its reason
        return -1


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _kind(name: str) -> str | None:
    path = PurePosixPath(name)
    kind = KIND_OF.get(path.suffix.lower())
    if kind == "text" and (_is_table(name) or path.stem.lower() in _ABOUT):
        return None
    return kind


def _is_table(name: str) -> bool:
    """Whether it is one of the tables or brought vectors at the root."""
    return name in _TABLES or (name.startswith(FOLDER + "/") and name.endswith((".npy", ".ids.txt")))


def _with_parents(found: list[Found]) -> tuple[Found, ...]:
    """Texts of the same stem as a media file of their folder (``a.txt`` or ``a.mp4.txt`` beside ``a.mp4``) get it as parent.

    Of several media files of one stem, a video comes before music, and music before an image.
    """
    media: dict[tuple[str, str], str] = {}
    for kind in ("image", "music", "video"):
        for one in found:
            if one.kind == kind:
                media[one.folder, one.stem] = one.id
    for one in found:
        if one.kind != "text":
            media[one.folder, PurePosixPath(one.id).name] = one.id
    return tuple(Found(one.id, one.kind, media.get((one.folder, one.stem))) if one.kind == "text" else one for one in found)
