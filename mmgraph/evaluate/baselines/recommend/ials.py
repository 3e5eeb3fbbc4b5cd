"""iALS: two tables of factors, fitted in turns to what was chosen and, a little, to all that was not."""

import importlib.util
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from mmgraph.evaluate.baselines.choice import best_link_method
from mmgraph.evaluate.baselines.completion import Completed
from mmgraph.evaluate.baselines.interactions import Interactions
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.types import Floats, Ints

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IALS(LinkBaseline):
    """Score = inner product of factors by weighted alternating least squares (Hu, Koren & Volinsky 2008), by the package ``implicit``
    (extra ``recommend``); not there without it.

    alphas: how much more a link counts than none; regularizations: see the package. The pair that does best on validation is taken: how
    much that matters is shown by Rendle et al. 2022, arXiv 2110.14037. weights: ``binary``, or ``log`` of the links' weights.
    """

    factors: int = 128
    alphas: Sequence[float] = (1.0, 10.0)
    regularizations: Sequence[float] = (0.1, 10.0)
    iterations: int = 15
    weights: Literal["binary", "log"] = "binary"

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Fit every pair of settings; left out, with a word in the log, without the package, or where factors need more than 4 GiB."""
        seen = Interactions.of(question, self.weights)
        if seen is None or not fits_in_memory("ials", 3 * 4 * sum(seen.matrix.shape) * self.factors):
            return []
        if importlib.util.find_spec("implicit") is None:
            _LOG.info("baseline ials left out: the package implicit is not installed (extra recommend)")
            return []
        made = (
            _IALS(seen, self._factors(seen, question.seed, alpha, regularization), (alpha, regularization))
            for alpha, regularization in itertools.product(self.alphas, self.regularizations)
        )
        return [best_link_method(question, made, default=0)]

    def _factors(self, seen: Interactions, seed: int, alpha: float, regularization: float) -> tuple[Floats, Floats]:
        with threadpool_limits(1, "blas"):  # the package shares its own threads among rows
            from implicit.als import AlternatingLeastSquares

            model: Any = AlternatingLeastSquares(
                factors=self.factors,
                alpha=alpha,
                regularization=regularization,
                iterations=self.iterations,
                use_gpu=False,
                random_state=seed,
            )
            model.fit(seen.matrix.astype(np.float32), show_progress=False)
        return np.asarray(model.user_factors, np.float32), np.asarray(model.item_factors, np.float32)


class _IALS(Completed):
    name = "ials"

    def __init__(self, seen: Interactions, factors: tuple[Floats, Floats], penalties: tuple[float, float]) -> None:
        super().__init__(seen)
        self._users, self._items = factors
        self._alpha, self._regularization = penalties

    def of_sources(self, rows: Ints) -> Floats:
        """See Completed."""
        return np.asarray(self._users[rows] @ self._items.T, np.float32)

    def of_likes(self, likes: Any) -> Floats:
        """See Completed: factors of each row solved for as in the last turn (equation 4), the items' as they are."""
        items = self._items.astype(np.float64)
        gram = items.T @ items + self._regularization * np.eye(items.shape[1])
        factors = []
        for row in range(likes.shape[0]):
            own, counts = items[likes[row].indices], self._alpha * likes[row].data.astype(np.float64)
            factors.append(np.linalg.solve(gram + (own.T * (counts - 1.0)) @ own, own.T @ counts))
        return np.asarray(np.stack(factors) @ items.T, np.float32)

    def of_targets(self, columns: Ints) -> Floats:
        """See Completed."""
        return np.asarray(self._items[columns] @ self._users.T, np.float32)
