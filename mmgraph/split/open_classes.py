"""Classes that nobody ever labels: what a model says of their items shows whether it knows what it does not know."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Labels
from mmgraph.split.chance import generator
from mmgraph.types import Ints

_FEWEST = 2  # classes that are left to tell apart


@dataclass(frozen=True)
class Closed:
    """A field without its open classes: ``labels`` are those that are left, ``items`` int64 those of ``classes``, the open ones."""

    labels: Labels
    items: Ints
    classes: tuple[str, ...]


def closed(fields: Sequence[Labels], asked: int | tuple[str, ...], seed: int) -> list[Closed]:
    """Take the open classes out of every field: so many drawn by chance, or those of these names in the fields that have them.

    Raises SplitError for a name that no field has, and where fewer than two classes are left.
    """
    if isinstance(asked, tuple):
        known = {name for labels in fields for name in labels.classes}
        if unknown := [name for name in asked if name not in known]:
            todo = f"classes: {', '.join(sorted(known)) or 'none'}"
            raise SplitError("split.labels.open: no field has this class", given=unknown[0], todo=todo)
    return [_closed(labels, asked, seed) for labels in fields]


def _closed(labels: Labels, asked: int | tuple[str, ...], seed: int) -> Closed:
    count = len(labels.classes)
    if isinstance(asked, tuple):
        gone = np.flatnonzero(np.isin(labels.classes, asked)) if asked else np.zeros(0, np.int64)
    else:
        gone = np.sort(generator(seed, f"{labels.target} open").permutation(count)[:asked])
    if not len(gone):
        return Closed(labels, np.zeros(0, np.int64), ())
    if count - len(gone) < _FEWEST:
        given = f"{len(gone)} open of {count}"
        raise SplitError(
            f"split.labels.open leaves {labels.target} nothing to tell apart", given=given, todo="open fewer classes"
        )
    number = np.full(count + 1, -1, np.int64)  # the last is for -1, no label
    kept = np.setdiff1d(np.arange(count), gone)
    number[kept] = np.arange(len(kept))
    items = np.flatnonzero(labels.has(np.arange(len(labels.values)))[:, gone].any(1)).astype(np.int64)
    values = number[labels.values]
    values[items] = -1
    several = None
    if labels.several is not None:  # an item with an open class among its values is open
        several = labels.several[:, kept]
        several[items] = False
    left = replace(labels, classes=tuple(labels.classes[one] for one in kept), values=values, several=several)
    return Closed(left, items, tuple(labels.classes[one] for one in gone))
