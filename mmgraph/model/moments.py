"""Mean and deviation of features, by which inputs are standardised."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmgraph.graph.contract import Features

_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each component over the items that have the modality, float32 [width]."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, *features: Features) -> "Moments":
        """Of all these together. Read in blocks: memory stays bounded on memory-mapped vectors."""
        count, total = 0, np.zeros(features[0].vectors.shape[1])
        squares = np.zeros_like(total)
        for one in features:
            rows = np.flatnonzero(one.present)
            count += len(rows)
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                block = np.asarray(one.vectors[rows[start : start + _ROWS_AT_ONCE]], np.float64)
                total += block.sum(0)
                squares += (block**2).sum(0)
        mean = total / max(count, 1)
        deviation = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
        return cls(torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32))
