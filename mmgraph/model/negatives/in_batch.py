"""The true ends of the other links of the batch."""

from dataclasses import dataclass

import numpy as np

from mmgraph.sample.negatives import NegativeSampler
from mmgraph.types import Ints


@dataclass(frozen=True, kw_only=True)
class InBatch(NegativeSampler):
    """Every true end in the batch, each once (Chen et al. 2017, On Sampling Strategies for Neural Network-based
    Collaborative Filtering, section 3.3), and ``extra`` uniform ones beside them.
    """

    extra: int = 0

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler."""
        more = rng.integers(0, num_items, self.extra)
        return np.unique(np.concatenate([positives, more])).astype(np.int64)
