"""Labels of a field whose items may have several values -> train, valid and test, each with its share of every class.

Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, On the stratification of multi-label data, algorithm 1): the class
with the fewest items left is dealt out first, each item to the part that still wants most of that class.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph, Labels
from mmgraph.settings import LabelSplitSettings
from mmgraph.split.contract import LabelSplit
from mmgraph.split.label_groups import label_groups
from mmgraph.types import Bools, Ints

Reals = npt.NDArray[np.float64]
_LEFT = 2  # groups of a class that are kept for valid and test where there are as many


def stratified(counts: Ints, shares: Sequence[float], chance: np.random.Generator) -> Ints:
    """A part for each unit: int64 [units], below ``len(shares)``; counts int64 [units, classes], its items of each class.

    Of every class each part gets about its share, which sum to 1. A unit without any class goes to the part that wants most.
    """
    free = np.ones(len(counts), bool)
    part = np.zeros(len(counts), np.int64)
    size = np.maximum(counts.sum(1), 1)
    wanted = np.outer(shares, counts.sum(0)).astype(np.float64)
    room = np.asarray(shares, np.float64) * size.sum()
    left = counts.sum(0)
    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for unit in chance.permutation(np.flatnonzero(free & (counts[:, rarest] > 0))):
            part[unit] = _wanting(wanted[:, rarest], room, chance)
            free[unit] = False
            wanted[part[unit]] -= counts[unit]
            room[part[unit]] -= size[unit]
            left = left - counts[unit]
    for unit in np.flatnonzero(free):
        part[unit] = _wanting(room, room, chance)
        room[part[unit]] -= size[unit]
    return part


def _wanting(wanted: Reals, room: Reals, chance: np.random.Generator) -> int:
    """The part that wants the class most, of equal ones the one with most room, of equal ones any."""
    best = np.flatnonzero(wanted == wanted.max())
    best = best[room[best] == room[best].max()]
    return int(best[0] if len(best) == 1 else chance.choice(best))


def split_several(graph: Graph, labels: Labels, settings: LabelSplitSettings, chance: np.random.Generator) -> LabelSplit:
    """Split one field; groups never straddle. Raises SplitError for a class with too few items to train and ask.

    ``per_class`` shows k items of each class at least, more where a common class goes with a rare one; ``fraction`` whole groups.
    """
    items = np.flatnonzero(labels.values >= 0).astype(np.int64)
    has = labels.has(items)
    names, group = np.unique(label_groups(graph, labels.kind, settings.group)[items], return_inverse=True)
    counts = np.zeros((len(names), has.shape[1]), np.int64)
    np.add.at(counts, group, has)
    if settings.method == "per_class":
        _check(labels, has.sum(0), settings.k)
        train = _k_each(has, group, settings.k, chance)
    else:
        _check(labels, has.sum(0), 1)
        train = stratified(counts, (settings.fraction, 1.0 - settings.fraction), chance)[group] == 0
    rest = np.setdiff1d(np.arange(len(names)), group[train])
    parts = np.zeros(len(names), np.int64)
    parts[rest] = 1 + stratified(counts[rest], (settings.valid, 1.0 - settings.valid), chance) if settings.valid else 2
    left = counts[rest].sum(0)
    if (left == 0).any():
        named = f"{labels.classes[int((left == 0).argmax())]} of {labels.target}"
        todo = "label items of more parents, lower split.labels.k, or leave the class out"
        raise SplitError(f"no item is left to ask about class {named}", given=f"group: {settings.group}", todo=todo)
    side = parts[group]
    return LabelSplit(labels, items[train], items[side == 1], items[side == 2])


def _check(labels: Labels, count: Ints, wanted: int) -> None:
    few = count < wanted + 1
    if few.any():
        worst = int(few.argmax())
        wrong = f"too few labels to train and ask: class {labels.classes[worst]} of {labels.target}"
        if count[worst] == 1:
            wrong = (
                f"a class with one example can be trained or asked, not both: class {labels.classes[worst]} of {labels.target}"
            )
        todo = "label more, lower split.labels.k, or leave the class out"
        raise SplitError(wrong, given=f"{count[worst]} for {wanted} + 1", todo=todo)


def _k_each(has: Bools, group: Ints, k: int, chance: np.random.Generator) -> Bools:
    """Mask of items with k of each class at least, the rarest class first, from groups of their own while enough are left."""
    order = chance.permutation(len(has))
    train, used = np.zeros(len(has), bool), np.zeros(int(group.max(initial=-1)) + 1, bool)
    for one in np.argsort(has.sum(0), kind="stable"):
        while has[train, one].sum() < k:
            free = order[~train[order] & has[order, one]]
            mine = group[free]
            fresh = len(np.unique(mine[~used[mine]])) > _LEFT or not used[mine].any()
            chosen = free[used[mine] != fresh][0]
            train[chosen] = True
            used[group[chosen]] = True
    return train
