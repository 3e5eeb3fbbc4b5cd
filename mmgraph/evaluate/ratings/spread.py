"""How far ratings fall from what was expected: read off validation, as intervals and as chances of levels."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mmgraph.evaluate.ratings.contract import FEWEST, RatingMethod, predicted
from mmgraph.tasks.rated import RatingQuestion, Ratings, Reals
from mmgraph.types import Floats

COVERED = 0.9
"""The share of ratings that an interval is to hold."""


@dataclass(frozen=True)
class Spread:
    """half: of the width of an interval that holds COVERED of all; deviation: root of the mean squared error; both on validation."""

    half: float
    deviation: float

    @classmethod
    def of(cls, question: RatingQuestion, method: RatingMethod) -> "Spread | None":
        """By split conformal prediction (Lei et al. 2018, Distribution-Free Predictive Inference for Regression, algorithm 2): of n
        distances on validation the one in place ceil((n + 1) COVERED). None where validation has too few.
        """
        valid = question.valid
        if len(valid) < FEWEST:
            return None
        apart = np.sort(np.abs(predicted(question, method, valid) - valid.value))
        place = min(math.ceil((len(apart) + 1) * COVERED), len(apart))
        return cls(float(apart[place - 1]), float(np.sqrt((apart**2).mean())))

    def interval(self, question: RatingQuestion, expected: Reals) -> tuple[Reals, Reals]:
        """Lowest and highest rating, within the scale."""
        low, high = question.scale
        return np.maximum(expected - self.half, low), np.minimum(expected + self.half, high)


def chances(question: RatingQuestion, method: RatingMethod, of: Ratings, spread: Spread | None) -> Floats | None:
    """float32 [pairs, levels]: what the method says, or else a normal distribution around what it expects, cut halfway between levels.

    None where ratings are no levels, or neither says anything.
    """
    if not len(question.levels):
        return None
    own = method.chances(of.source, of.target)
    if own is not None or spread is None:
        return own
    return around(predicted(question, method, of), question.levels, spread.deviation)


def around(expected: Reals, levels: Reals, deviation: float) -> Floats:
    """Chances float32 [pairs, levels] of a normal distribution whose tails belong to the outermost levels.

    >>> [round(float(one), 3) for one in around(np.array([2.0]), np.array([1.0, 2.0, 3.0]), 0.5)[0]]
    [0.159, 0.683, 0.159]
    """
    between = (levels[1:] + levels[:-1]) / 2.0
    below = ndtr((between - expected[:, None]) / max(deviation, 1e-9))
    edges = np.concatenate([np.zeros((len(expected), 1)), below, np.ones((len(expected), 1))], axis=1)
    return np.diff(edges, axis=1).astype(np.float32)


def level_of(values: Reals, levels: Reals) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The nearest level of each value, the lower of two.

    >>> level_of(np.array([0.9, 1.5, 1.6, 9.0]), np.array([1.0, 2.0])).tolist()
    [0, 0, 1, 1]
    """
    return np.searchsorted((levels[1:] + levels[:-1]) / 2.0, values, side="left").astype(np.int64)
