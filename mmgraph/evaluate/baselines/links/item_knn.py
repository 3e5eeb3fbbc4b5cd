"""Item-kNN: who chose this also chose that."""

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
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.types import Floats, Ints

_PAIRS = 2**21  # of items that are compared at once


@dataclass(frozen=True, kw_only=True)
class ItemKNN(LinkBaseline):
    """Score = X W of sources by targets (Sarwar et al. 2001; Deshpande & Karypis 2004, section 4): X the visible links, W the cosines
    between the columns of X, of each target those to its ``k`` nearest others. A link says nothing of itself, as W has no diagonal.

    ks: None for all others; shrinkages: cosine = xᵢ·xⱼ / (|xᵢ| |xⱼ| + shrinkage), so that what few chose together counts less. Of all pairs
    the one that does best on validation is taken, the first where validation is too small. weights: ``binary``, or ``log`` of the
    links' weights. Both directions read one matrix of scores. Left out where ``Interactions`` finds nothing to complete.
    """

    ks: Sequence[int | None] = (200, None)
    shrinkages: Sequence[float] = (10.0, 0.0)
    weights: Literal["binary", "log"] = "binary"

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Compare the targets, a block at a time; left out, with a word in the log, where the neighbours need more than 4 GiB."""
        seen = Interactions.of(question, self.weights)
        if seen is None or not (ks := [k for k in self.ks if _fits(seen.matrix, k)]):
            return []
        each = itertools.product(ks, self.shrinkages)
        made = (_ItemKNN(seen, nearest_columns(seen.matrix, k, shrinkage)) for k, shrinkage in each)
        return [best_link_method(question, made, default=0)]


def _fits(x: Any, k: int | None) -> bool:
    """Whether the ``k`` nearest of every column do; a column has no more than it was chosen together with."""
    neighbours = np.minimum(_together(x), x.shape[1] if k is None else min(k, x.shape[1]))
    return fits_in_memory("item_knn", 3 * 8 * int(neighbours.sum()))


def _together(x: Any) -> Floats:
    """How many entries the row of XᵀX of each column has, at most."""
    return np.asarray(x.T.tocsr() @ np.diff(x.indptr).astype(np.float64))


class _ItemKNN(Completed):
    name = "item_knn"

    def __init__(self, seen: Interactions, near: Any) -> None:
        super().__init__(seen)
        self._near, self._turned, self._columns = near, near.T.tocsr(), seen.matrix.T.tocsr()

    def of_sources(self, rows: Ints) -> Floats:
        """See Completed."""
        return np.asarray((self._matrix[rows] @ self._near).toarray(), np.float32)

    def of_likes(self, likes: Any) -> Floats:
        """See Completed."""
        return np.asarray((likes @ self._near).toarray(), np.float32)

    def of_targets(self, columns: Ints) -> Floats:
        """See Completed."""
        return np.asarray((self._turned[columns] @ self._columns).toarray(), np.float32)


def nearest_columns(x: Any, k: int | None, shrinkage: float) -> Any:
    """CSR float32 [columns, columns]: in row i the shrunk cosines of column i with its ``k`` nearest others (None: all), of equal ones
    the first.
    """
    columns = x.T.tocsr()
    lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=1), np.float64)).ravel()
    block = np.cumsum(np.minimum(np.maximum(_together(x), 1), x.shape[1])) // _PAIRS
    kept = (x.shape[1] if k is None else k, shrinkage)
    parts = [_nearest(columns, x, rows, kept, lengths) for rows in np.split(*_ends(block))]
    return scipy.sparse.vstack(parts, format="csr")


def _ends(block: Floats) -> tuple[Ints, Ints]:
    return np.arange(len(block)), np.flatnonzero(np.diff(block)) + 1


def _nearest(columns: Any, x: Any, rows: Ints, kept: tuple[int, float], lengths: Floats) -> Any:
    k, shrinkage = kept
    product = (columns[rows] @ x).tocoo()
    row, column = product.row.astype(np.int64), product.col.astype(np.int64)
    other = rows[row] != column
    row, column, shared = row[other], column[other], product.data[other].astype(np.float64)
    cosine = shared / (lengths[rows[row]] * lengths[column] + shrinkage)
    order = np.lexsort((column, -cosine, row))
    row, column, cosine = row[order], column[order], cosine[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(len(rows)))[row]
    near = place < k
    entries = (cosine[near].astype(np.float32), (row[near], column[near]))
    return scipy.sparse.csr_matrix(entries, shape=(len(rows), x.shape[1]))
