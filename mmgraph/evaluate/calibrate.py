"""Scores of links -> probabilities."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from mmgraph.evaluate.contract import Direction, LinkMethod, LinkQuestion
from mmgraph.evaluate.ranking import Known, checked, other_way, rows_at_once, sides
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
_SAMPLED = 200  # candidates a query that stand for all but the best
_HARDEST = 50  # best unlinked candidates of a query, each for itself: what is handed out is found among them
_MOST_QUERIES = 2000
_LEAST_SLOPE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """P(the pair is a link) = 1 / (1 + exp(-(slope * (score - centre) / scale + intercept))); slope > 0."""

    centre: float
    scale: float
    slope: float
    intercept: float

    def probability(self, scores: Floats) -> Floats:
        """float32 of the shape of ``scores``; never falls as the score grows."""
        standard = (np.asarray(scores, dtype=np.float64) - self.centre) / self.scale
        return np.asarray(expit(self.slope * standard + self.intercept), dtype=np.float32)


@dataclass(frozen=True)
class Isotonic:
    """P(the pair is a link) is piecewise linear through (``scores``, ``probabilities``), both growing; constant outside."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def probability(self, scores: Floats) -> Floats:
        """float32 of the shape of ``scores``; never falls as the score grows."""
        return np.interp(np.asarray(scores, dtype=np.float64), self.scores, self.probabilities).astype(np.float32)


Calibrated = Calibration | Isotonic
Shape = Literal["platt", "isotonic"]


def calibrate(
    question: LinkQuestion, method: LinkMethod, seed: int, direction: Direction = "target", shape: Shape = "platt"
) -> Calibrated:
    """Fit probabilities on validation: its links against pairs that are none.

    ``platt``: a logistic curve (Platt 1999, with his smoothed targets); ``isotonic``: any curve that never falls (Zadrozny & Elkan
    2002), with the same targets; it needs more links. Of the unlinked candidates the best stand for themselves, and sampled
    ones for the rest, so the probability is that of a pair of a query with a missing link, not that of a sampled pair. Test
    links count as unlinked here: a slight pessimism, no leak. Without validation links the train links stand in, and the
    probabilities are too sure.
    """
    edges = question.split.valid if len(question.split.valid) else question.split.train
    generator = np.random.default_rng([seed, 0xCA11])
    if len(edges) > _MOST_QUERIES:
        edges = generator.permutation(edges)[:_MOST_QUERIES]
    linked, unlinked, weight = _pairs(question, method, edges, direction, generator)
    scores = np.concatenate((linked, unlinked)).astype(np.float64)
    if not len(scores):
        return Calibration(0.0, 1.0, 1.0, 0.0)
    weights = np.concatenate((np.ones(len(linked)), weight))
    positives, negatives = len(linked), float(weight.sum())
    wanted = np.repeat([(positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0)], [positives, len(unlinked)])
    if shape == "isotonic":
        return _isotonic(scores, wanted, weights)
    centre, deviation = float(scores.mean()), float(scores.std())
    scale = deviation if deviation > 1e-9 else 1.0
    return Calibration(centre, scale, *_platt((scores - centre) / scale, wanted, weights))


def _pairs(
    question: LinkQuestion, method: LinkMethod, edges: Ints, direction: Direction, generator: np.random.Generator
) -> tuple[Floats, Floats, Reals]:
    """(scores of links, scores of some unlinked candidates of the same queries, how many each of these stands for)."""
    candidates = question.count(direction)
    known = question.split.edges.take(np.concatenate((question.split.train, question.split.valid)))
    index = Known.of(known, question.count(other_way(direction)), direction)
    query, truth = sides(question.split.edges.take(edges), direction)
    share = 1.0 / np.bincount(query, minlength=len(index.start))[query]  # the links of one query share its unlinked pairs
    linked, unlinked, weight = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)], [np.zeros(0)]
    size = rows_at_once(1024, candidates)
    for start in range(0, len(edges), size):
        part = slice(start, start + size)
        scores = checked(method, query[part], direction, candidates)
        each = np.arange(len(scores))
        free = np.ones(scores.shape, bool)
        free[index.pairs(query[part])] = False
        free[each, truth[part]] = False
        linked.append(scores[each, truth[part]])
        for row, column, stands in _some(scores, free, generator):
            unlinked.append(scores[row, column])
            weight.append(stands * share[part][row])
    return np.concatenate(linked), np.concatenate(unlinked), np.concatenate(weight)


def _some(scores: Floats, free: Bools, generator: np.random.Generator) -> Iterator[tuple[Ints, Ints, Reals]]:
    """(row, column, how many it stands for) of the best free candidates of each row, then of some of its others."""
    rows, candidates = scores.shape
    hardest = min(_HARDEST, candidates)
    best = np.argpartition(np.where(free, -scores, np.inf), hardest - 1, axis=1)[:, :hardest]
    row, place = np.nonzero(np.take_along_axis(free, best, axis=1))
    yield row, best[row, place], np.ones(len(row))
    free[np.arange(rows)[:, None], best] = False
    drawn = generator.integers(candidates, size=(rows, min(_SAMPLED, 4 * candidates)))
    usable = np.take_along_axis(free, drawn, axis=1)
    row, place = np.nonzero(usable)
    yield row, drawn[row, place], (free.sum(1) / np.maximum(usable.sum(1), 1))[row]


def _isotonic(scores: Reals, wanted: Reals, weights: Reals) -> Isotonic:
    """Weighted least squares under the order, by pooling adjacent violators."""
    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, wanted, sample_weight=weights)
    knots = fitted.X_thresholds_.tolist(), np.clip(fitted.y_thresholds_, 0.0, 1.0).tolist()
    return Isotonic(tuple(knots[0]), tuple(knots[1]))


def _platt(standard: Reals, wanted: Reals, weights: Reals) -> tuple[float, float]:
    """(slope, intercept) of the weighted logistic regression of ``wanted`` on ``standard``; slope > 0."""
    total = weights.sum()

    def loss(at: Reals) -> tuple[float, Reals]:
        logit = at[0] * standard + at[1]
        off = weights * (expit(logit) - wanted)
        value = float((weights * (np.logaddexp(0.0, logit) - wanted * logit)).sum())
        return value / total, np.array([(off * standard).sum(), off.sum()]) / total

    share = float((weights * wanted).sum() / total)
    start = np.array([1.0, np.log(share / (1.0 - share))])
    bounds = [(_LEAST_SLOPE, None), (None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-10})
    return float(found.x[0]), float(found.x[1])
