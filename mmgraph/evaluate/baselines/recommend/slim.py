"""SLIM: an item-item regression with few weights, none of them negative."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.choice import best_link_method
from mmgraph.evaluate.baselines.completion import Completed
from mmgraph.evaluate.baselines.interactions import Interactions
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.links.item_knn import nearest_columns
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.types import Floats, Ints

_CELLS = 2**24  # numbers of the small Gram matrices held at once


@dataclass(frozen=True, kw_only=True)
class Slim(LinkBaseline):
    """Score = X W (Ning & Karypis 2011): column j of W minimises |x_j - X w|²/2 + l2 |w|²/2 + l1 |w|₁, w >= 0, w_j = 0.

    As in their fsSLIM only the ``k`` items with the highest cosine may have a weight in a column. Solved by coordinate
    descent (Friedman et al. 2010), ``sweeps`` times over all, for all columns together. l1s, l2s: the pair that does best on validation
    is taken. weights: ``binary``, or ``log`` of the links' weights.
    """

    k: int = 50
    l1s: Sequence[float] = (0.1, 1.0)
    l2s: Sequence[float] = (1.0, 10.0)
    sweeps: int = 20
    weights: Literal["binary", "log"] = "binary"

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Solve for every pair of settings; left out, with a word in the log, where the neighbours need more than 4 GiB."""
        seen = Interactions.of(question, self.weights)
        if seen is None or not fits_in_memory("slim", 8 * 8 * min(self.k, seen.matrix.shape[1]) * seen.matrix.shape[1]):
            return []
        near = nearest_columns(seen.matrix, self.k, 0.0)
        made = (
            _Slim(seen, solved(seen.matrix, near, (l1, l2), self.sweeps)) for l1, l2 in itertools.product(self.l1s, self.l2s)
        )
        return [best_link_method(question, made, default=0)]


class _Slim(Completed):
    name = "slim"

    def __init__(self, seen: Interactions, weights: Any) -> None:
        super().__init__(seen)
        self._weights, self._turned, self._columns = weights, weights.T.tocsr(), seen.matrix.T.tocsr()

    def of_sources(self, rows: Ints) -> Floats:
        """See Completed."""
        return np.asarray((self._matrix[rows] @ self._weights).toarray(), np.float32)

    def of_likes(self, likes: Any) -> Floats:
        """See Completed."""
        return np.asarray((likes @ self._weights).toarray(), np.float32)

    def of_targets(self, columns: Ints) -> Floats:
        """See Completed."""
        return np.asarray((self._turned[columns] @ self._columns).toarray(), np.float32)


def solved(x: Any, near: Any, penalties: tuple[float, float], sweeps: int) -> Any:
    """W, CSR float32 [columns, columns]; ``near``: CSR, in row j what may have a weight in column j; penalties: l1 and l2."""
    count = x.shape[1]
    gram = (x.T @ x).tocoo()
    key = gram.row.astype(np.int64) * count + gram.col
    order = np.argsort(key)
    table = key[order], gram.data[order].astype(np.float32)
    width = int(np.diff(near.indptr).max(initial=0))
    size, parts = max(1, _CELLS // max(width * width, 1)), [scipy.sparse.csr_matrix((count, count), dtype=np.float32)]
    for start in range(0, count, size):
        columns = np.arange(start, min(start + size, count))
        held = near[columns]
        own = np.repeat(np.arange(len(columns)), np.diff(held.indptr))
        place = np.arange(len(own)) - np.repeat(held.indptr[:-1], np.diff(held.indptr))
        may = np.full((len(columns), width), -1, np.int64)
        may[own, place] = held.indices
        weight = _descended(table, columns, may, count, penalties, sweeps)
        row, at = np.nonzero(weight)
        entries = (weight[row, at], (may[row, at], columns[row]))
        parts.append(scipy.sparse.csr_matrix(entries, shape=(count, count), dtype=np.float32))
    return sum(parts[1:], parts[0]).tocsr()


def _descended(
    table: tuple[Ints, Floats], columns: Ints, may: Ints, count: int, penalties: tuple[float, float], sweeps: int
) -> Floats:
    """Weights float32 [columns, width] of the items ``may`` (-1 for none), by coordinate descent on their Gram matrices."""
    l1, l2 = penalties
    between = _looked_up(table, may[:, :, None], may[:, None, :], count)
    wanted = _looked_up(table, may, columns[:, None], count)
    own = np.einsum("cii->ci", between)
    weight = np.zeros(may.shape, np.float32)
    for _, one in itertools.product(range(sweeps), range(may.shape[1])):
        rest = wanted[:, one] - np.einsum("ci,ci->c", between[:, one], weight) + own[:, one] * weight[:, one]
        weight[:, one] = np.maximum(rest - l1, 0.0) / (own[:, one] + l2)
    return weight


def _looked_up(table: tuple[Ints, Floats], row: Ints, column: Ints, count: int) -> Floats:
    """Entries of the Gram matrix, 0 where it has none or one of the two is -1."""
    keys, values = table
    asked = row * count + column
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where((keys[place] == asked) & (row >= 0) & (column >= 0), values[place], np.float32(0.0)).astype(np.float32)
