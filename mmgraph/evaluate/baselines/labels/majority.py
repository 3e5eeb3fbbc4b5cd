"""The commonest class."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.evaluate.baselines.classes import shares_of
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class Majority(LabelBaseline):
    """Every item has the classes' shares: those of validation, since k training labels of each class say nothing about shares.

    Without validation labels the shares of the training labels.
    """

    several: ClassVar[bool] = True

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Count; does not apply without any label."""
        labels, split = question.split.labels, question.split
        shown = split.valid if len(split.valid) else split.train
        if not len(shown):
            return {}
        shares = shares_of(labels, shown)
        return {"majority": np.tile(shares, (len(labels.values), 1))}
