"""The contract of whatever predicts ratings, the network and the baselines alike."""

import abc

import numpy as np

from mmgraph.tasks.rated import RatingQuestion, Ratings, Reals
from mmgraph.types import Floats, Ints

FEWEST = 20  # validation ratings under which nothing is chosen or fitted


class RatingMethod(abc.ABC):
    """A fitted answerer; ``name`` stands in metrics.json."""

    name: str

    @abc.abstractmethod
    def ratings(self, source: Ints, target: Ints) -> Floats:
        """float32 [pairs]: the rating that is expected of each pair, every number finite; clipped to the scale by who asks."""

    def table(self, sources: Ints, targets: int) -> Floats:
        """float32 [sources, targets]: of every one of these sources for every target; pair by pair, unless there is a shorter way."""
        pairs = np.repeat(sources, targets), np.tile(np.arange(targets), len(sources))
        return self.ratings(*pairs).reshape(len(sources), targets)

    def chances(self, source: Ints, target: Ints) -> Floats | None:
        """float32 [pairs, levels]: how likely each level is; None for a method that only expects a number."""
        return None


class RatingBaseline(abc.ABC):
    """One file in ``baselines/ratings/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` with defaults for all."""

    @abc.abstractmethod
    def fit(self, question: RatingQuestion) -> list[RatingMethod]:
        """Fit to ``question.train``; ``question.valid`` may choose a setting. No method where the baseline does not apply."""


def predicted(question: RatingQuestion, method: RatingMethod, of: Ratings) -> Reals:
    """What a method expects of the pairs of these ratings, float64 within the scale."""
    return question.clipped(method.ratings(of.source, of.target))


def best_rating_method(question: RatingQuestion, methods: list[RatingMethod], default: int) -> RatingMethod:
    """The one with the least squared error on validation, the first of equal ones; ``default`` where that is too little."""
    if len(question.valid) < FEWEST:
        return methods[default]
    valid = question.valid
    errors = [float(((predicted(question, one, valid) - valid.value) ** 2).mean()) for one in methods]
    return methods[int(np.argmin(errors))]
