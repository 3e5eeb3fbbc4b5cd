"""The visible links of each source in the order of their times, for methods that say what comes next."""

from dataclasses import dataclass, replace

import numpy as np

from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.graph.contract import Edges
from mmgraph.types import Ints


@dataclass(frozen=True)
class Sequences:
    """``items`` int64 [links]: targets, source by source, oldest first; those of source i from ``starts[i]`` to ``starts[i + 1]``.

    count: how many targets there are.
    """

    items: Ints
    starts: Ints
    count: int

    @classmethod
    def of(cls, question: LinkQuestion) -> "Sequences | None":
        """None where order tells nothing: a link has no time, or a validation link is older than what is seen of its source (a split
        that is neither by time nor leaves out the last). Of links of one moment the later in the table is the newer.
        """
        seen, split = question.visible, question.split
        if seen.time is None or not len(seen) or np.isnan(seen.time).any() or split.edges.temporal:
            return None
        newest = np.full(question.count("source"), -np.inf)
        np.maximum.at(newest, seen.source, seen.time)
        valid = split.edges.take(split.valid)
        if valid.time is None or not len(valid) or np.isnan(valid.time).any() or (valid.time < newest[valid.source]).any():
            return None
        return cls.in_order(seen, question.count("source"), question.count("target"))

    @classmethod
    def in_order(cls, edges: Edges, sources: int, count: int) -> "Sequences":
        """The links of every source by their times, which all have one."""
        assert edges.time is not None
        order = np.lexsort((np.arange(len(edges)), edges.time, edges.source))
        return cls(edges.target[order], np.searchsorted(edges.source[order], np.arange(sources + 1)).astype(np.int64), count)

    @property
    def lengths(self) -> Ints:
        """How many links each source has."""
        return np.diff(self.starts)

    def longer(self, newer: Edges) -> "Sequences":
        """With more links, which come after all others of their source, in the order of their times."""
        sources, more = len(self.starts) - 1, Sequences.in_order(newer, len(self.starts) - 1, self.count)
        owner = np.concatenate([np.repeat(np.arange(sources), one.lengths) for one in (self, more)])
        order = np.argsort(owner, kind="stable")
        items = np.concatenate([self.items, more.items])[order]
        return replace(self, items=items, starts=self.starts + more.starts)

    def last(self, sources: Ints, length: int) -> Ints:
        """The newest items of each source, oldest first, int64 [sources, length]; -1 after the end of those that have fewer."""
        kept = np.minimum(self.lengths[sources], length)
        place = (self.starts[sources + 1] - kept)[:, None] + np.arange(length)
        there = np.arange(length) < kept[:, None]
        return np.where(there, self.items[np.where(there, place, 0)] if len(self.items) else -1, -1).astype(np.int64)

    def steps(self, apart: int) -> tuple[Ints, Ints]:
        """Pairs of items of one source of which the second comes ``apart`` places after the first."""
        owner = np.repeat(np.arange(len(self.starts) - 1), self.lengths)
        same = owner[apart:] == owner[:-apart]
        return self.items[:-apart][same], self.items[apart:][same]
