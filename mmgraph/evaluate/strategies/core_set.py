"""Items that leave no other far from something labelled."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.asking import AskQuestion, Reals, Strategy
from mmgraph.types import Floats, Ints

_BLOCK = 1024  # labelled items at once


@dataclass(frozen=True, kw_only=True)
class CoreSet(Strategy):
    """k-centre greedy (Sener & Savarese 2018, Active learning for convolutional neural networks: a core-set approach, arXiv 1708.00489,
    algorithm 1): again and again the item that is farthest from all that is labelled or picked, by Euclidean distance of the vectors.
    """

    def _pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        vectors = question.vectors
        apart = np.full(len(vectors), np.inf)
        for start in range(0, len(question.shown), _BLOCK):
            apart = np.minimum(apart, _squared(vectors, question.shown[start : start + _BLOCK]).min(axis=1))
        picked: list[int] = []
        for _ in range(n):
            picked.append(int(apart.argmax()))
            apart = np.minimum(apart, _squared(vectors, vectors[picked[-1:]])[:, 0])
            apart[picked] = -1.0
        return np.array(picked, np.int64)


def _squared(one: Floats, other: Floats) -> Reals:
    a, b = one.astype(np.float64), other.astype(np.float64)
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2.0 * a @ b.T, 0.0)
