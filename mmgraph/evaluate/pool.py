"""Several class probabilities as one: a weighted log-linear pool (Genest & Zidek 1986)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from mmgraph.types import Floats, Ints

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


def fit_pool(stack: Floats, truth: Ints) -> Pool:
    """The most likely weights for ``stack`` [pieces, items, classes] and the true classes, under the prior."""
    logs = _logs(stack)
    own = logs[:, np.arange(len(truth)), truth].sum(1)

    def loss(weights: Reals) -> tuple[float, Reals]:
        joint = np.tensordot(weights, logs, axes=1)
        p = log_softmax(joint, axis=1)
        value = -float(p[np.arange(len(truth)), truth].sum()) + 0.5 * float(weights @ weights) / _DEVIATION**2
        slope = np.tensordot(logs, np.exp(p), axes=([1, 2], [0, 1])) - own + weights / _DEVIATION**2
        return value / len(truth), slope / len(truth)

    start = Pool.even(len(stack)).weights
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(stack))
    return Pool(np.asarray(found.x, dtype=np.float64))


def _logs(stack: Floats) -> Reals:
    return np.log((1.0 - _EVEN) * stack.astype(np.float64) + _EVEN / stack.shape[2])
