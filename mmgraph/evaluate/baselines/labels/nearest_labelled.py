"""The nearest labelled items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.evaluate.baselines.classes import best_on_validation, shares_of
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.linked import features_for_labels
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.graph.contract import Features
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class NearestLabelled(LabelBaseline):
    """Classes of the nearest training items, by the mean cosine over the modalities that both items have.

    neighbours: how many; validation chooses. warmth: of the softmax over their cosines. smoothing: share of the class shares.
    """

    neighbours: Sequence[int] = (1, 3, 5, 15)
    warmth: float = 0.1
    smoothing: float = 0.05

    several: ClassVar[bool] = True

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Compare with the training items; does not apply without features or training labels."""
        labels, train = question.split.labels, question.split.train
        features = list(features_for_labels(question.graph, labels.kind).values())
        needed = 4 * (sum(one.vectors.size for one in features) + 3 * len(labels.values) * len(train))
        if not features or not len(train) or not fits_in_memory("nearest_labelled", needed):
            return {}
        cosine = _cosine(features, train)
        order = np.argsort(-cosine, axis=1, kind="stable")
        every = labels.has(train).astype(np.float32)
        prior = shares_of(labels, train)

        def votes(count: int) -> Floats:
            near = order[:, :count]
            weight = np.exp(np.take_along_axis(cosine, near, axis=1) / self.warmth)
            weight /= weight.sum(1, keepdims=True)
            voted = np.einsum("nk,nkc->nc", weight, every[near])
            return ((1.0 - self.smoothing) * voted + self.smoothing * prior).astype(np.float32)

        sizes = sorted({min(count, len(train)) for count in self.neighbours})
        return {"nearest_labelled": best_on_validation(question, map(votes, sizes), default=len(sizes) // 2)}


def _cosine(features: list[Features], train: np.ndarray) -> Floats:
    """float32 [items, train]; -1 where two items share no modality."""
    total = np.zeros((len(features[0].present), len(train)), np.float32)
    shared = np.zeros_like(total)
    for one in features:
        vectors = unit_rows(one.vectors)
        both = one.present[:, None] & one.present[train][None, :]
        total += np.where(both, vectors @ vectors[train].T, np.float32(0.0))
        shared += both
    return np.where(shared > 0, total / np.maximum(shared, 1.0), np.float32(-1.0))
