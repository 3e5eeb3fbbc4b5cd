"""The leak check: nothing that is held out may be seen in training, by whatever way. It fails the run."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mmgraph.errors import LeakError
from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.graph.merge import among, pair_keys
from mmgraph.settings import SplitSettings
from mmgraph.split.cold import warm
from mmgraph.split.contract import LabelSplit, LinkSplit, Split
from mmgraph.split.make import between_same, first_held_out, held_out
from mmgraph.split.pairs import copies, groups, keys, same_content, units
from mmgraph.types import Bools, Ints, Relation

# built from features alone: what is alike is no statement of a link
_FROM_FEATURES = frozenset({"similar"})
_REPEATED_SHARE, _REPEATED_LINKS = 0.5, 5
# "label through a link": every item has one partner, and the partners tell the classes apart
_ONE_PARTNER, _PURITY, _ITEMS_A_PARTNER, _PARTNERS_A_CLASS = 0.99, 0.99, 2.0, 3.0
_ORDER = (("valid", "train"), ("test", "train"), ("test", "valid"))
_NEAR_PAIR = "a near-copy of the pair"
_HIDE = "leave held-out links out of what is seen"
_NEAR = "remove one, split anew, or change graph.near_duplicates (lower picture or sound, or find: false)"
_LABELLED_LINKED, _SHARED, _MAJORITY = 0.5, 0.5, 0.9


def check(graph: Graph, split: Split, settings: SplitSettings | None = None) -> None:
    """Raise LeakError, in one line, for the first thing held out that training could see.

    graph: all that is known; split: with ``visible``, what training sees; settings: how it was split (of them the group of the
    labels and whether links are split by time or cold are looked at; the defaults when not given).
    """
    settings = settings or SplitSettings()
    for link_split in split.links.values():
        _partition(str(link_split.relation), _parts(link_split))
        _link_visible(split.visible, link_split)
        _told_twice(graph, link_split)
        _other_relation(split.visible, link_split)
        if settings.links.method == "cold":
            _not_cold(split.visible, link_split, settings.links.cold)
    if settings.links.method == "time":
        _future(split)
    for label_split in split.labels.values():
        _partition(label_split.labels.target, _parts(label_split))
        _label_visible(split.visible, label_split)
        _same_content(graph, label_split)
        if settings.labels.group == "parent":
            _straddle(graph, label_split)
        _label_through_link(split.visible, label_split)


def _parts(split: LinkSplit | LabelSplit) -> dict[str, Ints]:
    return {"train": split.train, "valid": split.valid, "test": split.test}


def _separate(numbers: Ints, parts: Mapping[str, Ints]) -> bool:
    """Whether no number is in two parts; the quick look before it is told which."""
    distinct = [pd.unique(numbers[part]) for part in parts.values()]
    return len(pd.unique(np.concatenate(distinct))) == sum(map(len, distinct))


def _partition(target: str, parts: Mapping[str, Ints]) -> None:
    """No position is in two parts."""
    everything = np.concatenate(list(parts.values()))
    twice = pd.Index(everything).duplicated()
    if twice.any():
        position = everything[int(twice.argmax())]
        named = " and ".join(name for name, part in parts.items() if position in part)
        raise LeakError(
            f"a leak: {target} has one item or link in two splits", given=f"{position} in {named}", todo="split anew"
        )


def _link_visible(visible: Graph, split: LinkSplit) -> None:
    seen = visible.edges.get(split.relation)
    if seen is None:
        return
    hidden = split.edges.take(held_out(split))
    shown = among(keys(visible, hidden), keys(visible, seen))
    if shown.any():
        raise LeakError(
            f"a leak: {_count(shown)} of {split.relation} visible", given=_link(visible, hidden, shown), todo=_HIDE
        )
    if split.relation.source != split.relation.target:
        return
    turned = pair_keys(seen.target, seen.source, visible.count(split.relation.target))
    shown = among(keys(visible, hidden), turned)
    if shown.any():
        wrong = f"a leak: {_count(shown)} of {split.relation} visible in reverse"
        raise LeakError(wrong, given=_link(visible, hidden, shown), todo="keep both directions of a pair on one side")


def _count(mask: Bools) -> str:
    return f"{int(mask.sum())} held-out link{'s' if mask.sum() > 1 else ''}"


def _link(graph: Graph, edges: Edges, chosen: Bools) -> str:
    first = int(chosen.argmax())
    source = graph.ids[edges.relation.source][edges.source[first]]
    return f"{source} -> {graph.ids[edges.relation.target][edges.target[first]]}"


def _told_twice(graph: Graph, split: LinkSplit) -> None:
    """The same pair, the pair in reverse, or the pair of copies of the same files, in two parts."""
    near = units(graph, split.edges)
    parts = _parts(split)
    if _separate(near, parts):  # and so is what is exactly the same
        return
    exact, same = keys(graph, split.edges), units(graph, split.edges, near=False)
    for name, known in _ORDER:
        for numbers, what in ((exact, "the same pair"), (same, "a copy of the pair, or its reverse"), (near, _NEAR_PAIR)):
            repeated = among(numbers[parts[name]], numbers[parts[known]])
            if repeated.any():
                hidden = split.edges.take(parts[name])
                wrong, given = f"a leak: {split.relation} has {what} in {known} and {name}", _link(graph, hidden, repeated)
                if what is not _NEAR_PAIR:
                    raise LeakError(wrong, given=given, todo="keep what tells a link on its side")
                number = numbers[parts[name]][repeated.argmax()]
                other = _link(graph, split.edges.take(parts[known]), numbers[parts[known]] == number)
                raise LeakError(wrong, given=f"{other} and {given}", todo=_NEAR)


def _other_relation(visible: Graph, split: LinkSplit) -> None:
    """Another relation between the same kinds that says again what is held out."""
    for part in (split.valid, split.test):
        hidden = split.edges.take(part)
        for relation, seen in visible.edges.items():
            if relation == split.relation or seen.built_by in _FROM_FEATURES:
                continue
            repeated = between_same(visible, hidden, seen)
            if repeated is None or repeated.sum() < max(_REPEATED_LINKS, _REPEATED_SHARE * len(hidden)):
                continue
            wrong = f"a leak: {relation} repeats {int(repeated.sum())} of {len(hidden)} held-out {split.relation}"
            todo = f"leave {relation} out, or let its edge builder say derived_from {split.relation}"
            raise LeakError(wrong, given=_link(visible, hidden, repeated), todo=todo)


def _not_cold(visible: Graph, split: LinkSplit, which: str) -> None:
    """A held-out link of items that all have visible links: none of them is new. What test asks validation must not have told."""
    known = [("valid", visible.edges[split.relation]), ("test", visible.edges[split.relation])]
    for name, seen in [*known, ("test", split.edges.take(np.concatenate([split.train, split.valid])))]:
        hidden = split.edges.take(getattr(split, name))
        shown = warm(visible, hidden, seen, which)
        if shown.any():
            wrong = f"a leak: {int(shown.sum())} {name} links of {split.relation} join no cold item, though the split is cold"
            raise LeakError(
                wrong, given=_link(visible, hidden, shown), todo="hold out every link of a cold item and of its copies"
            )


def _future(split: Split) -> None:
    moment = first_held_out(split.links.values())
    for relation, seen in split.visible.edges.items():
        if seen.time is None:
            continue
        later = seen.time >= moment
        if later.any():
            wrong = f"a leak: {int(later.sum())} of {relation} visible are of the future, from {moment:g} s"
            raise LeakError(
                wrong, given=_link(split.visible, seen, later), todo="withhold what is newer than the training links"
            )


def _label_visible(visible: Graph, split: LabelSplit) -> None:
    labels = visible.labels.get((split.labels.kind, split.labels.field))
    if labels is None:
        return
    hidden = np.concatenate([split.valid, split.test])
    shown = labels.values[hidden] >= 0
    if shown.any():
        wrong = f"a leak: {int(shown.sum())} held-out labels of {labels.target} visible"
        raise LeakError(wrong, given=_item(visible, labels, hidden[int(shown.argmax())]), todo="show only the train labels")


def _item(graph: Graph, labels: Labels, position: int) -> str:
    return str(graph.ids[labels.kind][position])


def _same_content(graph: Graph, split: LabelSplit) -> None:
    number = same_content(graph, split.labels.kind)
    _apart(graph, split, number, "copies of one file", "remove the copies, or keep them on one side")
    _apart(graph, split, copies(graph, split.labels.kind), "near-copies (nearly the same picture or sound)", _NEAR)


def _straddle(graph: Graph, split: LabelSplit) -> None:
    number = groups(graph, split.labels.kind, by_parent=True, near=False)  # what is near was looked at before
    todo = "give a group one split, or say split.labels.group: none"
    _apart(graph, split, number, "items of one parent", todo)


def _apart(graph: Graph, split: LabelSplit, number: Ints, what: str, todo: str) -> None:
    """No two parts have items of one number."""
    parts = _parts(split)
    if _separate(number, parts):
        return
    for name, known in _ORDER:
        both = among(number[parts[name]], number[parts[known]])
        if both.any():
            one = parts[name][int(both.argmax())]
            other = parts[known][int((number[parts[known]] == number[one]).argmax())]
            given = f"{_item(graph, split.labels, other)} and {_item(graph, split.labels, one)}"
            raise LeakError(f"a leak: {split.labels.target} has {what} in {known} and {name}", given=given, todo=todo)


def _label_through_link(visible: Graph, split: LabelSplit) -> None:
    """A relation whose partners are the classes under another name, as a folder named by the class.

    Every labelled item with a link has one partner, the partner tells the class (purity), several items share one, and there are
    few of them: all over all labels, held-out ones as well. And train items have the same partners, so that it can be learnt
    (the segments of a held-out video have one of their own).
    """
    labels = split.labels
    for relation, edges in visible.edges.items():
        if edges.built_by in _FROM_FEATURES:
            continue
        for item, partner, kind in _ends(relation, edges, labels.kind):
            if _tells(split, item, partner):
                wrong = f"a leak: {relation} tells {labels.target}: each {kind} has items of one class"
                todo = f"leave {relation} out, or ask another field"
                raise LeakError(wrong, given=f"{len(np.unique(partner))} {kind} for {len(labels.classes)} classes", todo=todo)


def _ends(relation: Relation, edges: Edges, kind: str) -> list[tuple[Ints, Ints, str]]:
    """(items of the kind, their partners, kind of the partners), for each end that is of the kind."""
    found = []
    if relation.source == kind:
        found.append((edges.source, edges.target, relation.target))
    if relation.target == kind:
        found.append((edges.target, edges.source, relation.source))
    return found


def _tells(split: LabelSplit, item: Ints, partner: Ints) -> bool:
    values = split.labels.values
    labelled = values[item] >= 0
    item, partner = item[labelled], partner[labelled]
    if len(item) == 0:
        return False
    degree = np.unique(item, return_counts=True)[1]
    if (degree == 1).mean() < _ONE_PARTNER or len(degree) < _LABELLED_LINKED * np.count_nonzero(values >= 0):
        return False
    partners = len(np.unique(partner))
    if partners > _PARTNERS_A_CLASS * len(split.labels.classes) or len(item) < _ITEMS_A_PARTNER * partners:
        return False
    hidden = among(item, np.concatenate([split.valid, split.test]))
    shared = among(partner[hidden], partner[among(item, split.train)])
    if shared.sum() < _SHARED * len(shared):
        return False
    table = pd.crosstab(partner, values[item]).to_numpy()
    majority = table.sum(axis=0).max() / table.sum()
    return bool(table.max(axis=1).sum() / table.sum() >= _PURITY and majority <= _MAJORITY)
