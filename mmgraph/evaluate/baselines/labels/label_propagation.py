"""Label propagation over all links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.evaluate.baselines.classes import best_on_validation, shares_of
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.smoothing import spread, symmetric
from mmgraph.evaluate.baselines.union import Union
from mmgraph.evaluate.contract import LabelBaseline, LabelQuestion
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class LabelPropagation(LabelBaseline):
    """Label spreading of Zhou et al. 2003 ("Learning with local and global consistency", equation 4) over all kinds.

    alphas: share that comes from the neighbours at each step; validation chooses. steps: at most; it stops sooner when
    nothing changes by more than 1e-6.
    """

    alphas: Sequence[float] = (0.5, 0.8, 0.9, 0.99)
    steps: int = 100

    several: ClassVar[bool] = True

    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Spread the training labels; does not apply without links, or training labels."""
        labels, train = question.split.labels, question.split.train
        nodes = sum(question.graph.count(kind) for kind in question.graph.ids)
        needed = Union.bytes_of(question.graph) + 4 * 4 * nodes * len(labels.classes)
        if not len(train) or not fits_in_memory("label_propagation", needed):
            return {}
        union = Union.of(question.graph)
        if not union.adjacency.nnz:
            return {}
        normal = symmetric(union)
        known = np.zeros((nodes, len(labels.classes) + 1))
        known[union.start[labels.kind] + train, :-1] = labels.has(train)
        known[union.start[labels.kind] + train, -1] = 1.0  # that there is a label: of several values each is a share of this
        prior = shares_of(labels, train)
        items = union.nodes(labels.kind)
        candidates = (_shares(spread(normal, known, alpha, self.steps)[items], prior) for alpha in self.alphas)
        return {"label_propagation": best_on_validation(question, candidates, default=len(self.alphas) // 2)}


def _shares(mass: np.ndarray, prior: Floats) -> Floats:
    """Of the labels that reach an item the share that has each class, which of one value an item sum to 1; an item that no label
    reaches has the class shares of training. ``mass`` [items, classes + 1], the last that of all labels.
    """
    classes, total = mass[:, :-1], mass[:, -1:]
    return np.where(total > 0, classes / np.where(total > 0, total, 1.0), prior).astype(np.float32)
