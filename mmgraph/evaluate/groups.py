"""The items of one parent, whose order is asked: what is known of it, and what is not."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.again import Everyone
from mmgraph.evaluate.chains import Chains
from mmgraph.evaluate.contract import OURS, LinkQuestion
from mmgraph.evaluate.order import OrderedGroup, in_order
from mmgraph.graph.contract import Edges, Graph
from mmgraph.split.chance import generator
from mmgraph.types import Bools, Floats, Ints, Times


@dataclass(frozen=True)
class Group:
    """The items of one parent, two at least, in an order drawn by chance, so that ties tell nothing. place: true place of each or None;
    within: positions of the known links between two of them.
    """

    name: str
    items: Ints
    place: Ints | None
    within: Ints


def groups_of(question: LinkQuestion, start_s: Times) -> list[Group]:
    """All groups of a temporal relation within one kind, by name; ``start_s`` float64 [items], nan unknown.

    The true places are by ``start_s`` where all of a group have one, else by the known links where they form one chain.
    """
    number = question.group
    if number is None:
        return []
    kind, edges = question.relation.source, question.split.edges
    by_number = np.argsort(number, kind="stable")
    ends = np.flatnonzero(np.diff(number[by_number], append=-1)) + 1
    inside = np.flatnonzero(number[edges.source] == number[edges.target])
    links = inside[np.argsort(number[edges.source[inside]], kind="stable")]
    of_links = number[edges.source[links]]
    made = []
    for items in np.split(by_number, ends[:-1]):
        if len(items) < 2:
            continue
        own = number[items[0]]
        within = links[np.searchsorted(of_links, own) : np.searchsorted(of_links, own, side="right")]
        name = _parent(question.graph, kind, int(items[0]))
        items = generator(question.seed, f"order {name}").permutation(items)
        made.append(Group(name, items, _places(items, start_s[items], edges.take(within)), within))
    return sorted(made, key=lambda one: one.name)


def _parent(graph: Graph, kind: str, item: int) -> str:
    """Id of an item's parent; its number where the kind of the parents is not stated."""
    place = graph.parent[kind][item]
    return str(graph.ids[graph.parent_kind[kind][item]][place]) if kind in graph.parent_kind else str(place)


def _places(items: Ints, start_s: Times, links: Edges) -> Ints | None:
    if not np.isnan(start_s).any() and len(np.unique(start_s)) == len(items):
        return np.argsort(np.argsort(start_s)).astype(np.int64)
    chains = Chains.of(items, links.source, links.target)
    if len(chains) != 1 or len(links) != len(items) - 1:
        return None
    after = dict(zip(links.source.tolist(), links.target.tolist(), strict=True))
    place, item = {}, int(chains.start[0])
    for number in range(len(items)):
        place[item] = number
        item = after.get(item, -1)
    return np.array([place[one] for one in items.tolist()], np.int64)


def sequenced(group: Group, everyone: Everyone, links: tuple[int, int, int]) -> OrderedGroup:
    """The group in the order of every method; ``links``: how many within it are train, valid and test."""
    ordered = {name: in_order(method, group.items) for name, method in everyone.methods.items()}
    told = trusted(everyone, ordered[OURS].items[:-1], ordered[OURS].score)
    return OrderedGroup(group.name, group.items, group.place, links, ordered, *told)


def trusted(everyone: Everyone, sources: Ints, score: Floats) -> tuple[Floats, Bools]:
    """(probability, whether to abstain) of pairs that the run hands out, by their sources and scores."""
    trust = everyone.answer.trust
    probability = trust.calibration.probability(score)
    return probability, trust.abstains(trust.unlike(everyone.answer.question)[sources], probability)


def links_of(question: LinkQuestion, groups: Iterable[Group]) -> Bools:
    """Which links of the relation, bool [links], have an end in one of the groups."""
    edges = question.split.edges
    inside = np.zeros(question.count("source"), bool)
    inside[np.concatenate([np.zeros(0, np.int64), *(one.items for one in groups)])] = True
    return inside[edges.source] | inside[edges.target]


def counted(question: LinkQuestion, links: Ints) -> tuple[int, int, int]:
    """How many of the links at these positions are train, valid and test."""
    split = question.split
    train, valid, test = (int(np.isin(links, one).sum()) for one in (split.train, split.valid, split.test))
    return train, valid, test
