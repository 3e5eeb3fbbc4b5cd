"""The visible links of one relation as a matrix of sources by targets, for methods that complete it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse

from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.types import Ints

Weights = Literal["binary", "log"]


@dataclass(frozen=True)
class Interactions:
    """``matrix``: scipy CSR float32 [active sources, active targets]; ``sources``, ``targets``: their positions among all items.

    An item without a visible link has no row or column. shape: how many items there are of either kind; one: what a link of weight 1
    counts.
    """

    matrix: Any
    sources: Ints
    targets: Ints
    shape: tuple[int, int]
    one: float = 1.0

    @classmethod
    def of(cls, question: LinkQuestion, weights: Weights) -> "Interactions | None":
        """None where completing makes no sense: a relation that says what comes next (one link an item, and no likes), or one in which
        no source has two targets, so that no two targets were ever chosen together.

        Within one kind a link is read as it is stated, from its source to its target. binary: every link counts 1, as plays or ratings of
        different users have no common unit; log: log(1 + weight), where the links have weights (Hu, Koren & Volinsky 2008).
        """
        edges = question.visible
        if question.split.edges.temporal or not len(edges):
            return None
        values, one = np.ones(len(edges), np.float32), 1.0
        if weights == "log" and edges.weight is not None:
            one = float(np.log1p(1.0))
            values = np.log1p(np.maximum(edges.weight, 0.0)).astype(np.float32)
        sources, row = np.unique(edges.source, return_inverse=True)
        targets, column = np.unique(edges.target, return_inverse=True)
        if len(sources) == len(edges):
            return None
        matrix = scipy.sparse.csr_matrix((values, (row, column)), shape=(len(sources), len(targets)))
        return cls(matrix, sources, targets, (question.count("source"), question.count("target")), one)
