"""The leak check: nothing that is held out may be seen in training, by whatever way. It fails the run.

Each leak that data can have, and not only a split of ours, has a short name (``LeakName``), by which ``split.admit`` lets it pass: it
is then counted, said, and written into the run.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mmgraph.errors import LeakError
from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.graph.merge import among, pair_keys
from mmgraph.settings import LeakName, SplitSettings
from mmgraph.split.cold import warm
from mmgraph.split.contract import LabelSplit, LinkSplit, Split
from mmgraph.split.label_groups import label_groups
from mmgraph.split.make import between_same, first_held_out, held_out
from mmgraph.split.pairs import copies, keys, same_content, units
from mmgraph.types import Bools, Ints, Relation

# built from features alone: what is alike is no statement of a link
_FROM_FEATURES = frozenset({"similar", "item_graph"})
_REPEATED_SHARE, _REPEATED_LINKS = 0.5, 5
# "label through a link": every item has one partner, and the partners tell the classes apart
_ONE_PARTNER, _PURITY, _ITEMS_A_PARTNER, _PARTNERS_A_CLASS = 0.99, 0.99, 2.0, 3.0
_ORDER = (("valid", "train"), ("test", "train"), ("test", "valid"))
_TOLD: tuple[tuple[str, LeakName], ...] = (
    ("the same pair", "duplicate_link"),
    ("the reverse of the pair", "reverse_link"),
    ("a copy of the pair, or its reverse", "same_file"),
    ("a near-copy of the pair", "near_duplicate"),
)
_HIDE = "leave held-out links out of what is seen"
_NEAR = "remove one, split anew, or change graph.near_duplicates (lower picture or sound, or find: false)"
_LABELLED_LINKED, _SHARED, _MAJORITY = 0.5, 0.5, 0.9
_COUNTED = ("source", "target", "weight")
ADMITTED = "admitted leak"
_log = logging.getLogger(__name__)


class Found:
    """Leaks that were found: those ``admitted`` are kept, any other stops the run."""

    def __init__(self, admitted: Sequence[LeakName] = ()) -> None:
        self._admitted = admitted
        self._kept: dict[LeakName, list[str]] = {}

    def leak(self, name: LeakName, wrong: str, *, given: str, todo: str) -> None:
        """Raise LeakError, unless the name is admitted."""
        if name not in self._admitted:
            raise LeakError(f"a leak: {wrong}", given=given, todo=f"{todo}; or admit it with split.admit: [{name}]")
        self._kept.setdefault(name, []).append(f"{wrong} ({given})")

    @property
    def notes(self) -> tuple[str, ...]:
        """One for each admitted leak that is there."""
        more = {name: f" and {len(found) - 1} more" if len(found) > 1 else "" for name, found in self._kept.items()}
        return tuple(f"{ADMITTED} {name}: {found[0]}{more[name]}" for name, found in self._kept.items())


def check(graph: Graph, split: Split, settings: SplitSettings | None = None) -> tuple[str, ...]:
    """Raise LeakError, in one line, for the first thing held out that training could see; give notes of what was admitted.

    graph: all that is known; split: with ``visible``, what training sees; settings: how it was split (of them the group of the
    labels, whether links are split by time or cold, and what is admitted are looked at; the defaults when not given).
    """
    settings = settings or SplitSettings()
    found = Found(settings.admit)
    for link_split in split.links.values():
        _partition(str(link_split.relation), _parts(link_split))
        _link_visible(found, split.visible, link_split)
        _told_twice(found, graph, link_split)
        _other_relation(found, split.visible, link_split)
        if settings.links.method == "cold":
            _not_cold(found, split.visible, link_split, settings.links.cold)
    if settings.links.method == "time":
        _future(found, split)
    _made_of_more(split.visible)
    for label_split in split.labels.values():
        _partition(label_split.labels.target, _parts(label_split))
        _label_visible(split.visible, label_split)
        _same_content(found, graph, label_split)
        if settings.labels.group != "none":
            _straddle(found, graph, label_split, settings.labels.group)
        _label_through_link(found, split.visible, label_split)
    for note in found.notes:
        _log.warning("%s", note)
    return found.notes


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


def _link_visible(found: Found, visible: Graph, split: LinkSplit) -> None:
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
        wrong, given = f"{_count(shown)} of {split.relation} visible in reverse", _link(visible, hidden, shown)
        found.leak("reverse_link", wrong, given=given, todo="keep both directions of a pair on one side")


def _count(mask: Bools) -> str:
    return f"{int(mask.sum())} held-out link{'s' if mask.sum() > 1 else ''}"


def _link(graph: Graph, edges: Edges, chosen: Bools) -> str:
    first = int(chosen.argmax())
    source = graph.ids[edges.relation.source][edges.source[first]]
    return f"{source} -> {graph.ids[edges.relation.target][edges.target[first]]}"


def _told_twice(found: Found, graph: Graph, split: LinkSplit) -> None:
    """The same pair, the pair in reverse, or the pair of copies of the same files, in two parts."""
    near = units(graph, split.edges)
    parts = _parts(split)
    if _separate(near, parts):  # and so is what is exactly the same
        return
    exact, same, turned = keys(graph, split.edges), units(graph, split.edges, near=False), _turned(graph, split.edges)
    for name, known in _ORDER:
        told = np.zeros(len(parts[name]), bool)  # by what was looked at before
        for (what, leak), numbers, others in zip(_TOLD, (exact, exact, same, near), (exact, turned, same, near), strict=True):
            repeated = among(numbers[parts[name]], others[parts[known]]) & ~told
            told |= repeated
            if not repeated.any():
                continue
            given = _link(graph, split.edges.take(parts[name]), repeated)
            if leak == "near_duplicate":
                number = numbers[parts[name]][repeated.argmax()]
                given = f"{_link(graph, split.edges.take(parts[known]), numbers[parts[known]] == number)} and {given}"
            todo = _NEAR if leak == "near_duplicate" else "keep what tells a link on its side"
            found.leak(leak, f"{split.relation} has {what} in {known} and {name}", given=given, todo=todo)


def _turned(graph: Graph, edges: Edges) -> Ints:
    """Keys of the pairs in reverse; no pair's where the two kinds are not one."""
    if edges.relation.source != edges.relation.target:
        return np.full(len(edges), -1)
    return pair_keys(edges.target, edges.source, graph.count(edges.relation.target))


def _other_relation(found: Found, visible: Graph, split: LinkSplit) -> None:
    """Another relation between the same kinds that says again what is held out."""
    for part in (split.valid, split.test):
        hidden = split.edges.take(part)
        for relation, seen in visible.edges.items():
            if relation == split.relation or seen.built_by in _FROM_FEATURES or seen.again is not None:
                continue
            repeated = between_same(visible, hidden, seen)
            if repeated is None or repeated.sum() < max(_REPEATED_LINKS, _REPEATED_SHARE * len(hidden)):
                continue
            wrong = f"{relation} repeats {int(repeated.sum())} of {len(hidden)} held-out {split.relation}"
            todo = f"leave {relation} out, or let its edge builder say derived_from {split.relation}"
            found.leak("inverse_relation", wrong, given=_link(visible, hidden, repeated), todo=todo)


def _made_of_more(visible: Graph) -> None:
    """Edges that are counted from links are those that the visible links give, with the same weights."""
    for relation, seen in visible.edges.items():
        if seen.again is None:
            continue
        own = seen.again(visible)
        same = len(own) == len(seen) and all(np.array_equal(getattr(own, part), getattr(seen, part)) for part in _COUNTED)
        if not same:
            given, todo = f"{len(seen)} edges, where visible links make {len(own)}", "make them of what is visible"
            raise LeakError(f"a leak: {relation} is made of links that are held out", given=given, todo=todo)


def _not_cold(found: Found, visible: Graph, split: LinkSplit, which: str) -> None:
    """A held-out link of items that all have visible links: none of them is new. What test asks validation must not have told."""
    known = [("valid", visible.edges[split.relation]), ("test", visible.edges[split.relation])]
    for name, seen in [*known, ("test", split.edges.take(np.concatenate([split.train, split.valid])))]:
        hidden = split.edges.take(getattr(split, name))
        shown = warm(visible, hidden, seen, which)
        if shown.any():
            wrong = f"{int(shown.sum())} {name} links of {split.relation} join no cold item, though the split is cold"
            todo = "hold out every link of a cold item and of its copies"
            found.leak("warm_item", wrong, given=_link(visible, hidden, shown), todo=todo)


def _future(found: Found, split: Split) -> None:
    moment = first_held_out(split.links.values())
    for relation, seen in split.visible.edges.items():
        if seen.time is None:
            continue
        later = seen.time >= moment
        if later.any():
            wrong = f"{int(later.sum())} of {relation} visible are of the future, from {moment:g} s"
            given = _link(split.visible, seen, later)
            found.leak("future_link", wrong, given=given, todo="withhold what is newer than the training links")


def _label_visible(visible: Graph, split: LabelSplit) -> None:
    labels = visible.labels.get((split.labels.kind, split.labels.field))
    if labels is None:
        return
    hidden = np.concatenate([split.valid, split.test, split.open])
    shown = labels.values[hidden] >= 0
    if shown.any():
        wrong = f"a leak: {int(shown.sum())} held-out labels of {labels.target} visible"
        raise LeakError(wrong, given=_item(visible, labels, hidden[int(shown.argmax())]), todo="show only the train labels")


def _item(graph: Graph, labels: Labels, position: int) -> str:
    return str(graph.ids[labels.kind][position])


def _same_content(found: Found, graph: Graph, split: LabelSplit) -> None:
    same, near = same_content(graph, split.labels.kind), copies(graph, split.labels.kind)
    todo = "remove the copies, or keep them on one side"
    _apart(found, graph, split, same, ("same_file", "copies of one file", todo))
    _apart(found, graph, split, near, ("near_duplicate", "near-copies (nearly the same picture or sound)", _NEAR))


def _straddle(found: Found, graph: Graph, split: LabelSplit, group: str) -> None:
    number = label_groups(graph, split.labels.kind, group, near=False)  # what is near was looked at before
    todo = "give a group one split, or say split.labels.group: none"
    _apart(
        found,
        graph,
        split,
        number,
        ("same_parent", f"items of one {'parent' if group == 'parent' else f'group ({group})'}", todo),
    )


def _apart(found: Found, graph: Graph, split: LabelSplit, number: Ints, leak: tuple[LeakName, str, str]) -> None:
    """No two parts have items of one number; ``leak``: its name, what they have, what to do."""
    parts, (named, what, todo) = _parts(split), leak
    if _separate(number, parts):
        return
    for name, known in _ORDER:
        both = among(number[parts[name]], number[parts[known]])
        if both.any():
            one = parts[name][int(both.argmax())]
            other = parts[known][int((number[parts[known]] == number[one]).argmax())]
            given = f"{_item(graph, split.labels, other)} and {_item(graph, split.labels, one)}"
            found.leak(named, f"{split.labels.target} has {what} in {known} and {name}", given=given, todo=todo)


def _label_through_link(found: Found, visible: Graph, split: LabelSplit) -> None:
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
                wrong = f"{relation} tells {labels.target}: each {kind} has items of one class"
                given, todo = (
                    f"{len(np.unique(partner))} {kind} for {len(labels.classes)} classes",
                    f"leave {relation} out, or ask another field",
                )
                found.leak("label_through_link", wrong, given=given, todo=todo)


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
