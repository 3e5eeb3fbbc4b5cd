"""The whole graph in every step, its links a part at a time: for models without layers, and for knowledge graphs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch.utils.data import IterableDataset

from mmgraph.graph.contract import Graph
from mmgraph.sample.batch import Batch
from mmgraph.sample.clock import Clock, in_order, joined
from mmgraph.sample.full import Gone, asking, gone, label_batches, link_batch, whole_batch
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.triples import AskedTriples
from mmgraph.types import Ints, Relation


@dataclass
class WholeGraphSteps(IterableDataset[Batch]):
    """An epoch passes over the train links of every relation once, at most ``size`` of each in a step.

    What a step predicts carries no messages in it. Draws depend on seed, epoch and the step's number alone. clock: links are asked in the
    order of their times, and a step passes over older ones only. chains: see ``whole_batch``. whole: as in FullGraphBatches.
    """

    graph: Graph
    depth: int
    links: Sequence[AskedLinks]
    labels: Sequence[AskedLabels]
    triples: Sequence[AskedTriples]
    size: int
    seed: int
    epoch: int = field(default=0)
    clock: Clock | None = None
    chains: Sequence[Relation] = ()
    whole: Batch | None = None

    def __post_init__(self) -> None:
        passing = any(one.passing for one in self.links) or any(one.passing for one in self.triples)
        self._whole = self.whole or whole_batch(self.graph, self.depth, passing=passing)
        asked = [len(one.source) for one in self.links] + [len(one) for one in self.triples]
        self._steps = max((-(-count // self.size) for count in asked), default=1)

    def move(self, whole: Batch) -> None:
        """See FullGraphBatches."""
        self._whole = whole

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng((self.seed, self.epoch))
        links = [np.array_split(self._order(one, rng), self._steps) for one in self.links]
        triples = [np.array_split(rng.permutation(len(one)), self._steps) for one in self.triples]
        for step in range(self._steps):
            chosen = [np.sort(parts[step]) for parts in links]
            asked = [np.sort(parts[step]) for parts in triples]
            made = {one.name: link_batch(one, some, rng) for one, some in zip(self.links, chosen, strict=True) if len(some)}
            known = {one.name: one.batch(some, rng) for one, some in zip(self.triples, asked, strict=True) if len(some)}
            labels, shown = label_batches(self.graph, self.labels, self.seed, self.epoch, step)
            batch = Batch(self._whole.inputs, (), made, labels, known, shown=shown)
            yield asking(self._whole, self.chains, self._gone(chosen, asked), batch)

    def _order(self, one: AskedLinks, rng: np.random.Generator) -> Ints:
        order = in_order(one) if self.clock else None
        return rng.permutation(len(one.source)) if order is None else order

    def _gone(self, links: Sequence[Ints], triples: Sequence[Ints]) -> Gone:
        found = gone(list(zip(self.links, links, strict=True)), self.clock)
        facts = [one.withheld(some) for one, some in zip(self.triples, triples, strict=True)]
        return Gone(joined(dict(found.edges), *facts), found.moment)
