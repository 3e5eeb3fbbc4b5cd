"""Every media file examined once: what cannot be read is quarantined, videos are cut into segments."""

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, MEDIA_KINDS, Catalogue, Unread
from mmgraph.catalogue.kinds import KIND_OF
from mmgraph.errors import CatalogueError, MediaError, NothingLeft, SettingsError
from mmgraph.files import sha256
from mmgraph.media.cache import Remembered
from mmgraph.media.examine import VERSION
from mmgraph.media.workers import examined
from mmgraph.progress import Bar
from mmgraph.settings import MediaSettings, plain

_log = logging.getLogger(__name__)
_HASHERS = 4


def cut(catalogue: Catalogue, settings: MediaSettings, cache: Path | None = None) -> Catalogue:
    """Leave out what cannot be decoded (``unread``), add items of kind ``segment``, named ``<video id>#000`` and so on.

    Labels of a video are its segments' as well. A video whose segments the tables give is not cut again. ``cache``: folder
    in which answers are kept, so that a second run decodes nothing. Raises NothingLeft where no item with content is left.
    """
    _check(settings)
    _speak_of_others(catalogue)
    answers = _answers(catalogue, settings, cache)
    unread = _unread(catalogue, answers)
    left = catalogue.without(unread) if unread else catalogue
    if unread:
        _log.warning(
            "%d files cannot be read and are left out; the first: %s: %s", len(unread), unread[0].path, unread[0].reason
        )
    _something_left(catalogue, left)
    return _with_segments(left, answers)


def _check(settings: MediaSettings) -> None:
    segments = settings.segments
    if not 0 < segments.min_s <= segments.max_s:
        given = f"min_s {segments.min_s}, max_s {segments.max_s}"
        raise SettingsError("media.segments: min_s must be above 0 and at most max_s", given=given, todo="mend the two")
    if settings.frames_per_segment < 1:
        raise SettingsError("media.frames_per_segment must be at least 1", given=settings.frames_per_segment, todo="e.g. 4")


def _media(catalogue: Catalogue) -> pd.DataFrame:
    """Items with a file to decode; ``as``: the kind that the file is examined as, for a segment by its ending."""
    items = catalogue.items
    media = items[items["kind"].isin(MEDIA_KINDS) & _in_file(items)]
    endings = (KIND_OF.get(Path(path).suffix.lower(), "video") for path in media["path"])
    pairs = zip(media["kind"], endings, strict=True)
    return media.assign(**{"as": [ending if kind == "segment" else kind for kind, ending in pairs]})


def _speak_of_others(catalogue: Catalogue) -> None:
    items = catalogue.items
    for kind in items.loc[items["path"].notna() & ~items["kind"].isin(MEDIA_KINDS), "kind"].unique():
        _log.warning("items of kind %s have files that are not decoded; kinds that are: %s", kind, ", ".join(MEDIA_KINDS))


def _answers(catalogue: Catalogue, settings: MediaSettings, cache: Path | None) -> dict[tuple[str, str], dict[str, Any]]:
    """(path, kind) -> what ``examine`` says, from the cache or from the worker processes."""
    media = _media(catalogue)
    pairs = list(dict.fromkeys(zip(media["path"], media["as"], strict=True)))
    digests = _digests([path for path, _ in pairs], cache, "reading files")
    found: dict[tuple[str, str], dict[str, Any]] = {}
    waiting: dict[str, list[tuple[str, str]]] = {}
    with Remembered(cache / "examined.jsonl" if cache else None) as known:
        for path, kind in pairs:
            digest = digests[path]
            if digest is None:
                found[path, kind] = {"reason": "the file cannot be opened"}
                continue
            key = f"{digest} {Path(path).suffix.lower()} {_how(kind, settings)}"
            if (answer := known.get(key)) is not None:
                found[path, kind] = answer
            else:
                waiting.setdefault(key, []).append((path, kind))
        _ask(waiting, settings, known, found)
    return found


def _ask(
    waiting: Mapping[str, list[tuple[str, str]]],
    settings: MediaSettings,
    known: Remembered,
    found: dict[tuple[str, str], dict[str, Any]],
) -> None:
    """Examine one file of each content and fill ``known`` and ``found``."""
    keys = list(waiting)
    first = [(Path(waiting[key][0][0]), waiting[key][0][1]) for key in keys]
    with Bar("examining media", len(keys), "files") as bar:
        for index, answer in examined(first, settings):
            if not answer.get("dead"):
                known.put(keys[index], answer)
            for pair in waiting[keys[index]]:
                found[pair] = answer
            bar.advance()


def _how(kind: str, settings: MediaSettings) -> str:
    """What else than its bytes decides about a file: short, and the same for settings that do not matter to its kind."""
    values = plain(settings)
    names = {"video": ("segments", "frames_per_segment"), "image": ("max_pixels",), "music": ("max_sound_s",)}.get(kind, ())
    told = json.dumps([VERSION, kind, {name: values[name] for name in names}], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _unread(catalogue: Catalogue, answers: Mapping[tuple[str, str], dict[str, Any]]) -> tuple[Unread, ...]:
    media = _media(catalogue)
    starts = media["start_s"].where(media["kind"] == "segment")
    rows = zip(media["id"], media["path"], media["as"], starts, strict=True)
    reasons = ((name, path, _reason(answers[path, kind], start)) for name, path, kind, start in rows)
    return tuple(Unread(name, path, reason) for name, path, reason in reasons if reason)


def _reason(answer: Mapping[str, Any], start_s: float) -> str:
    """Why an item cannot be used; empty where it can be."""
    if "reason" in answer:
        return str(answer["reason"])
    end_s = answer["duration_s"]
    return f"it starts at {start_s:g} s, and the file ends at {end_s:g} s" if 0 < end_s <= start_s else ""


def _something_left(before: Catalogue, after: Catalogue) -> None:
    """Tables without media are fine; media of which none can be read are not."""
    had = len(_media(before)) + len(before.unread)
    if not len(after.items) or (
        had and not len(_media(after)) and not after.items["text"].notna().any() and not after.features
    ):
        first = after.unread[0]
        wrong = f"nothing usable is left: none of {had} files can be read; the first: {first.path}: {first.reason}"
        raise NothingLeft(wrong, todo="check the files, and catalogue.root")


def _with_segments(catalogue: Catalogue, answers: Mapping[tuple[str, str], dict[str, Any]]) -> Catalogue:
    items = catalogue.items
    given = set(items.loc[items["kind"] == "segment", "parent"])
    videos = items[(items["kind"] == "video") & items["path"].notna() & ~items["id"].isin(given)]
    rows: list[dict[str, Any]] = []
    for name, path in zip(videos["id"], videos["path"], strict=True):
        for number, (start, end) in enumerate(answers[path, "video"]["pieces"]):
            row = {"id": f"{name}#{number:03d}", "kind": "segment", "path": path, "text": None, "parent": name}
            rows.append({**row, "start_s": start, "end_s": end})
    if not rows:
        return catalogue
    new = pd.DataFrame(rows, columns=list(ITEM_COLUMNS)).astype(dict.fromkeys(ITEM_COLUMNS[:5], object))
    new["text"] = None
    taken = new["id"].isin(set(items["id"]))
    if taken.any():
        name = new.loc[taken, "id"].iloc[0]
        raise CatalogueError("an item has the id that a segment would get", given=repr(name), todo="rename the item")
    joined = pd.concat([items, new.astype(items.dtypes.to_dict())], ignore_index=True)
    return replace(catalogue, items=joined, labels=_inherited(catalogue.labels, new))


def _inherited(labels: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Each label of a video once more for each of its segments, with the same split."""
    children = segments[["id", "parent"]].rename(columns={"id": "segment", "parent": "id"})
    passed = labels.merge(children, on="id").drop(columns="id").rename(columns={"segment": "id"})
    return pd.concat([labels, passed[list(LABEL_COLUMNS)]], ignore_index=True)


def content_hashes(catalogue: Catalogue, cache: Path | None = None) -> dict[str, str]:
    """Item id -> key of its content, for every item that has any; equal content, equal key.

    The SHA-256 of the file's bytes, of these and the span for items with times, or of the text that the catalogue carries
    (for a photo or video that carries one beside its file, of the file).
    Files are read once as long as path, size and time stay the same. Raises MediaError for a file that has gone.
    """
    items = catalogue.items
    in_file = _in_file(items)
    paths = items.loc[in_file, "path"].unique().tolist()
    digests = _digests(paths, cache, "hashing files")
    hashes: dict[str, str] = {}
    columns = (items[name].tolist() for name in ("id", "path", "text", "start_s", "end_s"))
    for from_file, name, path, text, start, end in zip(in_file.tolist(), *columns, strict=True):
        if text is not None and not from_file:
            hashes[name] = text_hash(text)
        elif from_file:
            digest = digests[path]
            if digest is None:
                raise MediaError("the file has gone since it was examined", given=path, todo="run again")
            whole = math.isnan(start) and math.isnan(end)
            hashes[name] = digest if whole else hashlib.sha256(f"{digest} {start!r} {end!r}".encode()).hexdigest()
    return hashes


def text_hash(text: str) -> str:
    """Content key of a text that the catalogue carries."""
    return hashlib.sha256(text.encode()).hexdigest()


def _in_file(items: pd.DataFrame) -> "pd.Series[bool]":
    """Items whose media lie in a file: all with a path, but texts whose words the catalogue carries."""
    return items["path"].notna() & ~((items["kind"] == "text") & items["text"].notna())


def _digests(paths: Sequence[str], cache: Path | None, what: str) -> dict[str, str | None]:
    """Path -> SHA-256 of its bytes, None for what cannot be opened."""
    distinct = list(dict.fromkeys(paths))
    with Remembered(cache / "hashes.jsonl" if cache else None) as known, Bar(what, len(distinct), "files") as bar:
        keys = {path: _key(path) for path in distinct}
        unknown = [path for path in distinct if keys[path] and known.get(keys[path]) is None]
        bar.advance(len(distinct) - len(unknown))
        with ThreadPoolExecutor(_HASHERS) as pool:
            for path, digest in zip(unknown, pool.map(_digest, unknown), strict=True):
                if digest is not None:
                    known.put(keys[path], digest)
                bar.advance()
        return {path: known.get(keys[path]) if keys[path] else None for path in distinct}


def _key(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    return f"{path}|{status.st_size}|{status.st_mtime_ns}"


def _digest(path: str) -> str | None:
    try:
        return sha256(Path(path))
    except OSError:
        return None
