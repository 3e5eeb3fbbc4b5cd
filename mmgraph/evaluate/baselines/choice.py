"""A setting of a link baseline is chosen on validation; the test links are not read."""

from collections.abc import Iterable

import numpy as np

from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.ranking import ranks

FEWEST = 20  # validation links under which the default is taken
_MOST, _CELLS = 500, 2**23  # links that choose, and scores that this takes in a direction


def best_link_method(question: LinkQuestion, methods: Iterable[LinkMethod], default: int) -> LinkMethod:
    """The method with the best MRR on a sample of the validation links, the first of equal ones.

    The filter knows train and valid only. ``default``: which is taken where there are fewer than FEWEST validation links.
    """
    valid = question.split.valid
    if len(valid) < FEWEST:
        return list(methods)[default]
    widest = max(question.count("source"), question.count("target"), 1)
    size = max(FEWEST, min(_MOST, _CELLS // widest))
    edges = np.sort(np.random.default_rng([question.seed, 0xC401CE]).permutation(valid)[:size])
    known = np.concatenate((question.split.train, valid))

    def worth(method: LinkMethod) -> float:
        both = [(1.0 / ranks(method, question, edges, d, known=known).rank).mean() for d in question.directions]
        return float(np.mean(both))

    return max(methods, key=worth)
