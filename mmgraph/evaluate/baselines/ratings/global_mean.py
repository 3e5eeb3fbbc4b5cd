"""The mean of all ratings."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.ratings.contract import RatingBaseline, RatingMethod
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class GlobalMean(RatingBaseline):
    """Everybody rates everything with the mean of the ratings that were seen."""

    def fit(self, question: RatingQuestion) -> list[RatingMethod]:
        """See RatingBaseline."""
        return [_GlobalMean(question.train.mean)]


class _GlobalMean(RatingMethod):
    name = "global_mean"

    def __init__(self, mean: float) -> None:
        self._mean = mean

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        return np.full(len(source), self._mean, np.float32)
