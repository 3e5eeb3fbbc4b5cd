"""Neighbour-sampled batches: seeds are the ends of some links, their candidates, and some labelled items.

DGL samples, in the way that gives right batches (unfused, int64, one sampler a process, ids cloned, one OpenMP thread): its fused
sampler and its own exclusion return wrong ones, and with several threads its seed does not make draws repeatable. The links being
predicted are excluded together with their reverses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch.utils.data import IterableDataset, get_worker_info

from mmgraph.graph.contract import Graph
from mmgraph.graph.dgl import load_dgl
from mmgraph.graph.heterograph import to_dgl
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Batch, Block, Inputs, LabelBatch, LinkBatch, ModalityInput
from mmgraph.sample.chains import places
from mmgraph.sample.clock import Clock, in_order
from mmgraph.sample.full import gone
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.types import Ints, Relation

_PAST = "past"


@dataclass(frozen=True)
class _Drawn:
    """Links of one batch before their ends are numbered: positions in the graph."""

    asked: AskedLinks
    chosen: Ints
    targets: Ints
    known: Ints
    sources: Ints
    known_source: Ints


@dataclass
class NeighbourBatches(IterableDataset[Batch]):
    """Batches of ``size`` links a relation and ``size`` labels a field; an epoch passes over the largest of them once.

    Draws depend on seed, epoch and the batch's number alone, not on the number of workers; of the thread's number as well, by which DGL
    tells streams apart (``Ahead`` has one thread for all). clock: links are asked in the order of their
    times, and neighbours are drawn among older ones only. chains: see ``whole_batch``; places are counted in the whole graph, without what
    the batch does not see, for as many rounds over all items as the longest chain has bits.
    """

    graph: Graph
    fanouts: tuple[int, ...]
    links: Sequence[AskedLinks]
    labels: Sequence[AskedLabels]
    size: int
    seed: int
    epoch: int = 0
    clock: Clock | None = None
    chains: Sequence[Relation] = ()

    def __post_init__(self) -> None:
        self._sampler: Any = None
        self._order = {one.name: in_order(one) if self.clock else None for one in self.links}
        self._shuffled: dict[str, tuple[tuple[int, int], Ints]] = {}

    def __len__(self) -> int:
        counts = [len(a.source) for a in self.links] + [len(a.items) for a in self.labels]
        return max((-(-count // self.size) for count in counts), default=0)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in range(first, len(self), step):
            yield self.batch(number)

    def batch(self, number: int) -> Batch:
        """The batch of this number in the current epoch."""
        rng = np.random.default_rng((self.seed, self.epoch, number))
        drawn, labelled = self._asked(number, rng)
        seeds = self._seeds(drawn, labelled)
        moment = self.clock.moment((one.asked, one.chosen) for one in drawn.values()) if self.clock else np.inf
        inputs, blocks = self._sample(seeds, drawn, moment, int(rng.integers(2**31)))
        return Batch(
            self._inputs(inputs),
            tuple(blocks),
            *_questions(drawn, labelled, seeds),
            places=self._places(inputs, drawn, moment),
            moment=moment if np.isfinite(moment) else None,
            shown=self._shown(inputs, labelled),
        )

    def asked(self, number: int) -> tuple[Batch, dict[str, Ints], Mapping[Relation, Ints]]:
        """All of the batch of this number but the neighbours: what it asks, its seeds by kind, and the edges it leaves out."""
        rng = np.random.default_rng((self.seed, self.epoch, number))
        drawn, labelled = self._asked(number, rng)
        seeds = self._seeds(drawn, labelled)
        out = gone([(one.asked, one.chosen) for one in drawn.values()], self.clock).edges
        return Batch(Inputs({}, {}), (), *_questions(drawn, labelled, seeds)), seeds, out

    def _asked(self, number: int, rng: np.random.Generator) -> tuple[dict[str, _Drawn], dict[str, tuple[AskedLabels, Ints]]]:
        drawn = {a.name: self._draw(a, number, rng) for a in self.links if len(a.source)}
        parts = {a.name: (a, self._part(len(a.items), a.name, number)) for a in self.labels if len(a.items)}
        return drawn, {name: (a, a.parted(part, self.seed, self.epoch, number)) for name, (a, part) in parts.items()}

    def _shown(self, inputs: Mapping[str, Any], labelled: Mapping[str, tuple[AskedLabels, Ints]]) -> dict[str, torch.Tensor]:
        none = torch.zeros(0, dtype=torch.int64)
        return {
            name: torch.from_numpy(a.shown(part, self.graph.count(a.kind)))[inputs.get(a.kind, none)]
            for name, (a, part) in labelled.items()
            if a.hidden
        }

    def _part(self, count: int, name: str, number: int) -> Ints:
        """The batch's share of a permutation of this epoch; shorter tasks start over with another permutation."""
        batches = max(1, -(-count // self.size))
        lap, place = divmod(number, batches)
        of, order = self._shuffled.get(name, ((-1, -1), np.zeros(0, np.int64)))
        if of != (self.epoch, lap):
            key = int.from_bytes(name.encode()[-8:], "little")
            order = np.random.default_rng((self.seed, self.epoch, lap, key)).permutation(count)
            self._shuffled[name] = (self.epoch, lap), order
        return np.sort(order[place * self.size : (place + 1) * self.size])

    def _draw(self, asked: AskedLinks, number: int, rng: np.random.Generator) -> _Drawn:
        order = self._order[asked.name]
        if order is None:
            chosen = self._part(len(asked.source), asked.name, number)
        else:
            place = number % -(-len(order) // self.size)
            chosen = np.sort(order[place * self.size : (place + 1) * self.size])
        return _Drawn(asked, chosen, *asked.others(chosen, rng))

    def _seeds(self, drawn: Mapping[str, _Drawn], labelled: Mapping[str, tuple[AskedLabels, Ints]]) -> dict[str, Ints]:
        wanted: dict[str, list[Ints]] = {}
        for one in drawn.values():
            source, _, target = one.asked.relation
            wanted.setdefault(source, []).extend([one.asked.source[one.chosen], one.sources])
            wanted.setdefault(target, []).extend([one.asked.target[one.chosen], one.targets])
        for asked, part in labelled.values():
            kind, items = asked.wanted(part)
            wanted.setdefault(kind, []).append(items)
        return {kind: np.unique(np.concatenate(parts)) for kind, parts in wanted.items()}

    def _sample(
        self, seeds: Mapping[str, Ints], drawn: Mapping[str, _Drawn], moment: float, seed: int
    ) -> tuple[dict[str, Any], list[Block]]:
        if not self.fanouts:  # without layers nobody else is heard
            return {kind: torch.from_numpy(ids) for kind, ids in seeds.items()}, []
        dgl = load_dgl()
        if self._sampler is None:
            mask = _PAST if self.clock else None
            self._sampler = dgl.dataloading.NeighborSampler(list(self.fanouts), mask=mask, fused=False)
            self._dgl_graph = to_dgl(self.graph, reverse=True)
            self._threads = ThreadpoolController()
        for relation, past in self.clock.past(moment).items() if self.clock else ():
            for name in (relation, relation.reverse):
                self._dgl_graph.edges[name].data[_PAST] = torch.from_numpy(past.copy())
        exclude = {}
        for relation, ids in gone([(one.asked, one.chosen) for one in drawn.values()], None).edges.items():
            for name in (relation, relation.reverse):
                exclude[tuple(name)] = torch.from_numpy(ids.copy())
        tensors = {kind: torch.from_numpy(ids) for kind, ids in seeds.items()}
        torch.get_num_threads()  # a thread's first use of torch sets its number of OpenMP threads, which must not come later
        with self._threads.limit(limits=1, user_api="openmp"):
            dgl.seed(seed)
            inputs, _, blocks = self._sampler.sample_blocks(self._dgl_graph, tensors, exclude_eids=exclude or None)
        if not isinstance(inputs, Mapping):  # DGL answers without the kind where there is only one
            inputs = {next(iter(self.graph.ids)): inputs}
        return inputs, [_block(block, dgl.EID) for block in blocks]

    def _places(self, inputs: Mapping[str, Any], drawn: Mapping[str, _Drawn], moment: float) -> dict[Relation, torch.Tensor]:
        if not self.chains:
            return {}
        hidden = gone([(one.asked, one.chosen) for one in drawn.values()], None).edges
        past = self.clock.past(moment) if self.clock else {}
        found = {}
        for relation in self.chains:
            edges = self.graph.edges[relation]
            seen = past[relation].copy() if relation in past else np.ones(len(edges), bool)
            seen[hidden.get(relation, np.zeros(0, np.int64))] = False
            source, target = torch.from_numpy(edges.source[seen]), torch.from_numpy(edges.target[seen])
            items = inputs.get(relation.target, torch.zeros(0, dtype=torch.int64))
            found[relation] = places(source, target, self.graph.count(relation.target))[items]
        return found

    def _inputs(self, items: Mapping[str, Any]) -> Inputs:
        features = {}
        for (kind, modality), f in self.graph.features.items():
            if kind in items and f.present.any():
                rows = items[kind].numpy()
                vectors = torch.from_numpy(np.ascontiguousarray(np.take(f.vectors, rows, axis=0), np.float32))
                activations = None if f.activations is None else torch.from_numpy(f.activations[rows])
                features[kind, modality] = ModalityInput(vectors, torch.from_numpy(f.present[rows]), activations)
        return Inputs({kind: ids.clone() for kind, ids in items.items()}, features)


class _Numbering:
    """Position in the graph -> row in the batch's output; seeds come first and in order."""

    def __init__(self, seeds: Ints) -> None:
        self._seeds = seeds

    def __call__(self, items: Ints) -> torch.Tensor:
        return torch.from_numpy(np.searchsorted(self._seeds, items))


def _questions(
    drawn: Mapping[str, _Drawn], labelled: Mapping[str, tuple[AskedLabels, Ints]], seeds: Mapping[str, Ints]
) -> tuple[dict[str, LinkBatch], dict[str, LabelBatch]]:
    """Positions in the graph -> rows of the batch's output."""
    number_of = {kind: _Numbering(ids) for kind, ids in seeds.items()}
    links = {name: _numbered(one, number_of) for name, one in drawn.items()}
    return links, {name: _labels(a, part, seeds) for name, (a, part) in labelled.items()}


def _labels(asked: AskedLabels, part: Ints, seeds: Mapping[str, Ints]) -> LabelBatch:
    rows = seeds[asked.wanted(part)[0]]
    return asked.batch(part, rows, len(rows))


def _numbered(one: _Drawn, number_of: Mapping[str, _Numbering]) -> LinkBatch:
    source, target = number_of[one.asked.relation.source], number_of[one.asked.relation.target]
    return LinkBatch(
        source(one.asked.source[one.chosen]),
        target(one.asked.target[one.chosen]),
        target(one.targets),
        torch.from_numpy(one.known),
        source(one.sources),
        torch.from_numpy(one.known_source),
        *one.asked.log_q(one.chosen, one.targets, one.sources),
        weight=one.asked.weights(one.chosen),
    )


def _block(block: Any, eid: str) -> Block:
    """DGL's block as ours. Its arrays share memory with DGL, so they are cloned. eid: where DGL keeps the edges' ids in the graph."""
    relations = {}
    for name in block.canonical_etypes:
        if not block.num_edges(name):
            continue
        indptr, sources, order = block[name].adj_tensors("csc")
        ids = block.edges[name].data[eid]
        ids = ids[order] if len(order) == len(ids) else ids.clone()
        made = Adjacency(indptr.clone(), sources.clone(), block.num_src_nodes(name[0]), ids)
        made.transposed  # noqa: B018 - for the gradient; found here, it is found ahead of time
        relations[Relation(*name)] = made
    return Block({kind: block.num_dst_nodes(kind) for kind in block.dsttypes}, relations)
