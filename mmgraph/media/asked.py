"""What is asked of each media file, once for equal content and settings, and what was answered."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgraph.catalogue.contract import MEDIA_KINDS, Catalogue, Unread
from mmgraph.catalogue.kinds import KIND_OF, Held, ending
from mmgraph.media.cache import Remembered
from mmgraph.media.content import digests, in_files
from mmgraph.media.examine import VERSION
from mmgraph.media.workers import examined
from mmgraph.progress import Bar
from mmgraph.settings import MediaSettings

Answer = Mapping[str, Any]
CLOSED = "the file cannot be opened"


@dataclass(frozen=True)
class Question:
    """A file of an item; ``kind``: what ``examine`` is asked; ``promised``: if it cannot be decoded, the item is left out."""

    id: str
    path: str
    kind: str
    start_s: float
    promised: bool


def questions(catalogue: Catalogue) -> list[Question]:
    """One for each item with a file to decode.

    An item of kind video, image, music or text promises what its kind says. What a file of any other kind holds, the file says: it
    promises to be decodable if its ending is a known one, and nothing otherwise (a .pdf is no mistake).
    """
    items = catalogue.items[in_files(catalogue.items)]
    given = set(catalogue.items.loc[catalogue.items["kind"] == "segment", "parent"])
    asked = []
    for name, path, kind, start in zip(*(items[column].tolist() for column in ("id", "path", "kind", "start_s")), strict=True):
        known = kind in MEDIA_KINDS
        what = "whole" if kind == "video" and name in given else kind if known and kind != "segment" else "any"
        promised = known or ending(path) in KIND_OF
        asked.append(Question(name, path, what, start if kind == "segment" else 0.0, promised))
    return asked


def answers(pairs: list[tuple[str, str]], settings: MediaSettings, cache: Path | None) -> dict[tuple[str, str], Answer]:
    """(path, what is asked) -> what ``examine`` says, from the cache or from the worker processes."""
    pairs = list(dict.fromkeys(pairs))
    digest_of = digests([path for path, _ in pairs], cache, "reading files")
    hows = {kind: _how(kind, settings) for kind in {kind for _, kind in pairs}}
    found: dict[tuple[str, str], Answer] = {}
    waiting: dict[str, list[tuple[str, str]]] = {}
    with Remembered(cache / "examined.jsonl" if cache else None) as known:
        for path, kind in pairs:
            digest = digest_of[path]
            if digest is None:
                found[path, kind] = {"reason": CLOSED}
                continue
            key = f"{digest} {ending(path)} {hows[kind]}"
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
    found: dict[tuple[str, str], Answer],
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
    """What else than its bytes decides about a file: short, and the same for settings that do not matter to its kind.

    Lengths of segments are not among it: pieces are made of the answers, which are facts about the file. Subtitles beside a
    video are a file of their own.
    """
    cut = settings.segments
    limits: list[object] = [settings.frames_per_segment, settings.max_pixels, settings.max_sound_s]
    matters: dict[str, list[object]] = {
        "video": [limits, cut.method if cut.method in ("shots", "subtitles") else "", cut.method == "shots" and cut.threshold],
        "image": [settings.max_pixels, settings.frames_per_segment],
        "music": [settings.max_sound_s],
        "whole": limits,
        "any": limits,
    }
    told = json.dumps([VERSION, kind, matters.get(kind, [])])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def unread(asked: list[Question], found: Mapping[tuple[str, str], Answer]) -> tuple[Unread, ...]:
    """The items that cannot be used, and why."""
    reasons = ((one, _reason(found[one.path, one.kind], one)) for one in asked)
    return tuple(Unread(one.id, one.path, reason) for one, reason in reasons if reason)


def _reason(answer: Answer, asked: Question) -> str:
    """Why an item cannot be used; empty where it can be."""
    if "reason" in answer:
        return str(answer["reason"]) if asked.promised or answer["reason"] == CLOSED else ""
    end_s = answer["duration_s"]
    return f"it starts at {asked.start_s:g} s, and the file ends at {end_s:g} s" if 0 < end_s <= asked.start_s else ""


def holds(asked: list[Question], found: Mapping[tuple[str, str], Answer]) -> dict[str, tuple[Held, ...]]:
    """Path -> what the file holds; nothing for what cannot be decoded."""
    held: dict[str, tuple[Held, ...]] = {}
    for one in asked:
        held[one.path] = held.get(one.path) or tuple(found[one.path, one.kind].get("holds", ()))
    return held
