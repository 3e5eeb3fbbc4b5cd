"""What label baselines share: class shares, choosing on validation, the modalities of a kind as one table."""

from collections.abc import Iterable

import numpy as np

from mmgraph.evaluate.contract import LabelQuestion
from mmgraph.graph.contract import Features
from mmgraph.types import Floats, Ints

_LEAST = 1e-9


def class_shares(values: Ints, classes: int) -> Floats:
    """float32 [classes], sums to 1.

    >>> class_shares(np.array([0, 0, 2, 2]), 3)
    array([0.5, 0. , 0.5], dtype=float32)
    """
    counts = np.bincount(values, minlength=classes).astype(np.float64)
    return (counts / counts.sum()).astype(np.float32)


def best_on_validation(question: LabelQuestion, candidates: Iterable[Floats], default: int) -> Floats:
    """The probabilities [items, classes] with the best accuracy on validation, the better likelihood among equals.

    ``default``: which one where there is no validation label.
    """
    candidates = list(candidates)
    valid = question.split.valid
    if not len(valid):
        return candidates[default]
    truth = question.split.labels.values[valid]

    def worth(probabilities: Floats) -> tuple[float, float]:
        correct = float((probabilities[valid].argmax(1) == truth).mean())
        return correct, float(np.log(np.maximum(probabilities[valid, truth], _LEAST)).mean())

    return max(candidates, key=worth)


def table(modalities: Iterable[Features]) -> Floats:
    """Columns of mean 0 and deviation 1 over the items that have them; a missing vector is the mean and an indicator is 1."""
    columns: list[Floats] = []
    for features in modalities:
        present = features.present
        vectors = np.asarray(features.vectors, dtype=np.float64)
        mean, deviation = vectors[present].mean(0), vectors[present].std(0)
        scaled = (vectors - mean) / np.where(deviation > 1e-12, deviation, 1.0)
        scaled[~present] = 0.0
        columns.append(scaled.astype(np.float32))
        if not present.all():
            columns.append((~present).astype(np.float32)[:, None])
    return np.concatenate(columns, axis=1)
