"""What label baselines share: class shares, choosing on validation, the modalities of a kind as one table."""

from collections.abc import Iterable

import numpy as np

from mmgraph.evaluate.contract import LabelQuestion
from mmgraph.evaluate.rightness import likelihoods, rightness
from mmgraph.graph.contract import Features, Labels
from mmgraph.types import Floats, Ints

_STRENGTHS = (0.0, 0.5, 1.0)


def class_shares(values: Ints, classes: int) -> Floats:
    """float32 [classes], sums to 1.

    >>> class_shares(np.array([0, 0, 2, 2]), 3)
    array([0.5, 0. , 0.5], dtype=float32)
    """
    counts = np.bincount(values, minlength=classes).astype(np.float64)
    return (counts / counts.sum()).astype(np.float32)


def shares_of(labels: Labels, items: Ints) -> Floats:
    """float32 [classes]: the share of the items that have each class; of a field of one value an item they sum to 1."""
    return np.asarray(labels.has(items).mean(0), np.float32)


def best_on_validation(question: LabelQuestion, candidates: Iterable[Floats], default: int) -> Floats:
    """The probabilities [items, classes] with the best accuracy on validation, the better likelihood among equals.

    Each candidate is also tried with its classes weighed by how much commoner they are on validation than in training: labels
    shown k a class hide that some classes are common (Saerens et al. 2002, equation 4). ``default``: which candidate is taken
    where there is no validation label. Of a field of several values an item label ranking precision takes the place of accuracy, and
    nothing is weighed.
    """
    candidates = list(candidates)
    valid = question.split.valid
    if not len(valid):
        return candidates[default]
    if question.split.labels.several is None:
        candidates = [_weighed(question, one, strength) for one in candidates for strength in _STRENGTHS]
    truth = question.split.labels.truth(valid)

    def worth(probabilities: Floats) -> tuple[float, float]:
        return float(rightness(probabilities[valid], truth).mean()), float(likelihoods(probabilities[valid], truth).mean())

    return max(candidates, key=worth)


def _weighed(question: LabelQuestion, probabilities: Floats, strength: float) -> Floats:
    """Times (share on validation / share in training) ** strength, each count one more than it is."""
    values, classes = question.split.labels.values, probabilities.shape[1]
    if not strength:
        return probabilities
    each = np.arange(classes)
    valid, train = (
        class_shares(np.concatenate((each, values[x])), classes) for x in (question.split.valid, question.split.train)
    )
    weighed = probabilities * (valid / train) ** strength
    return (weighed / weighed.sum(1, keepdims=True)).astype(np.float32)


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
