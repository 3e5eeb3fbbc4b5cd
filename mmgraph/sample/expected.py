"""What a batch will look like, before it is made: the same tensors, empty. Under torch's FakeTensorMode they take no memory.

Full graphs and steps are known from counts. Of neighbour batches the seeds are drawn, and the number of items that are reached
from them is its expected value: each layer turns the probability that an item is in the batch into that of its neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmgraph.graph.contract import Graph
from mmgraph.sample.adjacency import Adjacency, Transposed
from mmgraph.sample.asked import Asked
from mmgraph.sample.batch import SPARSE, Batch, Block, Entries, Inputs, LabelBatch, LinkBatch, LogQ, ModalityInput, TripleBatch
from mmgraph.sample.clock import Clock, in_order, joined
from mmgraph.sample.full import gone
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.questions import AskedLinks
from mmgraph.types import Bools, Ints, Relation

Shares = np.ndarray[tuple[int], np.dtype[np.float64]]  # a probability an item

_SEEDED = 0  # any draw will do: only its size is used


@dataclass(frozen=True)
class Sizes:
    """A batch in numbers: items that enter by kind; of each layer its targets by kind and its edges by relation.

    links: (links, candidate targets, candidate sources); labels: how many, and (parts, items that may be
    parts) where they are read out from parts; triples: (questions, candidates, pairs that are no
    negatives); by name. stated: the names whose samplers state how likely they draw an item. known: of links, the candidates that are no
    negatives, for targets and for sources.
    """

    items: Mapping[str, int]
    layers: Sequence[tuple[Mapping[str, int], Mapping[Relation, int]]]
    links: Mapping[str, tuple[int, int, int]]
    labels: Mapping[str, tuple[int, tuple[int, int] | None]]
    triples: Mapping[str, tuple[int, int, int]]
    stated: frozenset[str] = frozenset()
    known: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def cells(self) -> list[int]:
        """Scores that a step computes, a number a direction of each task."""
        pairs = [(n * t, n * s) for n, t, s in self.links.values()]
        return [cells for both in pairs for cells in both] + [n * m for n, m, _ in self.triples.values()]


def of_whole(graph: Graph, depth: int) -> Sizes:
    """All items and edges, nothing asked."""
    items = {kind: graph.count(kind) for kind in graph.ids}
    edges = {r: len(e) for relation, e in graph.edges.items() for r in (relation, relation.reverse)}
    return Sizes(items, [(items, edges)] * depth, {}, {}, {})


def of_full(graph: Graph, depth: int, asked: Asked, supervise: float, clock: Clock | None = None) -> Sizes:
    """One step of ``FullGraphBatches``; by the clock its newest, which passes over the most."""
    chosen = [_some(one, max(1, round(supervise * len(one.source))), clock) for one in asked.links]
    return _of_part(graph, depth, asked, chosen, [], clock)


def of_steps(graph: Graph, depth: int, asked: Asked, size: int, clock: Clock | None = None) -> Sizes:
    """The largest step of ``WholeGraphSteps``, and by the clock the newest."""
    counts = [len(one.source) for one in asked.links] + [len(one) for one in asked.triples]
    steps = max((-(-count // size) for count in counts), default=1)
    links = [_some(one, -(-len(one.source) // steps), clock) for one in asked.links]
    rng = np.random.default_rng(_SEEDED)
    triples = [np.sort(rng.permutation(len(one))[: -(-len(one) // steps)]) for one in asked.triples]
    return _of_part(graph, depth, asked, links, triples, clock)


def of_neighbours(graph: Graph, fanouts: Sequence[int], asked: Asked, size: int, clock: Clock | None = None) -> Sizes:
    """A batch of ``NeighbourBatches``, its neighbours as expected: the first, or by the clock the last."""
    batches = NeighbourBatches(graph, tuple(fanouts), asked.links, asked.labels, size, _SEEDED, clock=clock)
    batch, seeds, out = batches.asked(len(batches) - 1 if clock else 0)
    graph = graph.with_edges({r: one.take(_others(len(one), out.get(r))) for r, one in graph.edges.items()})
    inside = {kind: np.zeros(graph.count(kind)) for kind in graph.ids}
    for kind, rows in seeds.items():
        inside[kind][rows] = 1.0
    layers = []
    for fanout in reversed(fanouts):
        targets = {kind: round(float(p.sum())) for kind, p in inside.items()}
        inside, passed = _reached(graph, inside, fanout)
        layers.append((targets, {r: round(n) for r, n in passed.items() if n >= 0.5}))
    return Sizes(
        {kind: round(float(p.sum())) for kind, p in inside.items()},
        layers[::-1],
        {name: (len(one.source), len(one.other_targets), len(one.other_sources)) for name, one in batch.links.items()},
        {name: _labelled(one) for name, one in batch.labels.items()},
        {},
        frozenset(name for name, one in batch.links.items() if one.log_q is not None),
        {name: (len(one.known), len(one.known_source)) for name, one in batch.links.items()},
    )


def empty_batch(
    graph: Graph, sizes: Sizes, whole: Batch | None = None, chains: Sequence[Relation] = (), sparse: bool = False
) -> Batch:
    """Tensors of these sizes with nothing in them, places in ``chains``, and, where ``sparse`` vectors are read so, their entries.

    Inputs, and relations of as many edges, are shared with ``whole``.
    """
    inputs = _inputs(graph, sizes, sparse) if whole is None else whole.inputs
    shared = whole.blocks[0] if whole is not None and whole.blocks else None
    blocks: list[Block] = []
    for number, (targets, edges) in enumerate(sizes.layers):
        before = sizes.layers[number - 1] if number else None
        if before is sizes.layers[number]:  # one block serves all layers of a whole graph
            blocks.append(blocks[-1])
            continue
        sources = before[0] if before else sizes.items
        made = {r: _adjacency(sources[r.source], targets[r.target], n) for r, n in edges.items()}
        blocks.append(Block(targets, made) if shared is None else _but(shared, made))
    return Batch(
        inputs,
        tuple(blocks),
        {
            name: LinkBatch(
                _ints(n),
                _ints(n),
                _ints(t),
                _ints(sizes.known[name][0]),
                _ints(s),
                _ints(sizes.known[name][1]),
                *_log_q(sizes, name, n, t),
                *_log_q(sizes, name, n, s),
                weight=torch.empty(n),
            )
            for name, (n, t, s) in sizes.links.items()
        },
        {name: LabelBatch(_ints(n), _ints(n), _members(n, parts)) for name, (n, parts) in sizes.labels.items()},
        {
            name: TripleBatch(_ints(n), _ints(n), _ints(n), _ints(m), _ints(2, pairs), *_log_q(sizes, name, n, m))
            for name, (n, m, pairs) in sizes.triples.items()
        },
        {relation: _ints(sizes.items[relation.target], 2) for relation in chains},
    )


def _labelled(one: LabelBatch) -> tuple[int, tuple[int, int] | None]:
    return len(one.items), None if one.members is None else (one.members.sources.numel(), one.members.num_sources)


def _members(labelled: int, parts: tuple[int, int] | None) -> Adjacency | None:
    return None if parts is None else _adjacency(parts[1], labelled, parts[0])


def _log_q(sizes: Sizes, name: str, count: int, others: int) -> tuple[LogQ | None]:
    return (LogQ(torch.empty(count), torch.empty(others)) if name in sizes.stated else None,)


def _inputs(graph: Graph, sizes: Sizes, sparse: bool) -> Inputs:
    features = {}
    for (kind, modality), f in graph.features.items():
        if f.present.any():
            count, wide = sizes.items[kind], f.vectors.shape[1]
            one = features[kind, modality] = ModalityInput(torch.empty(count, wide), _bools(count))
            vars(one)["complete"] = bool(f.present.all())  # what it would find by looking
            if sparse:
                share = np.count_nonzero(f.vectors) / max(f.vectors.size, 1)
                edges = round(share * count * wide)
                found = Entries(_adjacency(wide, count, edges), torch.empty(edges)) if share <= SPARSE else None
                vars(one)["entries"] = found
    return Inputs({kind: _ints(count) for kind, count in sizes.items.items()}, features)


def _but(whole: Block, made: Mapping[Relation, Adjacency]) -> Block:
    changed = {r: one for r, one in made.items() if not _same(whole.relations[r], one)}
    return whole.but(changed) if changed else whole


def _same(one: Adjacency, two: Adjacency) -> bool:
    return one.sources.numel() == two.sources.numel()


def tensors(thing: Any) -> Iterator[Tensor]:
    """Every tensor in a batch or a part of one, with what an adjacency has computed of itself; shared parts once."""
    yield from _tensors(thing, set())


def _tensors(thing: Any, seen: set[int]) -> Iterator[Tensor]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        yield thing
    elif is_dataclass(thing):
        for value in vars(thing).values():
            yield from _tensors(value, seen)
    elif isinstance(thing, Mapping):
        for value in thing.values():
            yield from _tensors(value, seen)
    elif isinstance(thing, tuple | list):
        for value in thing:
            yield from _tensors(value, seen)


def _of_part(
    graph: Graph, depth: int, asked: Asked, links: Sequence[Ints], triples: Sequence[Ints], clock: Clock | None
) -> Sizes:
    """The whole graph less what is predicted, and by the clock less what is newer."""
    whole, rng = of_whole(graph, depth), np.random.default_rng(_SEEDED)
    out = dict(gone(list(zip(asked.links, links, strict=True)), clock).edges)
    out = joined(out, *(one.withheld(chosen) for one, chosen in zip(asked.triples, triples, strict=False)))
    both = {r: len(ids) for relation, ids in out.items() for r in (relation, relation.reverse)}
    layers = [(targets, {r: n - both.get(r, 0) for r, n in edges.items()}) for targets, edges in whole.layers[:1]] * depth
    compared = {one.name: _compared(one, some, rng) for one, some in zip(asked.links, links, strict=True)}
    facts = {one.name: one.batch(some, rng) for one, some in zip(asked.triples, triples, strict=False)}
    return Sizes(
        whole.items,
        layers,
        {name: sizes for name, (sizes, _, _) in compared.items()},
        {one.name: _labelled(one.whole(graph)) for one in asked.labels},
        {name: (len(one.item), len(one.others), one.known.shape[1]) for name, one in facts.items()},
        frozenset(
            [n for n, (_, _, stated) in compared.items() if stated] + [n for n, one in facts.items() if one.log_q is not None]
        ),
        {name: known for name, (_, known, _) in compared.items()},
    )


def _some(one: AskedLinks, size: int, clock: Clock | None) -> Ints:
    order = in_order(one) if clock else None
    if order is None:
        return np.sort(np.random.default_rng(_SEEDED).permutation(len(one.source))[:size])
    return np.sort(order[-size:])


def _compared(one: AskedLinks, chosen: Ints, rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int], bool]:
    """How many links are compared with how many candidates, how many of these are no negatives, and whether it is stated how likely they
    are drawn.
    """
    targets, known, sources, known_source = one.others(chosen, rng)
    stated = one.log_q(chosen[:1], targets[:1], sources[:1])[0] is not None
    return (len(chosen), len(targets), len(sources)), (len(known), len(known_source)), stated


def _others(count: int, gone: Ints | None) -> Bools:
    left = np.ones(count, bool)
    left[gone if gone is not None else []] = False
    return left


def _reached(graph: Graph, inside: Mapping[str, Shares], fanout: int) -> tuple[dict[str, Shares], dict[Relation, float]]:
    """Probability that an item is a source of one layer, given that of being a target; and the expected edges.

    A target in the batch takes each of its d edges with probability min(1, fanout / d), as if independently of the others.
    """
    missed = {kind: np.log1p(-np.minimum(p, 1 - 1e-12)) for kind, p in inside.items()}
    edges: dict[Relation, float] = {}
    for relation, given in graph.edges.items():
        for one, source, target in (
            (relation, given.source, given.target),
            (relation.reverse, given.target, given.source),
        ):
            degree = np.bincount(target, minlength=graph.count(one.target))
            taken = inside[one.target] * np.minimum(1.0, fanout / np.maximum(degree, 1))
            edges[one] = float((taken * degree).sum())
            never = np.log1p(-np.minimum(taken, 1 - 1e-12))
            missed[one.source] = missed[one.source] + np.bincount(source, never[target], minlength=graph.count(one.source))
    return {kind: -np.expm1(log) for kind, log in missed.items()}, edges


def _adjacency(sources: int, targets: int, edges: int) -> Adjacency:
    back = Transposed(_ints(sources + 1), _ints(edges), _ints(edges))
    return Adjacency(_ints(targets + 1), _ints(edges), sources, _ints(edges), back)


def _ints(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.int64)


def _bools(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.bool)
