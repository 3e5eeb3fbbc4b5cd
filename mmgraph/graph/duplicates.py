"""Items that are copies of each other, though not byte by byte: found by fingerprints, confirmed by the run's own vectors."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mmgraph.graph.candidates import stars
from mmgraph.graph.contract import Copies, Features, Graph
from mmgraph.graph.near import Pictures, Sounds
from mmgraph.settings import NearDuplicateSettings
from mmgraph.types import Bools, Floats, Ints

_log = logging.getLogger(__name__)
_SHARED = 0.5  # of the segments of two videos
_VIDEOS = 100  # what more than these have, such as a title, makes none a copy of another

Fingerprints = Mapping[tuple[str, str], Features]


def with_duplicates(graph: Graph, fingerprints: Fingerprints, settings: NearDuplicateSettings) -> Graph:
    """The same graph with ``duplicates`` of every kind that has fingerprints, which come by (kind, ``image`` or ``audio``).

    Pictures decide where both items have pictures that say anything, sound decides among the rest: one song under two films does
    not make them one. A pair is near where the fingerprints differ by at most ``settings.picture`` or ``settings.sound``, and
    the run's vectors are more alike than a share ``settings.cosine`` of the unrelated pairs of this corpus. All members of a
    group are near its first. Items of the same content are one throughout.

    A group that lies within one video is none: its segments stay together by their parent where that is asked, and a camera
    that stands still must not tie all links of its video to one unit.
    """
    if not settings.find:
        return graph
    kinds = [kind for kind in graph.ids if {(kind, "image"), (kind, "audio")} & fingerprints.keys()]
    found = {kind: _of_kind(graph, kind, fingerprints, settings) for kind in kinds}
    if "segment" in found and "video" in graph.ids:
        found["video"] = _with_cut_videos(graph, found["segment"], found.get("video", _none(graph.count("video"))))
    for kind, copies in found.items():
        many = int((copies.first != np.arange(len(copies.first))).sum())
        _log.info("%s: %d of %d items are copies of another, or nearly so", kind, many, len(copies.first))
    return replace(graph, duplicates=found)


def exact_copies(graph: Graph, kind: str) -> Ints:
    """For every item the first item of its kind with the same content: int64 [items]; itself where the content is unknown."""
    own = np.arange(graph.count(kind), dtype=np.int64)
    if kind not in graph.content:
        return own
    hashes = np.asarray(graph.content[kind], dtype=object)
    known = np.flatnonzero(hashes != "")
    codes, _ = pd.factorize(hashes[known])
    _, first = np.unique(codes, return_index=True)  # codes count up by first appearance
    own[known] = known[first[codes]]
    return own


def _none(count: int) -> Copies:
    return Copies(np.arange(count, dtype=np.int64), np.zeros(count, np.float32), np.full(count, np.nan, np.float32))


def _of_kind(graph: Graph, kind: str, fingerprints: Fingerprints, settings: NearDuplicateSettings) -> Copies:
    exact = exact_copies(graph, kind)
    copies = _none(len(exact))
    left: Bools = exact == np.arange(len(exact))
    for look in (Pictures, Sounds):
        prints = fingerprints.get((kind, look.modality))
        if prints is None:
            continue
        items = np.flatnonzero(left & prints.present)
        looked = look(np.asarray(prints.vectors[items]), _unit(graph, kind, look.modality, items), settings)
        items = items[looked.use]
        left[items] = False
        group = _among_several_videos(graph, kind, items, looked.groups())
        joined = np.flatnonzero(group != np.arange(len(group)))
        pairs = np.stack([group[joined], joined], axis=1)
        copies.first[items[joined]] = items[group[joined]]
        copies.distance[items[joined]], copies.cosine[items[joined]] = looked.distance(pairs), looked.cosine(pairs)
    return Copies(copies.first[exact], copies.distance[exact], copies.cosine[exact])


def _unit(graph: Graph, kind: str, modality: str, items: Ints) -> Floats:
    """The run's vectors, of length one; zeros where there is none."""
    features = graph.features.get((kind, modality))
    if features is None:
        return np.zeros((len(items), 1), np.float32)
    rows = np.asarray(features.vectors[items], np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _among_several_videos(graph: Graph, kind: str, items: Ints, group: Ints) -> Ints:
    """Without the groups of segments that all have one parent."""
    if kind != "segment" or kind not in graph.parent or not len(items):
        return group
    parent = graph.parent[kind][items]
    several = pd.Series(parent).groupby(group).transform("nunique").to_numpy() > 1
    return np.where(several | (parent < 0), group, np.arange(len(group)))


def _with_cut_videos(graph: Graph, segments: Copies, own: Copies) -> Copies:
    """Videos that share half of the segments of each, at least, are copies; the distance is the share that is not shared."""
    size, pairs, share = _shared_segments(graph, segments)
    pairs, share = pairs[share >= _SHARED], share[share >= _SHARED]
    group = stars(graph.count("video"), pairs)
    joined = np.flatnonzero((group != np.arange(len(group))) & (size > 0))
    number = pairs[:, 0] * len(group) + pairs[:, 1]
    wanted = np.minimum(joined, group[joined]) * len(group) + np.maximum(joined, group[joined])
    own.first[joined] = group[joined]
    own.distance[joined] = 1 - share[np.searchsorted(number, wanted)]
    vectors = _unit(graph, "video", "image", np.arange(len(group)))
    own.cosine[joined] = np.einsum("nd,nd->n", vectors[group[joined]], vectors[joined])
    return own


def _shared_segments(graph: Graph, segments: Copies) -> tuple[Ints, Ints, Floats]:
    """Segments of each video; pairs of videos, sorted; of each pair the smaller share of segments that have a copy in the other."""
    parent = graph.parent.get("segment", np.full(len(segments.first), -1, np.int64))
    names = np.asarray(graph.parent_kind.get("segment", np.full(len(parent), "video")), dtype=object)
    cut = (parent >= 0) & (names == "video")
    size = np.bincount(parent[cut], minlength=graph.count("video"))
    table = pd.DataFrame({"video": parent[cut], "group": segments.first[cut]})
    counted = table.groupby(["video", "group"]).size().rename("segments").reset_index()
    shared = counted[counted.groupby("group")["video"].transform("size").between(2, _VIDEOS)]
    both = shared.merge(shared, on="group")
    both = both[both["video_x"] < both["video_y"]]
    sums = both.groupby(["video_x", "video_y"])[["segments_x", "segments_y"]].sum()
    pairs = np.array(sums.index.tolist(), np.int64).reshape(-1, 2)
    shares = sums.to_numpy(np.float32) / np.maximum(size[pairs], 1)
    return size, pairs, shares.min(axis=1).astype(np.float32)
