"""The commonest class."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.classes import class_shares
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class Majority(LabelBaseline):
    """Every item has the classes' shares among the labels shown in training."""

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Count; does not apply without any training label."""
        labels = question.split.labels
        if not len(question.split.train):
            return {}
        shares = class_shares(labels.values[question.split.train], len(labels.classes))
        return {"majority": np.tile(shares, (len(labels.values), 1))}
