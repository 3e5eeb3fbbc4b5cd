"""Known links of a relation -> train, valid and test."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.settings import LinkSplitSettings
from mmgraph.split.chance import generator
from mmgraph.split.cold import cold
from mmgraph.split.contract import LinkSplit
from mmgraph.split.pairs import units
from mmgraph.split.per_user import leave_last, per_user
from mmgraph.types import Relation, Times


def split_links(
    graph: Graph, relations: Sequence[Relation], settings: LinkSplitSettings, seed: int
) -> dict[Relation, LinkSplit]:
    """Split every relation as the settings say; raises SplitError.

    Links that tell each other (``pairs.units``) come to one side, except where the table gives the split.
    """
    check_shares(settings)
    targets = {relation: graph.edges[relation] for relation in relations}
    if settings.method == "given":
        lacking = _check_given(list(targets.values()), settings)
        return {r: _with_valid(graph, given(e), settings, seed) if r in lacking else given(e) for r, e in targets.items()}
    if settings.method == "time":
        return time(graph, targets, settings)
    if settings.method == "cold":
        return {relation: _by_side(edges, cold(graph, edges, settings, seed)) for relation, edges in targets.items()}
    if settings.method == "per_user":
        return {relation: _by_side(edges, per_user(graph, edges, settings, seed)) for relation, edges in targets.items()}
    if settings.method == "leave_last":
        return {relation: _by_side(edges, leave_last(graph, edges, settings)) for relation, edges in targets.items()}
    return {relation: random(graph, edges, settings, seed) for relation, edges in targets.items()}


def random(graph: Graph, edges: Edges, settings: LinkSplitSettings, seed: int) -> LinkSplit:
    """Held-out links drawn by chance: the shares are of the links that do not tell each other, at least one each."""
    unit = np.unique(units(graph, edges), return_inverse=True)[1].reshape(-1)
    count = int(unit.max(initial=-1)) + 1
    num_valid, num_test = _held_out(edges.relation, count, settings)
    side = np.zeros(count, np.int8)
    order = generator(seed, str(edges.relation)).permutation(count)
    side[order[:num_test]] = 2
    side[order[num_test : num_test + num_valid]] = 1
    return _by_side(edges, side[unit])


def time(graph: Graph, targets: Mapping[Relation, Edges], settings: LinkSplitSettings) -> dict[Relation, LinkSplit]:
    """The newest links are held out; of them the newest are test.

    All relations share the two moments that divide them (shares of all links together): the clock is one. Links of one
    moment are never divided. A link that tells another is as old as the older of the two.
    """
    if not targets:
        return {}
    times = {relation: _unit_times(graph, edges) for relation, edges in targets.items()}
    valid_from, test_from = _moments(np.concatenate(list(times.values())), settings)
    splits = {}
    for relation, edges in targets.items():
        side = (times[relation] >= valid_from).astype(np.int8) + (times[relation] >= test_from)
        wanted = [0, *([1] if settings.valid else []), *([2] if settings.test else [])]
        for code in wanted:
            if not (side == code).any():
                name = ("train", "valid", "test")[code]
                todo = "take other shares, or split.links.method: random"
                raise SplitError(
                    f"{relation} has no {name} link in a split by time", given=f"from {valid_from:g} s", todo=todo
                )
        splits[relation] = _by_side(edges, side)
    return splits


def given(edges: Edges) -> LinkSplit:
    """As the table says; links that it leaves free are train links."""
    return _by_side(edges, _given_sides(edges))


def _given_sides(edges: Edges) -> "np.ndarray[tuple[int], np.dtype[np.int8]]":
    if edges.split is None:
        todo = "fill links.split, or take split.links.method: random"
        raise SplitError(f"the table gives no split of {edges.relation}", todo=todo)
    return np.where(edges.split < 0, 0, edges.split)


def _with_valid(graph: Graph, split: LinkSplit, settings: LinkSplitSettings, seed: int) -> LinkSplit:
    """With the share ``valid`` of the train links drawn by chance as valid ones: many published splits are of train and test alone."""
    seen = split.edges.take(split.train)
    drawn = random(graph, seen, replace(settings, test=0.0), seed)
    return LinkSplit(split.edges, split.train[drawn.train], split.train[drawn.valid], split.test)


def _check_given(targets: Sequence[Edges], settings: LinkSplitSettings) -> set[Relation]:
    """Every relation has train links; of relations between the same kinds (of a knowledge graph) some have valid and test links. Gives
    those of which none has valid links, where a share of them is to be drawn.
    """
    without = set[Relation]()
    sides: dict[tuple[str, str], list[Edges]] = {}
    for edges in targets:
        sides.setdefault((edges.relation.source, edges.relation.target), []).append(edges)
    for together in sides.values():
        each = [set(np.unique(_given_sides(edges)).tolist()) for edges in together]
        for code, name in enumerate(("train", "valid", "test")):
            lacking = [edges.relation for edges, codes in zip(together, each, strict=True) if code not in codes]
            if name == "valid" and settings.valid and len(lacking) == len(together):
                without |= {*lacking}
            elif len(lacking) == len(together) or (code == 0 and lacking):
                todo = f"mark some as {name}, or take split.links.method: random"
                raise SplitError(f"the table gives no {name} link of {lacking[0]}", todo=todo)
    return without


def _by_side(edges: Edges, side: "np.ndarray[tuple[int], np.dtype[np.int8]]") -> LinkSplit:
    return LinkSplit(edges, *(np.flatnonzero(side == code).astype(np.int64) for code in (0, 1, 2)))


def check_shares(settings: LinkSplitSettings) -> None:
    """Raise SplitError where nothing is left for train; asked before anything is encoded, and again when links are split."""
    if settings.valid < 0 or settings.test < 0 or settings.valid + settings.test >= 1:
        given = f"valid {settings.valid}, test {settings.test}"
        raise SplitError(
            "split.links.valid and test are shares that leave something for train", given=given, todo="lower them"
        )


def _held_out(relation: Relation, count: int, settings: LinkSplitSettings) -> tuple[int, int]:
    """Numbers of valid and test units, at least one each where a share is asked for and one left for train."""
    splits = 1 + (settings.valid > 0) + (settings.test > 0)
    if count < splits:
        todo = "give more links, or take another relation"
        raise SplitError(f"{relation} has fewer links than splits", given=f"{count} for {splits}", todo=todo)
    valid = max(round(count * settings.valid), 1) if settings.valid else 0
    test = max(round(count * settings.test), 1) if settings.test else 0
    while valid + test >= count:
        valid, test = (valid - 1, test) if valid > test else (valid, test - 1)
    return valid, test


def _unit_times(graph: Graph, edges: Edges) -> Times:
    """Seconds of every link, of links that tell each other the earliest."""
    unknown = np.ones(len(edges), bool) if edges.time is None else np.isnan(edges.time)
    if edges.time is None or unknown.any() or len(edges) == 0:
        given = f"{int(unknown.sum())} of {len(edges)} have none"
        todo = "fill links.time, or take split.links.method: random"
        raise SplitError(f"a split by time needs the time of every link of {edges.relation}", given=given, todo=todo)
    unit = np.unique(units(graph, edges), return_inverse=True)[1].reshape(-1)
    earliest = np.full(int(unit.max()) + 1, np.inf)
    np.minimum.at(earliest, unit, edges.time)
    return earliest[unit]


def _moments(times: Times, settings: LinkSplitSettings) -> tuple[float, float]:
    """From when links are valid, and from when they are test (infinity where nothing is to be).

    Of the moments that there are, those that hold out numbers of links nearest to the shares.
    """
    moments, counts = np.unique(times, return_counts=True)
    splits = 1 + (settings.valid > 0) + (settings.test > 0)
    if len(moments) < splits:
        todo = "take split.links.method: random"
        raise SplitError(
            "links have fewer moments than a split by time needs", given=f"{len(moments)} for {splits}", todo=todo
        )
    held = np.cumsum(counts[::-1])[::-1]  # links from each moment on
    last = len(moments)
    if settings.test:
        first = splits - 1  # one moment for train, one for valid
        last = first + int(np.abs(held[first:] - len(times) * settings.test).argmin())
    test_from = float(moments[last]) if settings.test else np.inf
    if not settings.valid:
        return test_from, test_from
    wanted = len(times) * (settings.valid + settings.test)
    return float(moments[1 + int(np.abs(held[1:last] - wanted).argmin())]), test_from
