"""Every media file examined once: what cannot be read is quarantined, videos are cut into segments."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, MEDIA_KINDS, Catalogue
from mmgraph.catalogue.kinds import KIND_OF, SUBTITLES, ending
from mmgraph.errors import CatalogueError, NothingLeft, SettingsError
from mmgraph.media import subtitles
from mmgraph.media.asked import Answer, Question, answers, holds, questions, unread
from mmgraph.media.content import content_hashes as content_hashes
from mmgraph.media.pieces import Cues, by_cues, merge_and_divide, windows
from mmgraph.settings import MediaSettings, SegmentSettings

_log = logging.getLogger(__name__)
_SHORTEST_S = 0.04  # of a stride: a frame at 25 frames a second
Answers = Mapping[tuple[str, str], Answer]
Said = list[tuple[float, float, str]]


def cut(catalogue: Catalogue, settings: MediaSettings, cache: Path | None = None) -> Catalogue:
    """Leave out what cannot be decoded (``unread``), add items of kind ``segment``, named ``<video id>#000`` and so on.

    Only items of kind ``video`` are cut, and none whose segments the tables give. Labels of a video are its segments' as well.
    Cut by subtitles, a segment's text is what is said in it, and the subtitles beside a video are no item any more unless a
    link, a label or a vector names them. ``holds`` of the result says what each file holds. ``cache``: folder in which answers
    are kept, so that a second run decodes nothing. Raises SettingsError, and NothingLeft where no item with content is left.
    """
    _check(settings)
    asked = questions(catalogue)
    side_cars = _side_cars(catalogue) if settings.segments.method == "subtitles" else {}
    cues = [(path, "cues") for path in side_cars.values()]
    found = answers([*((one.path, one.kind) for one in asked), *cues], settings, cache)
    _speak_of_others(catalogue, asked, found)
    gone = unread(asked, found)
    left = replace(catalogue.without(gone) if gone else catalogue, holds=holds(asked, found))
    if gone:
        _log.warning("%d files cannot be read and are left out; the first: %s: %s", len(gone), gone[0].path, gone[0].reason)
    _something_left(catalogue, left, asked)
    to_cut = left.items[left.items["id"].isin({one.id for one in asked if one.kind == "video"})]
    return _without_used(_with_segments(left, to_cut, found, side_cars, settings.segments), found, side_cars)


def _check(settings: MediaSettings) -> None:
    cut = settings.segments
    if not 0 < cut.min_s <= cut.max_s:
        given = f"min_s {cut.min_s}, max_s {cut.max_s}"
        raise SettingsError("media.segments: min_s must be above 0 and at most max_s", given=given, todo="mend the two")
    if cut.overlap_s and cut.method != "windows":
        given = f"overlap_s {cut.overlap_s}, method {cut.method}"
        raise SettingsError(
            "media.segments: only windows can overlap", given=given, todo="method: windows, or leave out overlap_s"
        )
    if cut.max_s - cut.overlap_s < _SHORTEST_S:
        given = f"overlap_s {cut.overlap_s}, max_s {cut.max_s}"
        wrong = f"media.segments: max_s must be at least {_SHORTEST_S} s longer than overlap_s, or windows do not advance"
        raise SettingsError(wrong, given=given, todo="a smaller overlap_s, e.g. half of max_s")
    if settings.frames_per_segment < 1:
        raise SettingsError("media.frames_per_segment must be at least 1", given=settings.frames_per_segment, todo="e.g. 4")


def _speak_of_others(catalogue: Catalogue, asked: list[Question], found: Answers) -> None:
    silent = {one.id for one in asked if not one.promised and "reason" in found[one.path, one.kind]}
    if silent:
        kinds = sorted(catalogue.items.loc[catalogue.items["id"].isin(silent), "kind"].unique())
        todo = "they stay as items without media"
        _log.warning("%d files of items of kind %s hold nothing that can be decoded; %s", len(silent), ", ".join(kinds), todo)


def _something_left(before: Catalogue, after: Catalogue, asked: list[Question]) -> None:
    """Tables without media are fine; media of which none can be read are not."""
    had = sum(one.promised for one in asked) + len(before.unread)
    media = after.items["path"].notna() & (
        after.items["kind"].isin(MEDIA_KINDS) | after.items["path"].map(_is_media, "ignore")
    )
    if not len(after.items) or (had and not media.any() and not after.items["text"].notna().any() and not after.features):
        first = after.unread[0]
        wrong = f"nothing usable is left: none of {had} files can be read; the first: {first.path}: {first.reason}"
        raise NothingLeft(wrong, todo="check the files, and catalogue.root")


def _is_media(path: str) -> bool:
    return ending(path) in KIND_OF


def _side_cars(catalogue: Catalogue) -> dict[str, str]:
    """Video id -> path of its subtitles: an item whose parent it is (of several the shortest name), else a file beside it."""
    items = catalogue.items
    videos = items[(items["kind"] == "video") & items["path"].notna()]
    texts = items[(items["kind"] == "text") & items["path"].notna() & items["parent"].isin(set(videos["id"]))]
    own = sorted((len(path), path, parent) for path, parent in zip(texts["path"], texts["parent"], strict=True))
    found: dict[str, str] = {}
    for _, path, parent in own:
        if ending(path) in SUBTITLES:
            found.setdefault(parent, path)
    for name, path in zip(videos["id"], videos["path"], strict=True):
        if name not in found and (path_beside := subtitles.beside(path)):
            found[name] = path_beside
    return found


def _pieces(answer: Answer, cues: Cues, cut: SegmentSettings) -> Said:
    """(start_s, end_s, what is said) of each segment of one video."""
    duration_s = float(answer["duration_s"])
    if cut.method == "subtitles":
        return by_cues(cues, duration_s, cut.min_s, cut.max_s)
    if cut.method == "shots":
        pieces = merge_and_divide(answer["cuts_s"], duration_s, cut.min_s, cut.max_s)
    else:
        pieces = windows(duration_s, cut.min_s, cut.max_s, cut.overlap_s)
    return [(start, end, "") for start, end in pieces]


def _with_segments(
    catalogue: Catalogue, videos: pd.DataFrame, found: Answers, side_cars: Mapping[str, str], cut: SegmentSettings
) -> Catalogue:
    """The catalogue with the segments of ``videos``, some of its items."""
    if cut.method == "none":
        return catalogue
    said = {name: _cues(found, path, side_cars.get(name)) for name, path in zip(videos["id"], videos["path"], strict=True)}
    if cut.method == "subtitles" and (without := [name for name, cues in said.items() if not cues]):
        _log.warning("%d videos have no subtitles and are cut evenly; the first: %s", len(without), without[0])
    pieces = [_pieces(found[path, "video"], said[name], cut) for name, path in zip(videos["id"], videos["path"], strict=True)]
    counts = [len(some) for some in pieces]
    flat = [piece for some in pieces for piece in some]
    if not flat:
        return catalogue
    new = _segments(videos, counts, flat)
    items = catalogue.items
    taken = new["id"].isin(set(items["id"]))
    if taken.any():
        name = new.loc[taken, "id"].iloc[0]
        raise CatalogueError("an item has the id that a segment would get", given=repr(name), todo="rename the item")
    joined = pd.concat([items, new.astype(items.dtypes.to_dict())], ignore_index=True)
    return replace(catalogue, items=joined, labels=_inherited(catalogue.labels, new))


def _segments(videos: pd.DataFrame, counts: list[int], flat: Said) -> pd.DataFrame:
    """Items for ``flat``, of which ``counts`` belong to each video."""
    return pd.DataFrame(
        {
            "id": [
                f"{name}#{number:03d}" for name, count in zip(videos["id"], counts, strict=True) for number in range(count)
            ],
            "kind": "segment",
            "path": np.repeat(videos["path"].to_numpy(dtype=object), counts),
            "text": pd.Series([words or None for *_, words in flat], dtype=object),
            "parent": np.repeat(videos["id"].to_numpy(dtype=object), counts),
            "start_s": [start for start, _, _ in flat],
            "end_s": [end for _, end, _ in flat],
        },
        columns=list(ITEM_COLUMNS),
    )


def _cues(found: Answers, path: str, side_car: str | None) -> Cues:
    """What is said in a video: by the file beside it, else by the track inside it."""
    beside: Cues = found[side_car, "cues"].get("cues", ()) if side_car else ()
    return beside or found[path, "video"].get("cues", ())


def _inherited(labels: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Each label of a video once more for each of its segments, with the same split."""
    children = segments[["id", "parent"]].rename(columns={"id": "segment", "parent": "id"})
    passed = labels.merge(children, on="id").drop(columns="id").rename(columns={"segment": "id"})
    return pd.concat([labels, passed[list(LABEL_COLUMNS)]], ignore_index=True)


def _without_used(catalogue: Catalogue, found: Answers, side_cars: Mapping[str, str]) -> Catalogue:
    """Subtitles whose words the segments now say are not said once more by an item, unless something names that item."""
    items, links = catalogue.items, catalogue.links
    cut_up = set(items.loc[items["kind"] == "segment", "parent"])
    used = {path for name, path in side_cars.items() if name in cut_up and found[path, "cues"].get("cues")}
    named = set(links["source"]) | set(links["target"]) | set(catalogue.labels["id"]) | set(items["parent"])
    named.update(name for given in catalogue.features for name in given.ids)
    spare = (items["kind"] == "text") & items["path"].isin(used) & items["text"].isna() & ~items["id"].isin(named)
    if not spare.any():
        return catalogue
    _log.info("%d files of subtitles are the text of segments, and no items of their own", int(spare.sum()))
    return replace(catalogue, items=items[~spare].reset_index(drop=True))
