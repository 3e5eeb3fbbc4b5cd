"""Cosine between vectors of which some may be missing."""

import numpy as np

from mmgraph.evaluate.contract import Direction, LinkMethod
from mmgraph.graph.contract import Features
from mmgraph.types import Bools, Floats, Ints

_BELOW = np.float32(0.01)


def unit_rows(vectors: Floats) -> Floats:
    """Rows of length 1; rows of nothing stay zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.sqrt(np.einsum("nw,nw->n", vectors, vectors, dtype=np.float64))[:, None]
    return np.divide(vectors, lengths, out=np.zeros(vectors.shape, np.float32), where=lengths > 0).astype(np.float32)


class CosineLinks(LinkMethod):
    """Score = cosine of source and target vectors [items, width], for one relation.

    A candidate without a vector stands a little below the worst that has one (a fixed low number would drown the differences
    between the others when scores are standardised); where the query has none, all candidates are equal.
    """

    def __init__(self, name: str, source: Features, target: Features) -> None:
        self.name = name
        self._source, self._target = _prepared(source), _prepared(target)

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        asked, answers = (self._source, self._target) if direction == "target" else (self._target, self._source)
        return _cosines(asked[0][queries], asked[1][queries], answers)

    def of_vector(self, vector: Floats) -> Floats:
        """The scores of all targets for a source with this vector: float32 [1, targets] of [1, width]."""
        return _cosines(unit_rows(vector), np.asarray(vector.any(axis=1)), self._target)


def _cosines(asked: Floats, there: Bools, answers: tuple[Floats, Bools]) -> Floats:
    scores = asked @ answers[0].T
    if not answers[1].all() and answers[1].any():
        scores[:, ~answers[1]] = scores[:, answers[1]].min(axis=1, keepdims=True) - _BELOW
    scores[~there] = 0.0
    return scores


def _prepared(features: Features) -> tuple[Floats, Bools]:
    vectors = unit_rows(features.vectors)
    present = features.present & vectors.any(axis=1)
    vectors[~present] = 0.0
    return vectors, present
