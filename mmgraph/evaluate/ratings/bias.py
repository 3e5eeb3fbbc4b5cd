"""How kind users are, and how good items are, beside the mean of all ratings."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from mmgraph.tasks.rated import Ratings, Reals
from mmgraph.types import Ints


@dataclass(frozen=True)
class Bias:
    """``mean``, and float64 [sources] and [targets]; 0 for whoever has no rating."""

    mean: float
    source: Reals
    target: Reals

    def of(self, source: Ints, target: Ints) -> Reals:
        """What is expected of pairs, float64 [pairs]."""
        found: Reals = self.mean + self.source[source] + self.target[target]
        return found


def fitted_biases(seen: Ratings, l2: float) -> Bias:
    """By LSMR (Fong & Saunders 2011), which solves the ridge regression on one column a user and item exactly."""
    rows = np.tile(np.arange(len(seen)), 2)
    columns = np.concatenate([seen.source, seen.shape[0] + seen.target])
    design = scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(seen), sum(seen.shape)))
    solved = scipy.sparse.linalg.lsmr(design, seen.value - seen.mean, damp=np.sqrt(l2), atol=1e-8, btol=1e-8)[0]
    return Bias(seen.mean, solved[: seen.shape[0]], solved[seen.shape[0] :])
