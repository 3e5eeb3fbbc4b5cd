"""Labels of a field -> train, valid and test."""

import numpy as np
import pandas as pd

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph, Labels
from mmgraph.settings import LabelSplitSettings
from mmgraph.split.by_time import split_by_time
from mmgraph.split.chance import generator
from mmgraph.split.contract import LabelSplit
from mmgraph.split.label_groups import label_groups
from mmgraph.split.pairs import copies, same_content
from mmgraph.split.several import split_several
from mmgraph.types import Bools, Ints


def split_labels(graph: Graph, labels: Labels, settings: LabelSplitSettings, seed: int) -> LabelSplit:
    """Split one field as the settings say; raises SplitError.

    Items of one group (``label_groups``) never straddle: what shares a group with a train item and is none is in no part.
    """
    _check_settings(settings)
    if settings.method == "given":
        return given(labels)
    wanted = ("train", *(("valid",) if settings.valid else ()), "test")
    if settings.method == "time":
        return _checked(split_by_time(graph, labels, settings), wanted)
    if labels.several is not None:
        split = split_several(graph, labels, settings, generator(seed, labels.target))
        return _checked(split, wanted)
    table = _shuffled(graph, labels, settings, generator(seed, labels.target))
    train = _train(table, labels, settings)
    used = table["group"].isin(table.loc[train, "group"]).to_numpy()
    rest = table[~used].reset_index(drop=True)
    _check_rest(graph, labels, rest, settings)
    valid = _valid(rest, settings.valid)
    parts = table.loc[train, "item"], rest.loc[valid, "item"], rest.loc[~valid, "item"]
    split = LabelSplit(labels, *(np.sort(part.to_numpy(np.int64)) for part in parts))
    return _checked(split, wanted)


def given(labels: Labels) -> LabelSplit:
    """As the table says; labels that it leaves free are train labels."""
    if labels.split is None:
        todo = "fill labels.split, or take split.labels.method: per_class"
        raise SplitError(f"the table gives no split of {labels.target}", todo=todo)
    side = np.where(labels.values < 0, -1, np.where(labels.split < 0, 0, labels.split))
    split = LabelSplit(labels, *(np.flatnonzero(side == code).astype(np.int64) for code in (0, 1, 2)))
    return _checked(split, wanted=("train", "valid", "test"))


def _check_settings(settings: LabelSplitSettings) -> None:
    if settings.method == "per_class" and settings.k < 1:
        raise SplitError("split.labels.k counts labels of a class", given=settings.k, todo="give at least 1")
    if settings.method in ("fraction", "time") and not 0 < settings.fraction < 1:
        raise SplitError("split.labels.fraction is a share", given=settings.fraction, todo="give a number between 0 and 1")
    if not 0 <= settings.valid < 1:
        raise SplitError("split.labels.valid is a share", given=settings.valid, todo="give a number from 0 to below 1")


def _shuffled(graph: Graph, labels: Labels, settings: LabelSplitSettings, chance: np.random.Generator) -> pd.DataFrame:
    """The labelled items in random order: item, value, group; place: of the item among those of its class in its group;
    turn: of the group among those of its class.
    """
    items = chance.permutation(np.flatnonzero(labels.values >= 0))
    group = label_groups(graph, labels.kind, settings.group)
    table = pd.DataFrame({"item": items, "value": labels.values[items], "group": group[items]})
    table["place"] = table.groupby(["value", "group"]).cumcount()
    firsts = table[table["place"] == 0]
    turns = firsts.assign(turn=firsts.groupby("value").cumcount())[["value", "group", "turn"]]
    return table.merge(turns, on=["value", "group"], how="left")


def _train(table: pd.DataFrame, labels: Labels, settings: LabelSplitSettings) -> Bools:
    """Mask of the train items. Of a class with enough groups two are left for valid and test, and one in any case."""
    count = np.bincount(table["value"], minlength=len(labels.classes))
    wanted = np.full(len(count), settings.k)
    if settings.method == "fraction":
        wanted = np.maximum(np.round(settings.fraction * count), 1).astype(np.int64)
    few = count < wanted + 1
    if few.any():
        worst = int(few.argmax())
        named = f"{labels.classes[worst]} of {labels.target}"
        todo = "label more, lower split.labels.k, or leave the class out"
        wrong = f"too few labels to train and ask: class {named}"
        if count[worst] == 1:
            wrong = f"a class with one example can be trained or asked, not both: class {named}"
        raise SplitError(wrong, given=f"{count[worst]} for {wanted[worst]} + 1", todo=todo)
    num_groups = table[table["place"] == 0].groupby("value").size().to_numpy()
    allowed = np.maximum(num_groups - 2, 1)
    value, turn, place = (table[name].to_numpy() for name in ("value", "turn", "place"))
    # per class from as many groups as there are, a fraction from as few: it would use all of them up
    by = (turn, place, value) if settings.method == "per_class" else (place, turn, value)
    order = np.lexsort(by)
    order = order[turn[order] < allowed[value[order]]]
    chosen = order[pd.Series(value[order]).groupby(value[order]).cumcount().to_numpy() < wanted[value[order]]]
    train = np.zeros(len(table), bool)
    train[chosen] = True
    return train


def _check_rest(graph: Graph, labels: Labels, rest: pd.DataFrame, settings: LabelSplitSettings) -> None:
    left = np.bincount(rest["value"], minlength=len(labels.classes))
    if (left == 0).any():
        named = f"{labels.classes[int((left == 0).argmax())]} of {labels.target}"
        todo = "label items of more parents, lower split.labels.k, or take split.labels.group: none"
        if (copies(graph, labels.kind) != same_content(graph, labels.kind)).any():
            todo += "; near-copies are kept together as well, unless graph.near_duplicates.find is false"
        raise SplitError(f"no item is left to ask about class {named}", given=f"group: {settings.group}", todo=todo)


def _valid(rest: pd.DataFrame, share: float) -> Bools:
    """Mask of the valid items: of every class (a group counts as its first item's) a share of the groups, one at least
    where there are two; what is left is test.
    """
    firsts = rest.drop_duplicates("group")
    turn = firsts.groupby("value").cumcount().to_numpy()
    size = firsts.groupby("value")["group"].transform("size").to_numpy()
    number = np.minimum(np.maximum(np.round(share * size), 1), size - 1) if share else np.zeros(len(size))
    return rest["group"].isin(firsts.loc[turn < number, "group"]).to_numpy()


def _checked(split: LabelSplit, wanted: tuple[str, ...]) -> LabelSplit:
    labels = split.labels
    for name in wanted:
        part: Ints = getattr(split, name)
        if len(part) == 0:
            todo = "label more items, or change split.labels"
            raise SplitError(
                f"{labels.target} has no {name} label", given=f"{int((labels.values >= 0).sum())} labels", todo=todo
            )
    shown = labels.has(split.train).sum(0)
    if (shown == 0).any():
        named = f"{labels.classes[int((shown == 0).argmax())]} of {labels.target}"
        todo = "label an item of it, leave the class out, or name it in split.labels.open"
        raise SplitError(f"a class has no training label: {named}", todo=todo)
    return split
