"""Some users are kind, and some items are good."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.ratings.bias import Bias, fitted_biases
from mmgraph.evaluate.ratings.contract import RatingBaseline, RatingMethod, best_rating_method
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Biases(RatingBaseline):
    """r = m + b_u + b_i, m the mean (Koren, Bell & Volinsky 2009, Matrix Factorization Techniques for Recommender Systems, equation 3):
    the biases minimise the squared error plus ``l2`` times their squares; of ``l2s`` the one that does best on validation.
    """

    l2s: Sequence[float] = (5.0, 1.0, 25.0)

    def fit(self, question: RatingQuestion) -> list[RatingMethod]:
        """See RatingBaseline."""
        made: list[RatingMethod] = [_Biases(fitted_biases(question.train, l2)) for l2 in self.l2s]
        return [best_rating_method(question, made, default=0)]


class _Biases(RatingMethod):
    name = "biases"

    def __init__(self, bias: Bias) -> None:
        self._bias = bias

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        return self._bias.of(source, target).astype(np.float32)
