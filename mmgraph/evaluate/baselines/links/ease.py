"""EASE: an item-item regression whose items may not vote for themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.linalg

from mmgraph.evaluate.baselines.choice import best_link_method
from mmgraph.evaluate.baselines.completion import Completed
from mmgraph.evaluate.baselines.interactions import Interactions
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Ease(LinkBaseline):
    """Score = X B of sources by targets (Steck 2019, arXiv 1905.03375): X the visible links, B = I - P diag(P)^-1,
    P = (XᵀX + λI)^-1, so that B has a diagonal of zeros and a link says nothing of itself (but B was fitted on it).

    lambdas: the one with the best MRR on validation is taken, the middle one where validation is too small. weights: ``binary``, or
    ``log`` of the links' weights. Both directions read one matrix of scores. Left out where ``Interactions`` finds nothing to complete.
    """

    lambdas: Sequence[float] = (10.0, 50.0, 200.0, 500.0, 1000.0)
    weights: Literal["binary", "log"] = "binary"

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Invert the Gram matrix of the side with fewer items; left out, with a word in the log, where that needs more than 4 GiB."""
        seen = Interactions.of(question, self.weights)
        if seen is None or not fits_in_memory("ease", 4 * 8 * min(seen.matrix.shape) ** 2):
            return []
        made = (_Ease(seen, value) for value in self.lambdas)
        return [best_link_method(question, made, default=len(self.lambdas) // 2)]


class _Ease(Completed):
    """X B = X - (XXᵀ + λI)^-1 X diag(P)^-1, by (XXᵀ + λI)^-1 X = X (XᵀX + λI)^-1; of the two inverses the smaller one is made.

    diag(P) from the other side: λ P = I - Xᵀ (XXᵀ + λI)^-1 X (Woodbury).
    """

    name = "ease"

    def __init__(self, seen: Interactions, ridge: float) -> None:
        super().__init__(seen)
        x = seen.matrix
        self._by_source = x.shape[0] <= x.shape[1]
        inverse = _inverse(x @ x.T if self._by_source else x.T @ x, ridge)
        if self._by_source:
            voted = np.asarray(x.multiply((x.T @ inverse).T).sum(axis=0)).ravel()  # of each target: x_i . (XXᵀ + λI)^-1 x_i
            own = (1.0 - voted) / ridge
        else:
            own = np.diagonal(inverse)
        self._ridge, self._own = ridge, own.astype(np.float32)
        self._inverse = inverse.astype(np.float32)

    def of_sources(self, rows: Ints) -> Floats:
        """See Completed."""
        x = self._matrix
        regressed = (x.T @ self._inverse[rows].T).T if self._by_source else x[rows] @ self._inverse
        return np.asarray(x[rows].toarray() - regressed / self._own, np.float32)

    def of_likes(self, likes: Any) -> Floats:
        """See Completed: x B; from the side of the sources λ x P = x - x Xᵀ (XXᵀ + λI)^-1 X."""
        x = likes.toarray()
        if self._by_source:
            voted = (likes @ self._matrix.T).toarray() @ self._inverse
            regressed = (x - (self._matrix.T @ voted.T).T) / self._ridge
        else:
            regressed = likes @ self._inverse
        return np.asarray(x - regressed / self._own, np.float32)

    def of_targets(self, columns: Ints) -> Floats:
        """See Completed."""
        x = self._matrix[:, columns]
        regressed = (x.T @ self._inverse).T if self._by_source else self._matrix @ self._inverse[:, columns]
        return np.asarray(x.toarray() - regressed / self._own[columns], np.float32).T


def _inverse(gram: Any, ridge: float) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """(gram + ridge I)^-1 float64, by Cholesky."""
    dense = gram.toarray().astype(np.float64)
    dense[np.diag_indices_from(dense)] += ridge
    factor = scipy.linalg.cholesky(dense, lower=True, overwrite_a=True, check_finite=False)
    inverse, info = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    assert info == 0, "a positive matrix has an inverse"
    lower = np.tril(inverse)
    return np.asarray(lower + np.tril(inverse, -1).T)
