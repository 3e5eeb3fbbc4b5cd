"""One relation as compressed columns: for every target its sources, and, for the gradient, for every source its targets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mmgraph.sample.moved import moved

# Devices where sizes are found by looking: the first is not waited for, the second knows no other way.
_LOOKED_AT = ("cpu", "mps")


@dataclass(frozen=True)
class Transposed:
    """The same edges grouped by source. ``order[i]`` is the position of edge i in the order grouped by target."""

    indptr: Int[Tensor, "sources_plus_1"]
    targets: Int[Tensor, "edges"]
    order: Int[Tensor, "edges"]


@dataclass(frozen=True)
class Adjacency:
    """Edges grouped by target: the sources of target t are ``sources[indptr[t]:indptr[t + 1]]``. Never written to.

    ``ids``: position of every edge in the relation's edge list, where that is known (full graphs).
    """

    indptr: Int[Tensor, "targets_plus_1"]
    sources: Int[Tensor, "edges"]
    num_sources: int
    ids: Int[Tensor, "edges"] | None = None
    given_transposed: Transposed | None = None

    @classmethod
    def from_edges(cls, source: Int[Tensor, "e"], target: Int[Tensor, "e"], num_sources: int, num_targets: int) -> "Adjacency":
        """Group edges by target; stable, so that the same edges give the same sums."""
        order = torch.argsort(target, stable=True)
        return cls(_offsets(target, num_targets), source[order], num_sources, ids=order)

    @classmethod
    def loops(cls, num_sources: int, num_targets: int, device: torch.device) -> "Adjacency":
        """An edge from each target to itself: the targets are the first of the sources."""
        itself = torch.arange(num_targets, device=device)
        offsets = torch.arange(num_sources + 1, device=device)
        return cls(
            offsets[: num_targets + 1], itself, num_sources, itself, Transposed(offsets.clamp(max=num_targets), itself, itself)
        )

    @property
    def num_targets(self) -> int:
        """How many targets, with or without sources."""
        return self.indptr.numel() - 1

    @cached_property
    def degree(self) -> Int[Tensor, "targets"]:
        """Sources of every target."""
        return self.indptr[1:] - self.indptr[:-1]

    @cached_property
    def targets(self) -> Int[Tensor, "edges"]:
        """The target of every edge."""
        rows = torch.arange(self.num_targets, device=self.indptr.device)
        return torch.repeat_interleave(rows, self.degree, output_size=self.sources.numel())

    @cached_property
    def transposed(self) -> Transposed:
        """The same edges grouped by source; made once."""
        if self.given_transposed is not None:
            return self.given_transposed
        if self.sources.device.type != "cpu":
            order = torch.argsort(self.sources, stable=True)
            return Transposed(_offsets(self.sources, self.num_sources), self.targets[order], order)
        return _counted(self)

    def keep(self, mask: Bool[Tensor, "edges"], count: int | None = None) -> "Adjacency":
        """Only the edges (in this order) under the mask. Linear in the edges: nothing is sorted again.

        count: how many these are, where that is known; a GPU is not waited for then.
        """
        old = self.transposed
        kept = mask.index_select(0, old.order)
        before, before_back = _running(mask), _running(kept)
        here, back = _true(mask, count), _true(kept, count)
        order = before.index_select(0, old.order.index_select(0, back))
        transposed = Transposed(before_back[old.indptr], old.targets.index_select(0, back), order)
        ids = None if self.ids is None else self.ids.index_select(0, here)
        return Adjacency(before[self.indptr], self.sources.index_select(0, here), self.num_sources, ids, transposed)

    def to(self, device: torch.device) -> "Adjacency":
        """A copy on a device, with its transposed arrays; itself where it is there."""
        if self.sources.device == device:
            return self
        t = self.transposed
        return replace(
            self,
            indptr=moved(self.indptr, device),
            sources=moved(self.sources, device),
            ids=None if self.ids is None else moved(self.ids, device),
            given_transposed=Transposed(*(moved(one, device) for one in (t.indptr, t.targets, t.order))),
        )


def _counted(adjacency: Adjacency) -> Transposed:
    """By scipy's counting sort, which is linear in the edges and stable: half the time of sorting them."""
    edges = adjacency.sources.numel()
    shape = (adjacency.num_targets, adjacency.num_sources)
    columns = scipy.sparse.csr_array((np.arange(edges), adjacency.sources.numpy(), adjacency.indptr.numpy()), shape).tocsc()
    indptr, targets, order = (torch.from_numpy(x.astype(np.int64)) for x in (columns.indptr, columns.indices, columns.data))
    return Transposed(indptr, targets, order)


def merged(several: Sequence[Adjacency]) -> Adjacency:
    """All edges between the same sources and targets, those of the first ones first at every target; nothing is sorted again.

    >>> one = Adjacency.from_edges(torch.tensor([0, 1]), torch.tensor([0, 1]), 2, 2)
    >>> both = merged([one, Adjacency.from_edges(torch.tensor([1]), torch.tensor([0]), 2, 2)])
    >>> both.indptr.tolist(), both.sources.tolist()
    ([0, 2, 3], [0, 1, 1])
    """
    indptr, places = _places([(one.indptr, one.sources.numel()) for one in several])
    sources = joined([one.sources for one in several], places)
    backs = [one.transposed for one in several]
    back_indptr, at = _places([(back.indptr, back.targets.numel()) for back in backs])
    targets = joined([back.targets for back in backs], at)
    order = joined([place[back.order] for back, place in zip(backs, places, strict=True)], at)
    return Adjacency(indptr, sources, several[0].num_sources, given_transposed=Transposed(back_indptr, targets, order))


def merged_places(several: Sequence[Adjacency]) -> list[Int[Tensor, "edges"]]:
    """Where the edges of each stand in ``merged``."""
    return _places([(one.indptr, one.sources.numel()) for one in several])[1]


def joined(parts: Sequence[Tensor], places: Sequence[Tensor]) -> Tensor:
    """One tensor that has each part at its places."""
    whole = parts[0].new_empty(sum(part.numel() for part in parts))
    for part, place in zip(parts, places, strict=True):
        whole[place] = part
    return whole


def _places(parts: Sequence[tuple[Tensor, int]]) -> tuple[Tensor, list[Tensor]]:
    """Offsets of the whole, and where the entries of every part (offsets, number of entries) go, group by group: part after part within
    a group of the whole.
    """
    whole = torch.stack([indptr for indptr, _ in parts]).sum(0)
    places, used = [], whole[:-1].clone()
    for indptr, entries in parts:
        counts = indptr[1:] - indptr[:-1]
        shift = torch.repeat_interleave(used - indptr[:-1], counts, output_size=entries)
        places.append(torch.arange(entries, device=shift.device) + shift)
        used += counts
    return whole, places


def _offsets(groups: Tensor, count: int) -> Tensor:
    indptr = torch.zeros(count + 1, dtype=torch.int64, device=groups.device)
    torch.cumsum(_counts(groups, count), 0, out=indptr[1:])
    return indptr


def _counts(groups: Tensor, count: int) -> Tensor:
    if groups.device.type in _LOOKED_AT:
        return torch.bincount(groups, minlength=count)
    one = torch.ones((), dtype=torch.int64, device=groups.device)  # bincount waits for the GPU to learn the largest
    return torch.zeros(count, dtype=torch.int64, device=groups.device).index_add_(0, groups, one.expand_as(groups))


def _true(mask: Tensor, count: int | None) -> Tensor:
    """Positions of what is true."""
    if count is None or mask.device.type in _LOOKED_AT:
        return mask.nonzero()[:, 0]
    return torch.nonzero_static(mask, size=count)[:, 0]  # nonzero waits for the GPU to learn how many there are


def _running(mask: Tensor) -> Tensor:
    """How many are true before each position, and in all."""
    running = torch.zeros(mask.numel() + 1, dtype=torch.int64, device=mask.device)
    torch.cumsum(mask, 0, out=running[1:])
    return running
