"""Full-graph batches: every step sees all items; the links it predicts are taken out of the messages, with their reverses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import IterableDataset

from mmgraph.graph.contract import Graph
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Batch, Block, Inputs, LabelBatch, LinkBatch, ModalityInput
from mmgraph.sample.chains import placed
from mmgraph.sample.clock import Clock, in_order, joined
from mmgraph.sample.moved import moved
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.types import Floats, Ints, Relation


def whole_inputs(graph: Graph) -> Inputs:
    """All items with all their features, which are copied only where they are memory-mapped or not float32."""
    features = {
        key: ModalityInput(
            torch.from_numpy(f.vectors if shared(f.vectors) else np.array(f.vectors, np.float32)),
            torch.from_numpy(f.present.copy()),
            None if f.activations is None else torch.from_numpy(f.activations),
        )
        for key, f in graph.features.items()
        if f.present.any()
    }
    return Inputs({kind: torch.arange(len(ids)) for kind, ids in graph.ids.items()}, features)


def shared(vectors: Floats) -> bool:
    """Whether torch can read the array where it is, without a copy; it is never written to."""
    plain = vectors.dtype == np.float32 and vectors.flags.writeable and vectors.flags.c_contiguous
    return plain and not isinstance(vectors, np.memmap)


def adjacencies(graph: Graph) -> dict[Relation, Adjacency]:
    """Every visible relation and its reverse. Edge ids are positions in the relation's edges in both."""
    found: dict[Relation, Adjacency] = {}
    for relation, edges in graph.edges.items():
        source, target = torch.from_numpy(edges.source), torch.from_numpy(edges.target)
        counts = graph.count(relation.source), graph.count(relation.target)
        found[relation] = Adjacency.from_edges(source, target, *counts)
        found[relation.reverse] = Adjacency.from_edges(target, source, counts[1], counts[0])
    return found


def whole_block(graph: Graph) -> Block:
    """All items, and all visible relations with their reverses."""
    return Block({kind: len(ids) for kind, ids in graph.ids.items()}, adjacencies(graph))


def whole_batch(graph: Graph, depth: int, chains: Sequence[Relation] = (), passing: bool = False) -> Batch:
    """The graph as one batch that asks nothing: for embeddings of all items.

    chains: relations whose places are wanted. passing: for heads that pass messages of their own (``Batch.whole``).
    """
    block = whole_block(graph)
    whole = block if passing else None
    return Batch(whole_inputs(graph), (block,) * depth, places=placed(block.relations, chains), whole=whole)


def link_batch(asked: AskedLinks, chosen: Ints, rng: np.random.Generator) -> LinkBatch:
    """The chosen links with their candidates, as positions in the whole graph."""
    targets, known, sources, known_source = asked.others(chosen, rng)
    return LinkBatch(
        torch.from_numpy(asked.source[chosen]),
        torch.from_numpy(asked.target[chosen]),
        torch.from_numpy(targets),
        torch.from_numpy(known),
        torch.from_numpy(sources),
        torch.from_numpy(known_source),
        *asked.log_q(chosen, targets, sources),
        weight=asked.weights(chosen),
    )


def label_batches(
    graph: Graph, labels: Sequence[AskedLabels], *key: int
) -> tuple[dict[str, LabelBatch], dict[str, torch.Tensor]]:
    """What a step on the whole graph asks of every field, and which labels enter the network (``Batch.shown``); the key draws."""
    asked, shown = {}, {}
    for one in labels:
        if not one.hidden:
            asked[one.name] = one.whole(graph)
            continue
        part, count = one.parted(np.arange(len(one.items)), *key), graph.count(one.kind)
        asked[one.name] = one.batch(part, None, count)
        shown[one.name] = torch.from_numpy(one.shown(part, count))
    return asked, shown


def all_shown(graph: Graph, labels: Sequence[AskedLabels]) -> dict[str, torch.Tensor]:
    """``Batch.shown`` where nothing is asked."""
    nothing = np.zeros(0, np.int64)
    return {one.name: torch.from_numpy(one.shown(nothing, graph.count(one.kind))) for one in labels if one.hidden}


@dataclass
class FullGraphBatches(IterableDataset[Batch]):
    """One batch an epoch. In each, a share ``supervise`` of every relation's train links is predicted and not passed over.

    The draw depends on seed and epoch alone, so a resumed run sees what an uninterrupted one would have seen. clock: the share is a
    stretch of time, the same part of all relations, and nothing from its start on is passed over. chains: see ``whole_batch``.
    whole: what that gives, to be shared, on any device; made here where it is not given. Which edges leave it is found where it is.
    """

    graph: Graph
    depth: int
    links: Sequence[AskedLinks]
    labels: Sequence[AskedLabels]
    supervise: float
    seed: int
    epoch: int = 0
    clock: Clock | None = None
    chains: Sequence[Relation] = ()
    whole: Batch | None = None

    def __post_init__(self) -> None:
        self._whole = self.whole or whole_batch(self.graph, self.depth)
        self._order = {one.name: in_order(one) if self.clock else None for one in self.links}

    def move(self, whole: Batch) -> None:
        """Pass over this copy of the graph from now on: that on the device which computes."""
        self._whole = whole

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng((self.seed, self.epoch))
        asked, drawn = {}, []
        place = rng.random() if self.clock else 0.0
        for one in self.links:
            chosen = self._chosen(one, place, rng)
            asked[one.name] = link_batch(one, chosen, rng)
            drawn.append((one, chosen))
        labels, shown = label_batches(self.graph, self.labels, self.seed, self.epoch)
        batch = Batch(self._whole.inputs, (), asked, labels, shown=shown)
        yield asking(self._whole, self.chains, gone(drawn, self.clock), batch)

    def _chosen(self, one: AskedLinks, place: float, rng: np.random.Generator) -> Ints:
        count, order = len(one.source), self._order[one.name]
        num = max(1, round(self.supervise * count))
        if order is None:
            return np.sort(rng.permutation(count)[:num])
        start = int(place * (count - num + 1))
        return np.sort(order[start : start + num])


@dataclass(frozen=True)
class Gone:
    """The edges that carry no messages in a step, by their ids in each relation, and the moment from which it looks back."""

    edges: Mapping[Relation, Ints]
    moment: float | None = None


def gone(drawn: Sequence[tuple[AskedLinks, Ints]], clock: Clock | None) -> Gone:
    """What is predicted, with the same pairs stated the other way round, and, by the clock, what is not older than it."""
    predicted = joined(*({one.relation: one.withheld(chosen)} for one, chosen in drawn))
    if clock is None:
        return Gone(predicted)
    moment = clock.moment(drawn)
    return Gone(joined(predicted, clock.future(moment)), moment if np.isfinite(moment) else None)


def asking(whole: Batch, chains: Sequence[Relation], gone: Gone, asked: Batch) -> Batch:
    """A batch that passes over the whole graph's edges but those that are gone."""
    block = whole.blocks[0] if whole.blocks else whole.whole
    if block is None:
        return replace(asked, moment=gone.moment)
    if gone.edges:  # else the same block serves every step, with what it has found out about itself
        block = block.but(without(block.relations, gone.edges))
    blocks, passed = (block,) * len(whole.blocks), None if whole.whole is None else block
    return replace(asked, blocks=blocks, places=placed(block.relations, chains), moment=gone.moment, whole=passed)


def without(relations: Mapping[Relation, Adjacency], gone: Mapping[Relation, Ints]) -> dict[Relation, Adjacency]:
    """The relations of which edges are taken out, by their ids in each relation, and their reverses, with what is left of them.

    The visible edges of a target relation are its train links in the same order, so a link's position is its edge id. Each id is given
    once. Computed where the relations are; only the ids go there.
    """
    left: dict[Relation, Adjacency] = {}
    for relation, ids in gone.items():
        both = [(one, relations[one]) for one in (relation, relation.reverse) if one in relations]
        if not both:
            continue
        device, edges = both[0][1].sources.device, both[0][1].sources.numel()
        staying = torch.ones(edges, dtype=torch.bool, device=device)
        staying.index_fill_(0, moved(torch.from_numpy(ids), device), False)
        for one, adjacency in both:
            assert adjacency.ids is not None
            left[one] = adjacency.keep(staying.index_select(0, adjacency.ids), edges - len(ids))
    return left
