"""A matrix of sources by targets, completed: its rows answer one direction, its columns the other."""

import abc
from typing import Any

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.interactions import Interactions
from mmgraph.evaluate.contract import Direction, LinkMethod, Newcomer
from mmgraph.types import Floats, Ints


class Completed(LinkMethod):
    """Scores of active items from one completed matrix; a query or candidate without a visible link scores 0, as its row or column would.

    Never made whole: a block takes memory of its queries by the candidates.
    """

    def __init__(self, seen: Interactions) -> None:
        self._matrix: Any = seen.matrix
        self._one = seen.one
        self._active = {"source": seen.sources, "target": seen.targets}
        self._count = dict(zip(("source", "target"), seen.shape, strict=True))

    @abc.abstractmethod
    def of_sources(self, rows: Ints) -> Floats:
        """float32 [rows, active targets]: rows of the completed matrix."""

    @abc.abstractmethod
    def of_targets(self, columns: Ints) -> Floats:
        """float32 [columns, active sources]: its columns."""

    @abc.abstractmethod
    def of_likes(self, likes: Any) -> Floats:
        """float32 [rows, active targets]: what rows that are not in the matrix, CSR float32 [rows, active targets], are completed to."""

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: the row of its links, completed as every other; targets without a visible link say nothing."""
        active = self._active["target"]
        column = np.flatnonzero(np.isin(active, newcomer.liked))
        values, row = np.full(len(column), self._one, np.float32), np.zeros(len(column), np.int64)
        likes = scipy.sparse.csr_matrix((values, (row, column)), shape=(1, len(active)))
        out = np.zeros((1, self._count["target"]), np.float32)
        out[:, active] = self.of_likes(likes)
        return out

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        asking = self._active["source" if direction == "target" else "target"]
        place = np.minimum(np.searchsorted(asking, queries), len(asking) - 1)
        active = np.flatnonzero(asking[place] == queries)
        out = np.zeros((len(queries), self._count[direction]), np.float32)
        if len(active):
            found = self.of_sources(place[active]) if direction == "target" else self.of_targets(place[active])
            out[np.ix_(active, self._active[direction])] = found
        return out
