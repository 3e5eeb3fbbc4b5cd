"""Logistic regression on features that were smoothed over the links."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.classes import best_on_validation, table
from mmgraph.evaluate.baselines.labels.logistic_regression import LogisticRegression
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.smoothing import bytes_of, symmetric
from mmgraph.evaluate.baselines.union import Reals, Union
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.graph.contract import Features, Graph
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class SmoothedRegression(LabelBaseline):
    """SGC as its paper fits it (Wu et al. 2019, arXiv 1902.07153, equation 8): vectors of length 1 times a power of the symmetric matrix
    with loops, all modalities side by side, then a logistic regression.

    powers: of the matrix; strengths: of the inverse L2 penalty. Validation chooses both. Vectors of one encoder are smoothed together,
    whatever the kind of their items; an item without a vector hears its neighbours' alone.
    """

    powers: Sequence[int] = (1, 2, 3)
    strengths: Sequence[float] = (0.001, 0.01, 0.1, 1.0)

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Does not apply without links or vectors, or with fewer than two classes in training."""
        graph, labels, train = question.graph, question.split.labels, question.split.train
        heard = heard_by(graph, labels.kind)
        width = sum(one.shape[1] for one in heard)
        if len(np.unique(labels.values[train])) < 2 or not width:
            return {}
        if not fits_in_memory("smoothed_regression", bytes_of(graph, 2 * width)):
            return {}
        union = Union.of(graph)
        if not union.adjacency.nnz:
            return {}
        normal, rows = symmetric(union, loops=True), np.concatenate(heard, axis=1)
        candidates = []
        for power in range(1, max(self.powers) + 1):
            rows = normal @ rows
            if power in self.powers:
                own = rows[union.nodes(labels.kind)].astype(np.float32)
                columns = table([Features(own, np.ones(len(own), bool))])
                candidates += [LogisticRegression().probabilities(question, columns, one) for one in self.strengths]
        return {"smoothed_regression": best_on_validation(question, candidates, default=len(candidates) // 2)}


def heard_by(graph: Graph, kind: str) -> list[Reals]:
    """Vectors of length 1 of all nodes, float64 [nodes, width], zeros where there is none: one table for each modality of the encoders
    whose vectors the kind has, or, where it has none, for each that any kind has.
    """
    every = {(modality, _key(f)): f for (_, modality), f in graph.features.items() if f.present.any()}
    own = {_key(f) for f in graph.features_of(kind).values() if f.present.any()}
    chosen = sorted(key for key in every if not own or key[1] in own)
    return [np.concatenate([_rows(graph, one, modality, key) for one in graph.ids]) for modality, key in chosen]


def _key(features: Features) -> tuple[str, int]:
    return features.encoder, features.vectors.shape[1]


def _rows(graph: Graph, kind: str, modality: str, key: tuple[str, int]) -> Reals:
    features = graph.features.get((kind, modality))
    if features is None or _key(features) != key:
        return np.zeros((graph.count(kind), key[1]))
    return np.where(features.present[:, None], unit_rows(features.vectors), 0.0).astype(np.float64)
