"""Graph -> split: what is asked, what is held out, and the graph that is left to see."""

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.graph.merge import among, pair_keys
from mmgraph.settings import SplitSettings
from mmgraph.split.cold import cold_notes
from mmgraph.split.contract import LabelSplit, LinkSplit, Split
from mmgraph.split.label_notes import label_notes
from mmgraph.split.labels import split_labels
from mmgraph.split.links import split_links
from mmgraph.split.open_classes import closed
from mmgraph.split.pairs import keys
from mmgraph.split.per_user import user_notes
from mmgraph.types import Bools, Ints, Relation

_log = logging.getLogger(__name__)


def make(
    graph: Graph, relations: Sequence[Relation], fields: Sequence[tuple[str, str]], settings: SplitSettings, seed: int
) -> Split:
    """Split the target relations and the fields (kind, field); the same seed gives the same split.

    ``visible`` loses: held-out links, what is derived from them, in a split by time every link from the first held-out
    moment on, and the labels of the fields that are not train labels. Raises SplitError, in one line, for a relation or field
    that is not there, or that cannot be split as asked.
    """
    links = split_links(graph, _known_relations(graph, relations), settings.links, seed)
    fields_left = closed(_known_fields(graph, fields), settings.labels.open, seed)
    labels = {
        one.labels.target: replace(
            split_labels(graph, one.labels, settings.labels, seed), open=one.items, open_classes=one.classes
        )
        for one in fields_left
    }
    notes: list[str] = []
    edges = _without_derived(graph, links, _only_train(graph, links), notes)
    if settings.links.method == "time" and links:
        edges = _without_future(edges, first_held_out(links.values()), notes)
    edges = made_again(graph, graph.edges, edges, notes)
    if settings.links.method == "cold":
        notes += cold_notes(graph, links, settings.links.cold)
    if settings.links.method in ("per_user", "leave_last"):
        notes += [note for split in links.values() for note in user_notes(graph, split.edges)]
    if settings.links.method == "given":
        notes += [*_drawn_valid(links), *_backwards(links)]
    if labels and settings.labels.group == "none" and any(split.labels.kind in graph.parent for split in labels.values()):
        notes.append("items of one parent may stand on both sides of the split (split.labels.group: none)")
    notes += _told_by_overlap(links)
    notes += [
        f"{name}: nobody sees a label of {', '.join(one.open_classes)} ({len(one.open)} items)"
        for name, one in labels.items()
        if one.open_classes
    ]
    for note in notes:
        _log.info("%s", note)
    doubts = label_notes(graph, labels.values())
    for doubt in doubts:
        _log.warning("%s", doubt)
    return Split(links, labels, replace(graph, edges=edges, labels=_only_train_labels(graph, labels)), (*notes, *doubts))


def hidden(split: Split, relation: Relation, links: Bools) -> Split:
    """The same split with the train links of a relation that ``links`` (bool [links]) marks held out as well, as test links.

    ``visible`` loses them, and what is derived from them.
    """
    one = split.links[relation]
    gone = links[one.train]
    moved = replace(one, train=one.train[~gone], test=np.concatenate([one.test, one.train[gone]]))
    every = {**split.links, relation: moved}
    edges = {**split.visible.edges, relation: one.edges.take(moved.train)}
    left = _without_derived(split.visible, every, edges, [])
    return replace(
        split, links=every, visible=split.visible.with_edges(made_again(split.visible, split.visible.edges, left, []))
    )


def _drawn_valid(links: Mapping[Relation, LinkSplit]) -> list[str]:
    """What to say where the table says of no link that it is valid, and some of train are."""
    return [
        f"{len(split.valid)} train links of {relation} are valid ones, drawn by chance: the table gives none"
        for relation, split in links.items()
        if len(split.valid) and split.edges.split is not None and not (split.edges.split == 1).any()
    ]


def _backwards(links: Mapping[Relation, LinkSplit]) -> list[str]:
    """What to say of times that run backwards: items held out of a source that are older than what is shown of it."""
    notes = []
    for relation, split in links.items():
        if split.edges.time is None or np.isnan(split.edges.time).any():
            continue
        for known, later, what in (
            (split.train, held_out(split), "held-out {} are older than what is shown of the same source"),
            (split.valid, split.test, "test {} are older than a valid one of the same source"),
        ):
            newest = np.full(int(split.edges.source.max(initial=-1)) + 1, -np.inf)
            np.maximum.at(newest, split.edges.source[known], split.edges.time[known])
            older = split.edges.time[later] < newest[split.edges.source[later]]
            if older.any():
                notes.append(f"{int(older.sum())} of {len(later)} {what.format(relation)}")
    return notes


def _told_by_overlap(links: Mapping[Relation, LinkSplit]) -> list[str]:
    """What to say of links between segments that share frames: the content of both ends tells them."""
    overlapping = {
        relation: int((split.edges.gap_s < 0).sum()) for relation, split in links.items() if split.edges.gap_s is not None
    }
    return [
        f"{count} of {len(links[relation].edges)} {relation} join items that overlap in time: what they share tells the link"
        for relation, count in overlapping.items()
        if count
    ]


def first_held_out(links: Iterable[LinkSplit]) -> float:
    """Seconds of the oldest valid or test link; infinity where there is none with a time."""
    times = [split.edges.time[held_out(split)] for split in links if split.edges.time is not None]
    return float(np.min(np.concatenate([*times, [np.inf]])))


def held_out(split: LinkSplit) -> Ints:
    """Positions of the valid and test links."""
    return np.concatenate([split.valid, split.test])


def _known_relations(graph: Graph, relations: Sequence[Relation]) -> list[Relation]:
    for relation in relations:
        if relation not in graph.edges:
            todo = _near(str(relation), map(str, graph.edges))
            raise SplitError("the graph has no such relation to predict", given=str(relation), todo=todo)
    return list(dict.fromkeys(relations))


def _known_fields(graph: Graph, fields: Sequence[tuple[str, str]]) -> list[Labels]:
    for kind, field in fields:
        if (kind, field) not in graph.labels:
            todo = _near(f"{kind}.{field}", (f"{kind}.{field}" for kind, field in graph.labels))
            raise SplitError("no item has a label of this field", given=f"{kind}.{field}", todo=todo)
        if len(graph.labels[kind, field].classes) < 2:
            classes = ", ".join(graph.labels[kind, field].classes)
            raise SplitError(f"{kind}.{field} has one value, nothing to tell apart", given=classes, todo="ask another field")
    return [graph.labels[key] for key in dict.fromkeys(fields)]


def _near(unknown: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(unknown, names, n=3, cutoff=0.4)
    return f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(names) or 'none'}"


def _only_train(graph: Graph, links: Mapping[Relation, LinkSplit]) -> dict[Relation, Edges]:
    edges = dict(graph.edges)
    edges.update({relation: split.edges.take(split.train) for relation, split in links.items()})
    return edges


def _only_train_labels(graph: Graph, labels: Mapping[str, LabelSplit]) -> dict[tuple[str, str], Labels]:
    left = dict(graph.labels)
    for split in labels.values():
        left[split.labels.kind, split.labels.field] = split.labels.shown(split.train)
    return left


def _without_derived(
    graph: Graph, links: Mapping[Relation, LinkSplit], edges: dict[Relation, Edges], notes: list[str]
) -> dict[Relation, Edges]:
    """Take the edges between the same items out of every relation that is derived, by however many steps, from a target."""
    left = dict(edges)
    for relation, one in edges.items():
        if one.again is not None:
            continue
        for origin in _origins(graph, relation) & links.keys() - {relation}:
            gone = between_same(graph, left[relation], links[origin].edges.take(held_out(links[origin])))
            if gone is None:
                gone = np.ones(len(left[relation]), bool)  # which edge came from which cannot be told: all leave
            if gone.any():
                notes.append(f"{int(gone.sum())} of {len(one)} {relation} left with held-out {origin}")
            left[relation] = left[relation].take(~gone)
    return left


def made_again(
    graph: Graph, before: Mapping[Relation, Edges], edges: Mapping[Relation, Edges], notes: list[str]
) -> dict[Relation, Edges]:
    """``edges`` over the items of ``graph``; those that can be made again are, where what they are derived from is not as ``before``."""
    left = dict(edges)
    for relation, one in edges.items():
        if one.again is not None and any(left[r] is not before[r] for r in one.derived_from if r in left):
            left[relation] = one.again(graph.with_edges(left))
            origins = ", ".join(map(str, one.derived_from))
            notes.append(f"{len(left[relation])} {relation} are made of the visible {origins} alone")
    return left


def _origins(graph: Graph, relation: Relation) -> set[Relation]:
    found: set[Relation] = set()
    waiting = [relation]
    while waiting:
        new = set(graph.edges[waiting.pop()].derived_from) - found
        found |= new
        waiting += [origin for origin in new if origin in graph.edges]
    return found


def between_same(graph: Graph, edges: Edges, others: Edges) -> Bools | None:
    """Which ``edges`` join two items that one of ``others`` joins, in any direction; None where the kinds are not the same."""
    mine, theirs = edges.relation, others.relation
    found = np.zeros(len(edges), bool)
    comparable = False
    if (mine.source, mine.target) == (theirs.source, theirs.target):
        found |= among(keys(graph, edges), keys(graph, others))
        comparable = True
    if (mine.source, mine.target) == (theirs.target, theirs.source):
        turned = pair_keys(others.target, others.source, graph.count(mine.target))
        found |= among(keys(graph, edges), turned)
        comparable = True
    return found if comparable else None


def _without_future(edges: dict[Relation, Edges], moment: float, notes: list[str]) -> dict[Relation, Edges]:
    left = {}
    for relation, one in edges.items():
        future = np.zeros(len(one), bool) if one.time is None else one.time >= moment
        if future.any():
            notes.append(f"{int(future.sum())} of {len(one)} {relation} are withheld: not older than the first held-out link")
        left[relation] = one.take(~future)
    return left
