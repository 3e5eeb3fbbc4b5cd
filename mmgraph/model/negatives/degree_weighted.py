"""Candidates drawn the more often the more links they have."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.errors import SettingsError
from mmgraph.sample.negatives import NegativeSampler, Questions, Side
from mmgraph.types import Floats, Ints, Times


@dataclass(frozen=True, kw_only=True)
class DegreeWeighted(NegativeSampler):
    """``num`` draws with replacement, an item with probability proportional to degree ** power; each drawn item once.

    Power 0.75 is word2vec's (Mikolov et al. 2013, arXiv 1310.4546, section 2.2). even: the share of the draws that is even over all
    items, without which an item without train links is never a negative; half in PyTorch-BigGraph (Lerer et al. 2019, section 3.1).
    Raises SettingsError for a share that is none.
    """

    num: int = 512
    power: float = 0.75
    even: float = 0.1
    states_log_q: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.even <= 1:
            raise SettingsError("degree_weighted.even is a share", given=self.even, todo="give 0 to 1")

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler: before any link is known, all items are as likely."""
        return np.unique(rng.integers(0, num_items, self.num))

    def told(self, side: Side) -> NegativeSampler:
        """See NegativeSampler."""
        weight = np.where(side.degree > 0, np.power(np.maximum(side.degree, 1.0), self.power), 0.0)
        total, count = weight.sum(), max(side.num_items, 1)
        by_degree = weight / total if total else np.full(side.num_items, 1 / count)
        return _Told(self.num, np.asarray(self.even / count + (1 - self.even) * by_degree, np.float64))


class _Told(NegativeSampler):
    states_log_q: ClassVar[bool] = True

    def __init__(self, num: int, probability: Times) -> None:
        self._num, self._probability, self._running = num, probability, np.cumsum(probability)

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        if not num_items:
            return np.zeros(0, np.int64)
        drawn = np.searchsorted(self._running, rng.random(self._num) * self._running[-1], side="right")
        return np.unique(drawn).astype(np.int64)

    def log_q(self, items: Ints, asked: Questions, num_items: int) -> Floats:
        """1 - (1 - p) ** num."""
        with np.errstate(divide="ignore"):  # an item that is never drawn: -inf; one that always is: 0
            return np.log(-np.expm1(self._num * np.log1p(-self._probability[items]))).astype(np.float32)
