"""The commonest class."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.classes import class_shares
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class Majority(LabelBaseline):
    """Every item has the classes' shares: those of validation, since k training labels of each class say nothing about shares.

    Without validation labels the shares of the training labels.
    """

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Count; does not apply without any label."""
        labels, split = question.split.labels, question.split
        shown = split.valid if len(split.valid) else split.train
        if not len(shown):
            return {}
        shares = class_shares(labels.values[shown], len(labels.classes))
        return {"majority": np.tile(shares, (len(labels.values), 1))}
