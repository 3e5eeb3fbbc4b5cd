"""Cold items: all their links of a relation are held out, so that they are asked about as new items will be.

They keep what else there is of them: features, and links of other relations. Copies of one file are cold together; with ``parent``
so are the items of one parent (whole videos, whose segments were never linked).
"""

from collections.abc import Mapping

import numpy as np

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.settings import LinkSplitSettings
from mmgraph.split.chance import generator
from mmgraph.split.contract import LinkSplit
from mmgraph.split.pairs import groups
from mmgraph.types import Bools, Ints, Relation

Sides = np.ndarray[tuple[int], np.dtype[np.int8]]


def cold(graph: Graph, edges: Edges, settings: LinkSplitSettings, seed: int) -> Sides:
    """0 train, 1 valid, 2 test of every link, int8: items in random order are held out until the shares of links are reached, as
    nearly as whole items can.

    A link is held out by the first of its ends that is. An item with more links than valid and test together is held out last.
    Raises SplitError where there are too few items to hold any out.
    """
    who = ends(graph, edges, settings.cold)
    number = np.unique(who, return_inverse=True)[1].reshape(who.shape)
    links = np.bincount(number.ravel(), minlength=int(number.max(initial=-1)) + 1)
    chance = generator(seed, f"cold {edges.relation}").random(len(links))
    large = links > (settings.valid + settings.test) * len(edges)
    turn = np.argsort(np.lexsort((chance, large)))
    turns, at, counts = np.unique(turn[number].min(axis=0), return_inverse=True, return_counts=True)
    wanted = [share for share in (settings.test, settings.valid) if share]
    if len(turns) <= len(wanted):
        what = f"items whose links could be held out ({_named(edges.relation, settings.cold)})"
        todo = "give more links, take split.links.cold: both, or split.links.method: random"
        raise SplitError(f"{edges.relation} has too few {what}", given=f"{len(turns)} for {len(wanted) + 1} splits", todo=todo)
    held, start, side = np.cumsum(counts), 0, np.zeros(len(turns), np.int8)
    for place, (code, share) in enumerate((code, share) for code, share in ((2, settings.test), (1, settings.valid)) if share):
        last = len(turns) - (len(wanted) - place)  # one is left for each split that follows, train among them
        before = int(held[start - 1]) if start else 0
        stop = start + 1 + int(np.abs(held[start:last] - before - share * len(edges)).argmin())
        side[start:stop] = code
        start = stop
    return side[at.reshape(-1)]


def ends(graph: Graph, edges: Edges, which: str) -> Ints:
    """int64 [sides, edges]: numbers of the ends that may be cold, equal for copies of one item: of the sources, the targets or
    both, and of a relation within one kind always of both, as an item without links has none of either way. ``parent``: of the ends
    whose kind has parents, equal for items of one parent as well; raises SplitError where neither has.
    """
    relation = edges.relation
    alike = (
        groups(graph, relation.source, by_parent=which == "parent"),
        groups(graph, relation.target, by_parent=which == "parent"),
    )
    source, target = alike[0][edges.source], alike[1][edges.target]
    if relation.source != relation.target:
        target = target + int(alike[0].max(initial=-1)) + 1
    return np.stack([side for side, may in zip((source, target), _sides(graph, relation, which), strict=True) if may])


def _sides(graph: Graph, relation: Relation, which: str) -> tuple[bool, bool]:
    """Whether the source and the target may be cold."""
    if which == "parent":
        source, target = (bool((graph.parent.get(k, np.full(1, -1)) >= 0).any()) for k in (relation.source, relation.target))
        if not source and not target:
            todo = "take split.links.cold: target, source or both"
            raise SplitError("split.links.cold: parent needs items with parents", given=str(relation), todo=todo)
        return source, target
    if relation.source == relation.target:
        return True, True
    return which != "target", which != "source"


def warm(graph: Graph, edges: Edges, seen: Edges, which: str) -> Bools:
    """Which ``edges`` have no cold end: every end that might be cold has a link among ``seen``."""
    return np.asarray(np.isin(ends(graph, edges, which), ends(graph, seen, which)).all(axis=0))


def cold_notes(graph: Graph, links: Mapping[Relation, LinkSplit], which: str) -> list[str]:
    """How many items of each relation are cold, copies counted once."""
    notes = []
    for relation, split in links.items():
        counts = []
        for name, part, known in (
            ("test", split.test, np.concatenate([split.train, split.valid])),
            ("valid", split.valid, split.train),
        ):
            own = ends(graph, split.edges.take(part), which)
            counts.append(f"{len(np.setdiff1d(own, ends(graph, split.edges.take(known), which)))} in {name}")
        notes.append(
            f"cold items of {relation} ({_named(relation, which)}): {', '.join(counts)}; they have no visible link of it"
        )
    return notes


def _named(relation: Relation, which: str) -> str:
    if which == "parent":
        return "parents"
    if relation.source == relation.target:
        return relation.source
    return {"source": relation.source, "target": relation.target}.get(which, f"{relation.source} and {relation.target}")
