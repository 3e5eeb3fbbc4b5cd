"""All items of the kind."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.sample.negatives import NegativeSampler, Questions
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Every(NegativeSampler):
    """1-vs-all: every item is a candidate (Lacroix et al. 2018, arXiv 1806.07297, section 2)."""

    states_log_q: ClassVar[bool] = True

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler."""
        return np.arange(num_items, dtype=np.int64)

    def log_q(self, items: Ints, asked: Questions, num_items: int) -> Floats:
        """See NegativeSampler: always there."""
        return np.zeros(len(items), np.float32)
