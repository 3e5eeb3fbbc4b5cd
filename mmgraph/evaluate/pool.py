"""Several class probabilities as one: a weighted log-linear pool (Genest & Zidek 1986)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit
from threadpoolctl import threadpool_limits

from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
_EVEN = 0.01  # share of the even distribution in each piece: no class is ruled out by a single piece
_DEVIATION = 3.0  # of the normal prior on each weight


@dataclass(frozen=True)
class Pool:
    """P(class) is proportional to the product of each piece's probability to the power of its weight (float64 [pieces], none
    negative). The weights' sum is free: it is the inverse temperature.
    """

    weights: Reals

    @classmethod
    def even(cls, pieces: int) -> "Pool":
        """Every piece the same."""
        return cls(np.full(pieces, 1.0 / pieces))

    def of(self, stack: Floats) -> Floats:
        """Probabilities [pieces, items, classes] -> float32 [items, classes], rows sum to 1."""
        return np.exp(log_softmax(np.tensordot(self.weights, _logs(stack), axes=1), axis=1)).astype(np.float32)


@dataclass(frozen=True)
class SeveralPool:
    """The same of each class by itself: the log-odds of P(class) are the pieces' log-odds by their weights, and an ``intercept``."""

    weights: Reals
    intercept: float

    @classmethod
    def even(cls, pieces: int) -> "SeveralPool":
        """Every piece the same."""
        return cls(np.full(pieces, 1.0 / pieces), 0.0)

    def of(self, stack: Floats) -> Floats:
        """Probabilities [pieces, items, classes] -> float32 [items, classes]."""
        return expit(np.tensordot(self.weights, _odds(stack), axes=1) + self.intercept).astype(np.float32)


def fit_pool(stack: Floats, truth: Ints | Bools) -> Pool | SeveralPool:
    """The most likely weights for ``stack`` [pieces, items, classes] and the truth, as ``Labels.truth`` says it, under the prior."""
    return _fit_several(stack, truth.astype(bool)) if truth.dtype == bool else _fit_one(stack, truth.astype(np.int64))


def _fit_several(stack: Floats, has: Bools) -> SeveralPool:
    odds, count = _odds(stack), max(has.size, 1)

    def loss(at: Reals) -> tuple[float, Reals]:
        joint = np.tensordot(at[:-1], odds, axes=1) + at[-1]
        value = float((np.logaddexp(0.0, joint) - has * joint).sum()) + 0.5 * float(at @ at) / _DEVIATION**2
        off = expit(joint) - has
        slope = np.append(np.tensordot(odds, off, axes=([1, 2], [0, 1])), off.sum()) + at / _DEVIATION**2
        return value / count, slope / count

    start = np.append(SeveralPool.even(len(stack)).weights, 0.0)
    bounds = [*[(0.0, None)] * len(stack), (None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return SeveralPool(np.asarray(found.x[:-1], dtype=np.float64), float(found.x[-1]))


def _odds(stack: Floats) -> Reals:
    return np.asarray(logit((1.0 - _EVEN) * stack.astype(np.float64) + _EVEN / 2.0), np.float64)


def _fit_one(stack: Floats, truth: Ints) -> Pool:
    logs = _logs(stack)
    own = logs[:, np.arange(len(truth)), truth].sum(1)

    def loss(weights: Reals) -> tuple[float, Reals]:
        joint = np.tensordot(weights, logs, axes=1)
        p = log_softmax(joint, axis=1)
        value = -float(p[np.arange(len(truth)), truth].sum()) + 0.5 * float(weights @ weights) / _DEVIATION**2
        slope = np.tensordot(logs, np.exp(p), axes=([1, 2], [0, 1])) - own + weights / _DEVIATION**2
        return value / len(truth), slope / len(truth)

    start = Pool.even(len(stack)).weights
    with threadpool_limits(1, "blas"):  # as in fusion.py
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(stack))
    return Pool(np.asarray(found.x, dtype=np.float64))


def _logs(stack: Floats) -> Reals:
    return np.log((1.0 - _EVEN) * stack.astype(np.float64) + _EVEN / stack.shape[2])
