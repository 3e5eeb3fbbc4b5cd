"""Transitions: what others went on to after the same item."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.choice import best_link_method
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.sequences import Sequences
from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Edges
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Transitions(LinkBaseline):
    """A Markov chain of first order over items: score = P(next = j | newest item of the user).

    Counted from the visible links of all users, of items up to ``windows`` places apart (1: neighbours alone; an item k places later counts
    1 / k, as the sequential rules of Ludewig & Jannach 2018, arXiv 1803.09587), and smoothed by ``smoothing`` counts that are
    shared out by popularity. Of all pairs the one that does best on validation is taken. Left out where order tells nothing.
    """

    windows: Sequence[int] = (1, 3)
    smoothing: Sequence[float] = (1.0, 10.0)

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Count."""
        seen = Sequences.of(question)
        if seen is None or not fits_in_memory("transitions", 3 * 12 * max(self.windows) * len(seen.items)):
            return []
        popular = np.bincount(seen.items, minlength=seen.count) / len(seen.items)
        made = (
            _Transitions(seen, counted(seen, window), popular, smoothing)
            for window, smoothing in itertools.product(self.windows, self.smoothing)
        )
        return [best_link_method(question, made, default=0)]


def counted(seen: Sequences, window: int) -> Any:
    """CSR float64 [items, items]: how often the second was chosen after the first."""
    total = scipy.sparse.csr_matrix((seen.count, seen.count))
    for apart in range(1, window + 1):
        before, after = seen.steps(apart)
        total += scipy.sparse.csr_matrix((np.full(len(before), 1.0 / apart), (before, after)), shape=total.shape)
    return total


class _Transitions(LinkMethod):
    name = "transitions"

    def __init__(self, seen: Sequences, counts: Any, popular: Any, smoothing: float) -> None:
        self._seen, self._given = seen, (counts, popular, smoothing)
        total = np.asarray(counts.sum(axis=1)).ravel() + smoothing
        self._chance = scipy.sparse.diags(1.0 / total) @ counts
        self._rest, self._popular = smoothing / total, popular
        self._newest = seen.last(np.arange(len(seen.starts) - 1), 1)[:, 0]

    def knowing(self, newer: Edges) -> LinkMethod:
        """See LinkMethod: the same chain, of which users stand at other items."""
        return _Transitions(self._seen.longer(newer), *self._given)

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """See LinkMethod; somebody without a link is given what is popular."""
        if direction == "target":
            return self._to_targets(self._newest[queries])
        started = np.flatnonzero(self._newest >= 0)
        own = np.asarray(self._chance[self._newest[started]][:, queries].toarray()).T
        found = np.repeat(self._popular[queries][:, None], len(self._newest), axis=1)
        found[:, started] = own + self._popular[queries][:, None] * self._rest[self._newest[started]]
        return found.astype(np.float32)

    def _to_targets(self, newest: Ints) -> Floats:
        found = np.repeat(self._popular[None], len(newest), axis=0)
        started = np.flatnonzero(newest >= 0)
        found[started] *= self._rest[newest[started]][:, None]
        found[started] += self._chance[newest[started]].toarray()
        return found.astype(np.float32)
