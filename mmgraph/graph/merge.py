"""Edges of one relation, stated several times or in several places -> each pair once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mmgraph.graph.contract import Edges
from mmgraph.types import Bools, Ints

_FREE = 127  # stands for "no split given" while the earliest is looked for


def pair_keys(source: Ints, target: Ints, num_targets: int) -> Ints:
    """One number a pair: equal exactly where both ends are (below 3e9 items a kind)."""
    return source * max(num_targets, 1) + target


def among(numbers: Ints, known: Ints) -> Bools:
    """Which numbers are known: what ``np.isin`` says, whose hash numpy 2.4 makes seconds slow on a million of pair keys."""
    return np.asarray(pd.Series(numbers).isin(pd.unique(known)), dtype=bool)


def once(edges: Edges) -> Edges:
    """Merge repeated pairs; the order is that of first appearance.

    A pair that is stated again is an event that happened again: weights are added (1 each where none is given), the earliest
    known time stays (from then on the pair was known), and so does the earliest split (a pair that is a train link once
    cannot be asked as a test link).
    """
    if len(edges) < 2:
        return edges
    key = pair_keys(edges.source, edges.target, int(edges.target.max()) + 1)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
    if len(starts) == len(edges):
        return edges
    first = order[starts]  # a stable sort: of equal keys the one that appeared first
    back = np.argsort(first)
    weight = np.ones(len(edges), np.float64) if edges.weight is None else edges.weight.astype(np.float64)
    return replace(
        edges.take(first[back]),
        time=None if edges.time is None else np.fmin.reduceat(edges.time[order], starts)[back],
        weight=np.add.reduceat(weight[order], starts)[back].astype(np.float32),
        split=None if edges.split is None else _earliest(edges.split[order], starts)[back],
    )


def newest(edges: Edges) -> Edges:
    """Of repeated pairs the newest stays, of one moment the later, as it is with ratings; what has no time is oldest."""
    key = pair_keys(edges.source, edges.target, int(edges.target.max(initial=0)) + 1)
    time = np.zeros(len(edges)) if edges.time is None else np.where(np.isnan(edges.time), -np.inf, edges.time)
    order = np.lexsort((np.arange(len(edges)), time, key))
    last = np.append(np.diff(key[order]) != 0, True)[: len(edges)]
    return edges.take(np.sort(order[last]))


def _earliest(split: "np.ndarray[tuple[int], np.dtype[np.int8]]", starts: Ints) -> Any:
    lowest = np.minimum.reduceat(np.where(split < 0, np.int8(_FREE), split), starts)
    return np.where(lowest == _FREE, np.int8(-1), lowest)


def joined(known: Edges, added: Edges) -> Edges:
    """``known``, and those of ``added`` (the same relation) that are no pair of it; data that one lacks is filled as unknown."""
    width = 1 + max((int(e.target.max()) for e in (known, added) if len(e)), default=0)
    keys = pair_keys(known.source, known.target, width)
    new = added.take(~among(pair_keys(added.source, added.target, width), keys))
    return replace(
        known,
        source=np.concatenate([known.source, new.source]),
        target=np.concatenate([known.target, new.target]),
        time=_both(known, new, known.time, new.time, np.nan, np.float64),
        weight=_both(known, new, known.weight, new.weight, 1.0, np.float32),
        gap_s=_both(known, new, known.gap_s, new.gap_s, np.nan, np.float32),
        split=_both(known, new, known.split, new.split, -1, np.int8),
        built_by=f"{known.built_by}, {added.built_by}",
        temporal=known.temporal or added.temporal,
        derived_from=tuple(dict.fromkeys((*known.derived_from, *added.derived_from))),
    )


def _both(known: Edges, new: Edges, first: Any, second: Any, unknown: float, dtype: Any) -> Any:
    if first is None and second is None:
        return None
    filled = [np.full(len(edges), unknown, dtype) if data is None else data for edges, data in ((known, first), (new, second))]
    return np.concatenate(filled).astype(dtype)
