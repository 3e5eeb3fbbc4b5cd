"""What a run hands out as ratings: the gnn, a baseline, or their weighted sum, whichever validation chooses."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize

from mmgraph.evaluate.bootstrap import grouped
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.evidence import COMBINATION, MARGIN, EvidenceReport, Piece, folds
from mmgraph.evaluate.ratings.contract import FEWEST, RatingMethod, predicted
from mmgraph.tasks.rated import RatingQuestion, Reals, r2
from mmgraph.types import Floats, Ints

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """constant + Σ weight · what each method expects, within the scale; no weight is negative (Breiman 1996, Stacked Regressions)."""

    constant: float
    each: Reals

    @classmethod
    def fitted(cls, expected: Reals, true: Reals) -> "Weights":
        """To what methods expected [pairs, methods]."""
        middle, mean = expected.mean(axis=0), float(true.mean())
        each, _ = scipy.optimize.nnls(expected - middle, true - mean)
        return cls(mean - float(middle @ each), each)

    def of(self, expected: Reals) -> Reals:
        """float64 [pairs]."""
        return self.constant + expected @ self.each


class Stacked(RatingMethod):
    """The weighted sum of methods; those without a weight are not asked."""

    name = OURS

    def __init__(self, question: RatingQuestion, methods: Sequence[RatingMethod], weights: Weights) -> None:
        self._question, self._weights = question, weights
        self._methods = [(one, float(weight)) for one, weight in zip(methods, weights.each, strict=True) if weight]

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        total = np.full(len(source), self._weights.constant)
        for method, weight in self._methods:
            total += weight * self._question.clipped(method.ratings(source, target))
        return total.astype(np.float32)

    def table(self, sources: Ints, targets: int) -> Floats:
        """See RatingMethod."""
        total = np.full((len(sources), targets), self._weights.constant)
        for method, weight in self._methods:
            total += weight * self._question.clipped(method.table(sources, targets))
        return total.astype(np.float32)


class Renamed(RatingMethod):
    """Another method as what is handed out."""

    name = OURS

    def __init__(self, method: RatingMethod) -> None:
        self._method = method

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        return self._method.ratings(source, target)

    def table(self, sources: Ints, targets: int) -> Floats:
        """See RatingMethod."""
        return self._method.table(sources, targets)

    def chances(self, source: Ints, target: Ints) -> Floats | None:
        """See RatingMethod."""
        return self._method.chances(source, target)


def combine_ratings(question: RatingQuestion, methods: Sequence[RatingMethod]) -> tuple[RatingMethod, EvidenceReport]:
    """Choose on validation among the methods, the gnn first, and their sum, whose weights are judged by cross-fitting.

    The sum has to be better than the best single method by more than one standard error of the squared errors' difference, over users.
    """
    valid = question.valid
    if not len(valid):
        pieces = tuple(Piece(one.name, None) for one in methods)
        return _told(Renamed(methods[0]), EvidenceReport(question.name, question.figure, methods[0].name, 0, pieces))
    expected = np.stack([predicted(question, one, valid) for one in methods], axis=1)
    values = [r2(one, valid.value, question.train.mean) for one in expected.T]
    best = int(np.argmax(values))
    pieces = tuple(Piece(one.name, value) for one, value in zip(methods, values, strict=True))
    if len(valid) < FEWEST or len(methods) < 2:
        report = EvidenceReport(question.name, question.figure, methods[best].name, len(valid), pieces)
        return _told(Renamed(methods[best]), report)
    fold = folds(valid.source, question.seed)
    crossed = _crossed(question, expected, fold)
    gain = (expected[:, best] - valid.value) ** 2 - (crossed - valid.value) ** 2
    difference, error = mean_of_users(gain, valid.source)
    weights = Weights.fitted(expected, valid.value)
    pieces = tuple(
        Piece(one.name, value, {"weight": float(weight)}, _without(question, expected, fold, place, crossed))
        for place, (one, value, weight) in enumerate(zip(methods, values, weights.each, strict=True))
    )
    better = difference > MARGIN * error and difference > 0
    chosen: RatingMethod = Stacked(question, methods, weights) if better else Renamed(methods[best])
    scale = float(((valid.value - question.train.mean) ** 2).mean()) or 1.0
    numbers = r2(crossed, valid.value, question.train.mean), difference / scale, error / scale
    name = COMBINATION if better else methods[best].name
    return _told(chosen, EvidenceReport(question.name, question.figure, name, len(valid), pieces, *numbers))


def mean_of_users(values: Reals, users: Ints) -> tuple[float, float]:
    """The mean, and its standard error where users are independent and their ratings are not; ratings are, where all are of one user.

    >>> mean_of_users(np.array([1.0, 1.0, 3.0, 3.0]), np.array([4, 4, 7, 7]))
    (2.0, 1.0)
    """
    mean = float(values.mean())
    apart = grouped((values - mean)[:, None], users)[:, 0]
    if len(apart) < 2:
        apart = values - mean
    return mean, float(np.sqrt((apart**2).sum() * len(apart) / (len(apart) - 1)) / len(values))


def _crossed(question: RatingQuestion, expected: Reals, fold: Ints) -> Reals:
    """What the sum expects of each validation rating, with weights of the other folds."""
    out, true = np.zeros(len(expected)), question.valid.value
    for number in np.unique(fold):
        held = fold == number
        out[held] = Weights.fitted(expected[~held], true[~held]).of(expected[held])
    return np.clip(out, *question.scale)


def _without(question: RatingQuestion, expected: Reals, fold: Ints, place: int, whole: Reals) -> float:
    left = _crossed(question, np.delete(expected, place, axis=1), fold) if expected.shape[1] > 1 else whole
    return r2(left, question.valid.value, question.train.mean)


def _told(chosen: RatingMethod, report: EvidenceReport) -> tuple[RatingMethod, EvidenceReport]:
    _LOG.info(report.text)
    return chosen, report
