"""Logistic regression on the features."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Model

from mmgraph.evaluate.baselines.classes import best_on_validation, table
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.linked import features_for_labels
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.graph.contract import Features
from mmgraph.types import Bools, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(LabelBaseline):
    """One for each modality, ``logistic:image``, and one on all of them side by side, ``logistic:all``.

    A kind without features of its own is described by those of its neighbours: ``logistic:linked_image``.

    strengths: of the inverse L2 penalty (scikit-learn's C); validation chooses. iterations: of L-BFGS.
    """

    strengths: Sequence[float] = (0.001, 0.01, 0.1, 1.0, 10.0)
    iterations: int = 300

    several: ClassVar[bool] = True

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Fit on the training labels; does not apply with fewer than two classes in training, or without features."""
        kind, train = question.split.labels.kind, question.split.train
        if len(np.unique(question.split.labels.values[train])) < 2 and question.split.labels.several is None:
            return {}
        known = features_for_labels(question.graph, kind)
        have = {modality: f for modality, f in known.items() if f.present[train].any()}
        inputs: dict[str, list[Features]] = {f"logistic:{modality}": [features] for modality, features in have.items()}
        if len(have) > 1:
            inputs["logistic:all"] = list(have.values())
        return {
            name: self._fit(question, table(features))
            for name, features in inputs.items()
            if fits_in_memory(name, 3 * 8 * sum(one.vectors.size for one in features))
        }

    def _fit(self, question: LabelQuestion, columns: Floats) -> Floats:
        candidates = (self.probabilities(question, columns, strength) for strength in self.strengths)
        return best_on_validation(question, candidates, default=len(self.strengths) // 2)

    def probabilities(self, question: LabelQuestion, columns: Floats, strength: float) -> Floats:
        """Of all items by one regression on these columns [items, any], of one strength."""
        labels, train = question.split.labels, question.split.train
        if labels.several is not None:
            return np.stack([self._one(columns, train, has, strength) for has in labels.several.T], axis=1)
        model = Model(C=strength, max_iter=self.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest penalties may not end; validation judges them
            model.fit(columns[train], labels.values[train])
        probabilities = np.zeros((len(columns), len(labels.classes)), np.float32)
        probabilities[:, model.classes_] = model.predict_proba(columns)
        return probabilities

    def _one(self, columns: Floats, train: Ints, has: Bools, strength: float) -> Floats:
        """How likely each item has one class, of several that it may have: float32 [items]; that of a model for this class alone."""
        if len(np.unique(has[train])) < 2:
            return np.full(len(columns), has[train].mean() if len(train) else 0.0, np.float32)
        model = Model(C=strength, max_iter=self.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # as above
            model.fit(columns[train], has[train])
        return np.asarray(model.predict_proba(columns)[:, 1], np.float32)
