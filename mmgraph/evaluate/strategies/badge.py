"""Items whose labels would change the model most, in different ways."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.asking import AskQuestion, Strategy
from mmgraph.evaluate.rightness import called
from mmgraph.types import Ints


@dataclass(frozen=True, kw_only=True)
class Badge(Strategy):
    """BADGE (Ash, Zhang, Krishnamurthy, Langford & Agarwal 2020, Deep batch active learning by diverse, uncertain gradient lower bounds,
    arXiv 1906.03671, algorithm 1): each item stands for the gradient of the last layer's loss if what is said of it were true,
    (p - y) times its vector, which is long where the model is unsure; k-means++ (Arthur & Vassilvitskii 2007) seeds are asked for, the
    longest first. The gradients [n, classes * wide] are never written down: their inner products are those of the two factors.
    """

    def _pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        rng = np.random.default_rng([seed, 0xBAD6E])
        p = question.probabilities.astype(np.float64)
        said = called(question.probabilities) if question.several else np.eye(p.shape[1])[p.argmax(axis=1)]
        off, vectors = p - said, question.vectors.astype(np.float64)
        length = (off**2).sum(1) * (vectors**2).sum(1)
        picked = [int(length.argmax())]
        apart = np.full(len(p), np.inf)
        for _ in range(n - 1):
            last = picked[-1]
            inner = (off @ off[last]) * (vectors @ vectors[last])
            apart = np.minimum(apart, np.maximum(length + length[last] - 2.0 * inner, 0.0))
            apart[picked] = 0.0
            total = apart.sum()
            if total > 0:
                picked.append(int(rng.choice(len(p), p=apart / total)))
            else:  # all that is left is the same as something picked
                picked.append(int(np.setdiff1d(np.arange(len(p)), picked)[0]))
        return np.array(picked, np.int64)
