"""Matrix factorisation of ratings, by alternating least squares on what the biases leave."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.ratings.bias import Bias, fitted_biases
from mmgraph.evaluate.ratings.contract import RatingBaseline, RatingMethod, best_rating_method
from mmgraph.tasks.rated import RatingQuestion, Reals
from mmgraph.types import Floats, Ints

_CELLS = 2**24  # numbers of the small Gram matrices held at once


@dataclass(frozen=True, kw_only=True)
class Factors(RatingBaseline):
    """r = b_ui + p_u·q_i (Koren, Bell & Volinsky 2009, equation 4): b are ``Biases`` with ``l2``, p and q alternate in solving for what
    these leave, with a penalty of ``penalties`` times the number of one's ratings (Zhou et al. 2008, ALS-WR).

    Of widths and penalties the pair that does best on validation is taken.
    """

    widths: Sequence[int] = (8, 24)
    penalties: Sequence[float] = (0.1, 0.03, 0.3)
    l2: float = 5.0
    sweeps: int = 12

    def fit(self, question: RatingQuestion) -> list[RatingMethod]:
        """Left out, with a word in the log, where it needs more than 4 GiB."""
        seen = question.train
        if not fits_in_memory("factors", 8 * max(seen.shape) * max(self.widths) ** 2):
            return []
        bias = fitted_biases(seen, self.l2)
        rest = seen.matrix(seen.value - bias.of(seen.source, seen.target))
        made: list[RatingMethod] = [
            _Factors(bias, *factorised(rest, width, penalty, self.sweeps, question.seed))
            for width, penalty in itertools.product(self.widths, self.penalties)
        ]
        return [best_rating_method(question, made, default=0)]


class _Factors(RatingMethod):
    name = "factors"

    def __init__(self, bias: Bias, source: Reals, target: Reals) -> None:
        self._bias, self._source, self._target = bias, source, target

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        product = np.einsum("pf,pf->p", self._source[source], self._target[target])
        return (self._bias.of(source, target) + product).astype(np.float32)

    def table(self, sources: Ints, targets: int) -> Floats:
        """See RatingMethod."""
        product = self._source[sources] @ self._target.T
        return (self._bias.of(sources[:, None], np.arange(targets)[None]) + product).astype(np.float32)


def factorised(x: Any, width: int, penalty: float, sweeps: int, seed: int) -> tuple[Reals, Reals]:
    """Factors [rows, width] and [columns, width] of the entries of CSR ``x``: 0 for a row or column without any."""
    there = x.copy()
    there.data = np.ones_like(x.data)
    ways = ((x, there), (x.T.tocsr(), there.T.tocsr()))
    columns: Reals = np.random.default_rng([seed, 0xFAC7]).normal(0.0, 0.3, (x.shape[1], width))
    rows: Reals = np.zeros((x.shape[0], width))
    for _ in range(sweeps):
        rows = solved(*ways[0], columns, penalty)
        columns = solved(*ways[1], rows, penalty)
    return rows, columns


def solved(x: Any, there: Any, others: Reals, penalty: float) -> Reals:
    """Of each row of CSR ``x`` the ridge regression of its entries on those of the ``others`` [columns, width] in whose columns they stand;
    ``there`` has a one for each entry.
    """
    width, count = others.shape[1], np.diff(x.indptr)
    squares = np.einsum("cf,cg->cfg", others, others).reshape(len(others), width * width)
    found = np.zeros((x.shape[0], width))
    size = max(1, _CELLS // (width * width))
    for start in range(0, x.shape[0], size):
        part = slice(start, start + size)
        gram = np.asarray(there[part] @ squares).reshape(-1, width, width)
        gram += (penalty * np.maximum(count[part], 1))[:, None, None] * np.eye(width)
        found[part] = np.linalg.solve(gram, np.asarray(x[part] @ others)[..., None])[..., 0]
    return found
