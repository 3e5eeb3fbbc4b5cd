"""What a training step sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mmgraph.sample.adjacency import Adjacency, joined, merged, merged_places
from mmgraph.sample.moved import moved
from mmgraph.types import Relation

SPARSE = 0.1  # share of entries up to which vectors are taken entry by entry


@dataclass(frozen=True)
class Matrix:
    """Links from items of one kind to items of another, each with a weight: ``weight`` in the order of the adjacency."""

    source: str
    target: str
    adjacency: Adjacency
    weight: Float[Tensor, "edges"]

    @cached_property
    def weight_back(self) -> Float[Tensor, "edges"]:
        """The weights in the order grouped by source; made once."""
        return self.weight.index_select(0, self.adjacency.transposed.order)


@dataclass(frozen=True)
class Block:
    """One layer of message passing. The targets of a kind are the first ``num_targets[kind]`` of its sources.

    kept: those of its relations that other blocks have as well, as a block of their own, so that what is found out about them is found
    once. See ``but``.
    """

    num_targets: Mapping[str, int]
    relations: Mapping[Relation, Adjacency]
    kept: "Block | None" = None
    _parts: "dict[object, Block]" = field(default_factory=dict, init=False, repr=False, compare=False)
    _matrices: dict[tuple[float, float], tuple[Matrix, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def but(self, changed: Mapping[Relation, Adjacency]) -> "Block":
        """The same with other edges of some relations; the other relations are one block, however often this is asked."""
        key = frozenset(changed)
        if key not in self._parts:
            self._parts[key] = Block(self.num_targets, {r: a for r, a in self.relations.items() if r not in key})
        return Block(self.num_targets, {**self.relations, **changed}, self._parts[key])

    def leaving(self, out: frozenset[Relation]) -> "Block":
        """The same without some relations; found once."""
        if not out & self.relations.keys():
            return self
        if out not in self._parts:
            left = {relation: one for relation, one in self.relations.items() if relation not in out}
            self._parts[out] = Block(self.num_targets, left, self.kept.leaving(out) if self.kept else None)
        return self._parts[out]

    @property
    def symmetric(self) -> tuple[Matrix, ...]:
        """Sum over relations of 1 / sqrt(deg(source) deg(target)) (Kipf and Welling 2017, equation 2): see ``scaled``."""
        return self.scaled(0.5, 0.5)

    def scaled(self, of_target: float, of_source: float) -> tuple[Matrix, ...]:
        """Sum over relations of deg(target)^-of_target deg(source)^-of_source, degrees counted in each relation by itself: one matrix for
        all relations between the same two kinds, but for those that are ``kept``. Made once.
        """
        powers = (of_target, of_source)
        if powers not in self._matrices:
            between: dict[tuple[str, str], list[Adjacency]] = {}
            for relation, adjacency in self.relations.items():
                if self.kept is None or relation not in self.kept.relations:
                    between.setdefault((relation.source, relation.target), []).append(adjacency)
            own = tuple(_scaled(*kinds, several, *powers) for kinds, several in between.items())
            self._matrices[powers] = (*(self.kept.scaled(*powers) if self.kept else ()), *own)
        return self._matrices[powers]

    @cached_property
    def smoothing(self) -> "Mapping[tuple[str, str], tuple[Adjacency, Float[Tensor, 'edges']]]":
        """The edges of all relations together, with a loop at every target, by the kinds that they lead from and to; and of each edge
        1 / sqrt(d(source) d(target)), d an item's edges with its loop: the symmetric matrix of Kipf and Welling 2017 (arXiv 1609.02907,
        equation 2). Made once. On the whole graph an item has as many edges from it as to it, since every relation has its reverse.
        """
        device = next((one.sources.device for one in self.relations.values()), torch.device("cpu"))
        num_sources = dict(self.num_targets) | {r.source: one.num_sources for r, one in self.relations.items()}
        between: dict[tuple[str, str], list[Adjacency]] = {}
        for relation, adjacency in self.relations.items():
            between.setdefault((relation.source, relation.target), []).append(adjacency)
        for kind, count in self.num_targets.items():
            between.setdefault((kind, kind), []).append(Adjacency.loops(num_sources[kind], count, device))
        joined = {kinds: merged(several) for kinds, several in between.items()}
        of_source = {kind: torch.zeros(count, dtype=torch.int64, device=device) for kind, count in num_sources.items()}
        of_target = {kind: torch.zeros(count, dtype=torch.int64, device=device) for kind, count in self.num_targets.items()}
        for (source, target), adjacency in joined.items():
            out = adjacency.transposed.indptr
            of_source[source] += out[1:] - out[:-1]
            of_target[target] += adjacency.degree
        return {
            kinds: (one, (of_source[kinds[0]][one.sources] * of_target[kinds[1]][one.targets]).float().rsqrt())
            for kinds, one in joined.items()
        }

    def to(self, device: torch.device) -> "Block":
        """A copy on a device; what is kept is copied once. Itself where it is there, with what it has found out about itself."""
        if all(one.sources.device == device for one in self.relations.values()):
            return self
        if self.kept is None:
            return Block(self.num_targets, {r: a.to(device) for r, a in self.relations.items()})
        if device not in self.kept._parts:
            self.kept._parts[device] = self.kept.to(device)
        there = self.kept._parts[device]
        own = {r: a.to(device) for r, a in self.relations.items() if r not in there.relations}
        return Block(self.num_targets, {r: own.get(r) or there.relations[r] for r in self.relations}, there)


def _scaled(source: str, target: str, several: Sequence[Adjacency], of_target: float, of_source: float) -> Matrix:
    ends = [(one.degree[one.targets], _degree_of_source(one)) for one in several]
    if of_target == of_source == 0.5:
        weights = [(first * second).float().rsqrt() for first, second in ends]
    else:
        weights = [first.float().pow(-of_target) * second.float().pow(-of_source) for first, second in ends]
    if len(several) == 1:
        return Matrix(source, target, several[0], weights[0])
    return Matrix(source, target, merged(several), joined(weights, merged_places(several)))


def _degree_of_source(adjacency: Adjacency) -> Int[Tensor, "edges"]:
    """Of each edge, how many edges its source has."""
    back = adjacency.transposed.indptr
    return (back[1:] - back[:-1]).index_select(0, adjacency.sources)


@dataclass(frozen=True)
class Entries:
    """Sparse vectors of length 1: ``adjacency`` leads from components to items, ``values`` are the entries in its order."""

    adjacency: Adjacency
    values: Float[Tensor, "entries"]


@dataclass(frozen=True)
class ModalityInput:
    """One modality of the items of one kind: rows without it are masked by ``present``.

    activations: what an encoder that is trained starts from; they stay on the CPU, as they may be larger than a GPU.
    """

    vectors: Float[Tensor, "items width"]
    present: Bool[Tensor, "items"]
    activations: Float[Tensor, "items stored"] | None = None

    @cached_property
    def complete(self) -> bool:
        """Whether no item lacks the modality; found once."""
        return bool(self.present.all())

    @cached_property
    def entries(self) -> "Entries | None":
        """The numbers that are not zero, of vectors divided by their lengths, found once; None where they are more than a tenth, or where
        a gradient reaches the vectors.
        """
        if self.vectors.requires_grad or int(torch.count_nonzero(self.vectors)) > SPARSE * self.vectors.numel():
            return None
        item, component = self.vectors.nonzero(as_tuple=True)
        adjacency = Adjacency.from_edges(component, item, self.vectors.shape[1], len(self.vectors))
        length = torch.linalg.vector_norm(self.vectors, dim=1)
        return Entries(
            adjacency, self.vectors[item, component] / length[item]
        )  # nonzero goes row by row, as the adjacency does

    def to(self, device: torch.device) -> "ModalityInput":
        """A copy on a device; itself where it is there."""
        if self.vectors.device == device:
            return self
        there = ModalityInput(moved(self.vectors, device), moved(self.present, device), self.activations)
        vars(there)["complete"] = self.complete  # found here, no GPU is waited for
        return there

    def having(self, vectors: Float[Tensor, "items wide"]) -> "ModalityInput":
        """Other vectors of the same items."""
        made = replace(self, vectors=vectors)
        vars(made)["complete"] = self.complete
        return made

    def hiding(self, hidden: Bool[Tensor, "items"]) -> "ModalityInput":
        """As if some of the items lacked it, if only none."""
        made = replace(self, present=self.present & ~hidden)
        vars(made)["complete"] = False
        return made


@dataclass(frozen=True)
class Inputs:
    """The items that enter the first layer: positions by kind, and their features by (kind, modality)."""

    items: Mapping[str, Int[Tensor, "items"]]
    features: Mapping[tuple[str, str], ModalityInput]

    def to(self, device: torch.device) -> "Inputs":
        """A copy on a device."""
        items = {kind: moved(one, device) for kind, one in self.items.items()}
        return Inputs(items, {key: one.to(device) for key, one in self.features.items()})


@dataclass(frozen=True)
class LogQ:
    """Natural logarithms of how likely an item is among a batch's candidates: of the true ends, and of the candidates."""

    true: Float[Tensor, "links"]
    others: Float[Tensor, "others"]

    def to(self, device: torch.device) -> "LogQ":
        """A copy on a device."""
        return LogQ(moved(self.true, device), moved(self.others, device))


@dataclass(frozen=True)
class LinkBatch:
    """Links to predict: row i pairs ``source[i]`` with ``target[i]``; all are rows of the output embeddings.

    ``other_targets`` are candidates shared by all rows; ``is_link[i, j]``: pair (source i, candidate j) is a known train link (or the
    same item, or does not suit the row) and no negative. ``known`` has the cells i * candidates + j of these, repeated or not: they are far
    fewer than all. ``other_sources``, ``known_source`` and ``is_link_source`` likewise for the other direction.
    ``log_q``, ``log_q_source``: how likely each was drawn, where the sampler states it. ``weight``: of each link, where it is asked.
    """

    source: Int[Tensor, "links"]
    target: Int[Tensor, "links"]
    other_targets: Int[Tensor, "others_t"]
    known: Int[Tensor, "cells_t"]
    other_sources: Int[Tensor, "others_s"]
    known_source: Int[Tensor, "cells_s"]
    log_q: LogQ | None = None
    log_q_source: LogQ | None = None
    weight: Float[Tensor, "links"] | None = None

    @property
    def is_link(self) -> Bool[Tensor, "links others_t"]:
        """``known`` as a table, made on the device where the batch is."""
        return _table(self.known, len(self.source), len(self.other_targets))

    @property
    def is_link_source(self) -> Bool[Tensor, "links others_s"]:
        """Of the other direction."""
        return _table(self.known_source, len(self.source), len(self.other_sources))

    def items(self, relation: Relation) -> dict[str, Int[Tensor, "items"]]:
        """Kind -> rows of both ends of the links, which are of this relation."""
        if relation.source == relation.target:
            return {relation.source: torch.cat([self.source, self.target])}
        return {relation.source: self.source, relation.target: self.target}

    def to(self, device: torch.device) -> "LinkBatch":
        """A copy on a device."""
        return LinkBatch(*(_moved(getattr(self, name), device) for name in self.__dataclass_fields__))


def _table(cells: Int[Tensor, "cells"], rows: int, columns: int) -> Bool[Tensor, "rows columns"]:
    made = torch.zeros(rows * columns, dtype=torch.bool, device=cells.device)
    return made.index_fill_(0, cells, True).view(rows, columns)


@dataclass(frozen=True)
class TripleBatch:
    """Questions (item, relation, ?) about links of many relations between items of one kind: ``answer`` is the true one.

    ``relation`` from the number of relations on asks for sources: the relation read from target to source. ``others`` are candidates
    shared by all rows; ``known``: pairs (i, j) where candidate j is a known train answer to question i, or does not suit it, and no
    negative. ``log_q``: how likely each candidate was drawn, where the sampler states it.
    """

    item: Int[Tensor, "questions"]
    relation: Int[Tensor, "questions"]
    answer: Int[Tensor, "questions"]
    others: Int[Tensor, "others"]
    known: Int[Tensor, "2 pairs"]
    log_q: LogQ | None = None

    @property
    def is_link(self) -> Bool[Tensor, "questions others"]:
        """``known`` as a table, made on the device where the batch is: there are far fewer pairs than cells."""
        made = torch.zeros(len(self.item), len(self.others), dtype=torch.bool, device=self.item.device)
        made[self.known[0], self.known[1]] = True
        return made

    def to(self, device: torch.device) -> "TripleBatch":
        """A copy on a device."""
        return TripleBatch(*(_moved(getattr(self, name), device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class LabelBatch:
    """Rows of the output embeddings and their classes, or which of all classes they have.

    members: where what is labelled is read out from its parts, from rows of the output embeddings of the parts' kind to the labelled
    items; these are then numbered as they come, and have no rows of their own.
    """

    items: Int[Tensor, "labelled"]
    classes: Int[Tensor, "labelled"] | Bool[Tensor, "labelled classes"]
    members: Adjacency | None = None

    def to(self, device: torch.device) -> "LabelBatch":
        """A copy on a device."""
        return LabelBatch(moved(self.items, device), moved(self.classes, device), _moved(self.members, device))


@dataclass(frozen=True)
class Batch:
    """One step: inputs, one block a layer (first layer first), and what is asked, by task name.

    places: of the input items of a relation's kind, steps from the start of their chain of message-carrying links and to its end
    (``sample/chains.py``), where the network asks. moment: seconds from which the links are looked at, the newest of the graph when None.
    whole: the whole graph without what is asked, for heads that pass messages of their own. shown: of the input items of a field's kind,
    one more than the class of their training label, 0 where they have none or it is asked, where these enter the network.
    """

    inputs: Inputs
    blocks: tuple[Block, ...]
    links: Mapping[str, LinkBatch] = field(default_factory=dict)
    labels: Mapping[str, LabelBatch] = field(default_factory=dict)
    triples: Mapping[str, TripleBatch] = field(default_factory=dict)
    places: Mapping[Relation, Int[Tensor, "items 2"]] = field(default_factory=dict)
    moment: float | None = None
    whole: Block | None = None
    shown: Mapping[str, Int[Tensor, "items"]] = field(default_factory=dict)

    def to(self, device: torch.device) -> "Batch":
        """A copy on a device; a block that serves several layers is copied once."""
        every = {id(block): block for block in (*self.blocks, self.whole) if block is not None}
        blocks = {number: block.to(device) for number, block in every.items()}
        return Batch(
            self.inputs.to(device),
            tuple(blocks[id(block)] for block in self.blocks),
            {name: one.to(device) for name, one in self.links.items()},
            {name: one.to(device) for name, one in self.labels.items()},
            {name: one.to(device) for name, one in self.triples.items()},
            {relation: moved(one, device) for relation, one in self.places.items()},
            self.moment,
            None if self.whole is None else blocks[id(self.whole)],
            {name: moved(one, device) for name, one in self.shown.items()},
        )


def _moved(one: Any, device: torch.device) -> Any:
    if one is None:
        return None
    return moved(one, device) if isinstance(one, Tensor) else one.to(device)
