"""All items of the kind."""

from dataclasses import dataclass

import numpy as np

from mmgraph.sample.negatives import NegativeSampler
from mmgraph.types import Ints


@dataclass(frozen=True, kw_only=True)
class Every(NegativeSampler):
    """1-vs-all: every item is a candidate (Lacroix et al. 2018, arXiv 1806.07297, section 2)."""

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler."""
        return np.arange(num_items, dtype=np.int64)
