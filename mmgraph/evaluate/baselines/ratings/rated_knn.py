"""Item-kNN for ratings: what the user gave to the items that are rated alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.links.item_knn import nearest_columns
from mmgraph.evaluate.ratings.bias import Bias, fitted_biases
from mmgraph.evaluate.ratings.contract import RatingBaseline, RatingMethod, best_rating_method
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.types import Floats, Ints

_PAIRS = 2**14  # that are asked at once
_LEAST = 1e-6  # of similarity in all, under which neighbours say nothing


@dataclass(frozen=True, kw_only=True)
class RatedKNN(RatingBaseline):
    """r = b_ui + Σ s_ij (r_uj - b_uj) / Σ s_ij over the items j that u has rated and that are among the ``k`` nearest of i (Sarwar et al.
    2001; Koren 2010, Factor in the Neighbors); b: ``Biases`` with ``l2``; s: the shrunk cosine of what the biases leave, where
    it is above 0.

    ks, shrinkages: the pair that does best on validation is taken.
    """

    ks: Sequence[int] = (40, 200)
    shrinkages: Sequence[float] = (1.0, 10.0)
    l2: float = 5.0

    def fit(self, question: RatingQuestion) -> list[RatingMethod]:
        """Left out, with a word in the log, where the neighbours need more than 4 GiB."""
        seen = question.train
        if not fits_in_memory("rated_knn", 3 * 8 * max(self.ks) * seen.shape[1]):
            return []
        bias = fitted_biases(seen, self.l2)
        rest = seen.matrix(seen.value - bias.of(seen.source, seen.target))
        widest = (nearest_columns(rest, max(self.ks), shrinkage) for shrinkage in self.shrinkages)
        made: list[RatingMethod] = [_RatedKNN(bias, rest, first_of(near, k)) for near in widest for k in self.ks]
        return [best_rating_method(question, made, default=0)]


def first_of(near: Any, k: int) -> Any:
    """Of each row of CSR ``near`` the ``k`` largest entries, of equal ones the first columns."""
    row = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    order = np.lexsort((near.indices, -near.data, row))
    kept = order[np.arange(len(order)) - near.indptr[row] < k]
    return scipy.sparse.csr_matrix((near.data[kept], (row[kept], near.indices[kept])), shape=near.shape)


class _RatedKNN(RatingMethod):
    name = "rated_knn"

    def __init__(self, bias: Bias, rest: Any, near: Any) -> None:
        self._bias, self._rest, self._rated = bias, rest, rest.copy()
        self._rated.data = np.ones_like(rest.data)
        self._near = near.copy()
        self._near.data = np.maximum(near.data, 0.0)

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        found = self._bias.of(source, target)
        for start in range(0, len(source), _PAIRS):
            part = slice(start, start + _PAIRS)
            near, rest, rated = self._near[target[part]], self._rest[source[part]], self._rated[source[part]]
            total = np.asarray(near.multiply(rest).sum(axis=1)).ravel()
            weight = np.asarray(near.multiply(rated).sum(axis=1)).ravel()
            found[part] += np.divide(total, weight, out=np.zeros(len(total)), where=weight > _LEAST)
        return found.astype(np.float32)

    def table(self, sources: Ints, targets: int) -> Floats:
        """See RatingMethod: one product for all targets of a source."""
        found = self._bias.of(sources[:, None], np.arange(targets)[None])
        total, weight = (np.asarray((one[sources] @ self._near.T).toarray()) for one in (self._rest, self._rated))
        found += np.divide(total, weight, out=np.zeros(total.shape, np.float32), where=weight > _LEAST)
        return found.astype(np.float32)
