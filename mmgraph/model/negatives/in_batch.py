"""The true ends of the other links of the batch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammaln

from mmgraph.sample.negatives import NegativeSampler, Questions, Side
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class InBatch(NegativeSampler):
    """Every true end in the batch, each once (Chen et al. 2017, On Sampling Strategies for Neural Network-based
    Collaborative Filtering, section 3.3), and ``extra`` uniform ones beside them.

    An item is there the more often the more links it has, so it is pushed down the more often; a loss with ``log_q`` makes up for it.
    """

    extra: int = 0
    states_log_q: ClassVar[bool] = True

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler."""
        more = rng.integers(0, num_items, self.extra)
        return np.unique(np.concatenate([positives, more])).astype(np.int64)

    def told(self, side: Side) -> NegativeSampler:
        """See NegativeSampler."""
        return _Told(self, side)


class _Told(NegativeSampler):
    states_log_q: ClassVar[bool] = True

    def __init__(self, drawn: InBatch, side: Side) -> None:
        self._drawn, self._side = drawn, side

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        return self._drawn.others(positives, num_items, rng)

    def log_q(self, items: Ints, asked: Questions, num_items: int) -> Floats:
        """Of b of n links drawn evenly none is one of an item's d with probability C(n - d, b) / C(n, b); for few of many links that is
        the d / n a draw of Yi et al. 2019 (Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations, section 3).
        """
        links, drawn = self._side.links, min(asked.links, self._side.links)
        rest = links - self._side.degree[items]
        none = gammaln(rest + 1) - gammaln(np.maximum(rest - drawn, 0) + 1) - gammaln(links + 1) + gammaln(links - drawn + 1)
        none = np.where(rest >= drawn, none, -np.inf) + self._drawn.extra * np.log1p(-1 / max(num_items, 2))
        with np.errstate(divide="ignore"):  # an item without links is never there: -inf
            return np.log(-np.expm1(np.minimum(none, 0.0))).astype(np.float32)
