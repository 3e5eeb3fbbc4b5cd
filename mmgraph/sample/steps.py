"""The whole graph in every step, its links a part at a time: for models without layers, and for knowledge graphs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import IterableDataset

from mmgraph.graph.contract import Graph
from mmgraph.sample.batch import Batch, Block, LabelBatch
from mmgraph.sample.full import link_batch, whole_batch, without
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.triples import AskedTriples
from mmgraph.types import Ints, Relation


@dataclass
class WholeGraphSteps(IterableDataset[Batch]):
    """An epoch passes over the train links of every relation once, at most ``size`` of each in a step.

    What a step predicts carries no messages in it. Draws depend on seed, epoch and the step's number alone.
    """

    graph: Graph
    depth: int
    links: Sequence[AskedLinks]
    labels: Sequence[AskedLabels]
    triples: Sequence[AskedTriples]
    size: int
    seed: int
    epoch: int = field(default=0)

    def __post_init__(self) -> None:
        self._whole = whole_batch(self.graph, self.depth)
        asked = [len(one.source) for one in self.links] + [len(one) for one in self.triples]
        self._steps = max((-(-count // self.size) for count in asked), default=1)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng((self.seed, self.epoch))
        links = [np.array_split(rng.permutation(len(one.source)), self._steps) for one in self.links]
        triples = [np.array_split(rng.permutation(len(one)), self._steps) for one in self.triples]
        labels = {a.name: LabelBatch(torch.from_numpy(a.items), torch.from_numpy(a.classes)) for a in self.labels}
        for step in range(self._steps):
            chosen = [np.sort(parts[step]) for parts in links]
            asked = [np.sort(parts[step]) for parts in triples]
            made = {one.name: link_batch(one, some, rng) for one, some in zip(self.links, chosen, strict=True) if len(some)}
            known = {one.name: one.batch(some, rng) for one, some in zip(self.triples, asked, strict=True) if len(some)}
            yield Batch(self._whole.inputs, self._blocks(chosen, asked), made, labels, known)

    def _blocks(self, links: Sequence[Ints], triples: Sequence[Ints]) -> tuple[Block, ...]:
        if not self.depth:
            return ()
        gone: dict[Relation, Ints] = {one.relation: one.withheld(some) for one, some in zip(self.links, links, strict=True)}
        for one, some in zip(self.triples, triples, strict=True):
            gone |= one.withheld(some)
        block = self._whole.blocks[0]
        return (Block(block.num_targets, without(block.relations, gone)),) * self.depth
