"""All relations as one directed graph whose edges have types, cut into chunks for messages that depend on the type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


@dataclass(frozen=True)
class Chunk:
    """Some edges. What a node says through a relation is the same on all its edges of this relation, so it is made once a *pair*.

    source, relation: node and relation of each pair; targets: the distinct nodes that hear; heard: which pairs each of them hears.
    """

    source: Int[Tensor, "pairs"]
    relation: Int[Tensor, "pairs"]
    targets: Int[Tensor, "hearing"]
    heard: Adjacency

    @classmethod
    def of(cls, source: Int[Tensor, "e"], relation: Int[Tensor, "e"], target: Int[Tensor, "e"]) -> "Chunk":
        """Of edges that are sorted by relation and source."""
        pairs, number = torch.unique_consecutive(torch.stack([relation, source]), dim=1, return_inverse=True)
        targets, place = torch.unique(target, return_inverse=True)
        return cls(pairs[1], pairs[0], targets, Adjacency.from_edges(number, place, pairs.shape[1], len(targets)))

    @cached_property
    def told(self) -> Adjacency:
        """The other way round: which of ``targets`` each pair is heard by, for the gradient."""
        back = self.heard.transposed
        return Adjacency(back.indptr, back.targets, len(self.targets))

    @cached_property
    def of_edges(self) -> Adjacency:
        """The edges of each pair, by their place among those of ``heard``."""
        back = self.heard.transposed
        return Adjacency(back.indptr, back.order, self.heard.sources.numel())

    @cached_property
    def of_sources(self) -> tuple[Tensor, Adjacency]:
        """Distinct sources, and the pairs of each."""
        return _grouped(self.source)

    @cached_property
    def of_relations(self) -> tuple[Tensor, Adjacency]:
        """Distinct relations, and the pairs of each."""
        return _grouped(self.relation)


@dataclass(frozen=True)
class TypedGraph:
    """Item i of a kind is node ``first[kind] + i``; edges are sorted by relation and source. Never written to.

    Nothing here is learnt, so a copy of what holds it shares it.
    """

    first: Mapping[str, int]
    num_nodes: int
    source: Int[Tensor, "edges"]
    relation: Int[Tensor, "edges"]
    target: Int[Tensor, "edges"]
    _cut: dict[tuple[int, str], tuple[Chunk, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, whole: Block, numbers: Mapping[Relation, int]) -> "TypedGraph":
        """The union of a whole graph's relations, reverses among them; ``numbers``: what each is called here."""
        first, count = {}, 0
        for kind, items in whole.num_targets.items():
            first[kind], count = count, count + items
        device = next((one.indptr.device for one in whole.relations.values()), torch.device("cpu"))
        columns = [[torch.zeros(0, dtype=torch.int64, device=device)] for _ in range(3)]
        for relation, adjacency in whole.relations.items():
            back = adjacency.transposed
            every, counts = torch.arange(adjacency.num_sources, device=device), back.indptr[1:] - back.indptr[:-1]
            source = torch.repeat_interleave(every, counts, output_size=back.targets.numel())
            columns[0].append(source + first[relation.source])
            columns[1].append(torch.full_like(source, numbers[relation]))
            columns[2].append(back.targets + first[relation.target])
        source, number, target = (torch.cat(column) for column in columns)
        return cls(first, count, source, number, target)

    @cached_property
    def degree(self) -> Int[Tensor, "nodes"]:
        """How many edges end at each node."""
        return torch.bincount(self.target, minlength=self.num_nodes)

    def chunks(self, size: int, unit: Literal["edges", "pairs"] = "edges") -> tuple[Chunk, ...]:
        """At most ``size`` edges or pairs each; cut once for one size."""
        if not len(self.source):
            return ()
        if (size, unit) not in self._cut:
            number = torch.arange(len(self.source)) if unit == "edges" else self._pair_of_edge.cpu()
            lengths = torch.unique_consecutive(number // size, return_counts=True)[1].tolist()
            parts = zip(*(torch.split(column, lengths) for column in (self.source, self.relation, self.target)), strict=True)
            self._cut.clear()
            self._cut[size, unit] = tuple(Chunk.of(*part) for part in parts)
        return self._cut[size, unit]

    @cached_property
    def _pair_of_edge(self) -> Int[Tensor, "edges"]:
        return torch.unique_consecutive(self.relation * self.num_nodes + self.source, return_inverse=True)[1]

    def to(self, device: torch.device) -> "TypedGraph":
        """A copy on a device; itself where it is there."""
        if self.source.device == device:
            return self
        source, relation, target = (column.to(device) for column in (self.source, self.relation, self.target))
        return TypedGraph(self.first, self.num_nodes, source, relation, target)

    def __deepcopy__(self, memo: dict[int, object]) -> "TypedGraph":
        return self


def _grouped(values: Tensor) -> tuple[Tensor, Adjacency]:
    distinct, place = torch.unique(values, return_inverse=True)
    each = torch.arange(len(values), device=values.device)
    return distinct, Adjacency.from_edges(each, place, len(values), len(distinct))
