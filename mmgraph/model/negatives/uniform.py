"""Candidates drawn evenly from all items of the kind."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.sample.negatives import NegativeSampler, Questions
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Uniform(NegativeSampler):
    """``num`` items without replacement (all of them where there are fewer), shared by the batch.

    Sharing is PyTorch-BigGraph's (Lerer et al. 2019, section 4.3): n x num scores for n + num vectors.
    """

    num: int = 512
    states_log_q: ClassVar[bool] = True

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler."""
        if num_items <= self.num:
            return np.arange(num_items, dtype=np.int64)
        return rng.choice(num_items, self.num, replace=False).astype(np.int64)

    def log_q(self, items: Ints, asked: Questions, num_items: int) -> Floats:
        """See NegativeSampler: log(num / items), the same for all."""
        return np.full(len(items), np.log(min(1.0, self.num / max(num_items, 1))), np.float32)
