"""Logistic regression, corrected and smoothed over the links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgraph.evaluate.baselines.classes import best_on_validation
from mmgraph.evaluate.baselines.labels.logistic_regression import LogisticRegression
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.smoothing import bytes_of, spread, symmetric
from mmgraph.evaluate.baselines.union import Reals, Union
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class CorrectAndSmooth(LabelBaseline):
    """The logistic regression that is best on validation, its training errors spread over the links and taken off, then its predictions and
    the training labels spread (Huang et al. 2021, arXiv 2010.13993, sections 2.2 and 2.3, with Autoscale).

    corrections, smoothings: shares that come from the neighbours at each step of the first and of the second; validation chooses. Only
    training labels are spread. steps: at most.
    """

    corrections: Sequence[float] = (0.5, 0.8, 0.95)
    smoothings: Sequence[float] = (0.5, 0.8, 0.95)
    steps: int = 50

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Does not apply without links, or where logistic regression does not."""
        labels = question.split.labels
        if not fits_in_memory("correct_and_smooth", bytes_of(question.graph, 2 * len(labels.classes))):
            return {}
        union = Union.of(question.graph)
        bases = LogisticRegression().fit(question) if union.adjacency.nnz else {}
        if not bases:
            return {}
        base = best_on_validation(question, bases.values(), default=len(bases) - 1)
        normal = symmetric(union)
        corrected = [corrected_by(self._spread(normal, union, question, base, a), question, base) for a in self.corrections]
        candidates = (self._smoothed(normal, union, question, one, a) for one in corrected for a in self.smoothings)
        middle = len(self.corrections) * len(self.smoothings) // 2
        return {"correct_and_smooth": best_on_validation(question, candidates, default=middle)}

    def _spread(self, normal: Any, union: Union, question: LabelQuestion, base: Floats, alpha: float) -> Reals:
        """Errors of the training items, spread: float64 [items, classes]."""
        labels, train = question.split.labels, question.split.train
        errors = np.zeros((len(union.degrees()), len(labels.classes)))
        errors[union.start[labels.kind] + train] = _truth(question) - base[train]
        return spread(normal, errors, alpha, self.steps)[union.nodes(labels.kind)]

    def _smoothed(self, normal: Any, union: Union, question: LabelQuestion, corrected: Reals, alpha: float) -> Floats:
        labels, train = question.split.labels, question.split.train
        start = np.zeros((len(union.degrees()), len(labels.classes)))
        start[union.nodes(labels.kind)] = corrected
        start[union.start[labels.kind] + train] = _truth(question)
        found = np.maximum(spread(normal, start, alpha, self.steps)[union.nodes(labels.kind)], 1e-9)
        return (found / found.sum(1, keepdims=True)).astype(np.float32)


def corrected_by(spread_errors: Reals, question: LabelQuestion, base: Floats) -> Reals:
    """The base's probabilities and the spread errors, scaled to the mean size of an error in training (equation 4)."""
    train = question.split.train
    size = np.abs(_truth(question) - base[train]).sum(1).mean()
    length = np.abs(spread_errors).sum(1, keepdims=True)
    scaled = size * np.divide(spread_errors, length, out=np.zeros_like(spread_errors), where=length > 0)
    return np.asarray(base + scaled, np.float64)


def _truth(question: LabelQuestion) -> Reals:
    """The training labels as rows of zeros and a one."""
    labels = question.split.labels
    return np.eye(len(labels.classes))[labels.values[question.split.train]]
