"""A setting of a link baseline is chosen on validation; the test links are not read."""

from collections.abc import Iterable

import numpy as np

from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.worth import worth
from mmgraph.types import Ints

FEWEST = 20  # validation links under which the default is taken
_MOST, _CELLS = 500, 2**23  # links that choose, and scores that this takes in a direction
_MOST_USERS, _CELLS_OF_USERS = 2000, 2**25  # whose lists choose: a list tells less than a rank


def best_link_method(question: LinkQuestion, methods: Iterable[LinkMethod], default: int) -> LinkMethod:
    """The method with the best MRR on a sample of the validation links, the first of equal ones; of a RecommendQuestion the best NDCG on
    a sample of its users.

    The filter knows train and valid only. ``default``: which is taken where there are fewer than FEWEST validation links.
    """
    valid = question.split.valid
    if len(valid) < FEWEST:
        return list(methods)[default]
    widest = max(question.count("source"), question.count("target"), 1)
    most, cells = (_MOST, _CELLS) if question.judged(valid).size == valid.size else (_MOST_USERS, _CELLS_OF_USERS)
    size = max(FEWEST, min(most, cells // widest))
    edges = sample_of(question, size, 0xC401CE)
    judged = question.judged(edges)
    return max(methods, key=lambda method: float(worth(method, question, edges)[judged].mean()))


def sample_of(question: LinkQuestion, size: int, salt: int, seed: int | None = None, among: Ints | None = None) -> Ints:
    """``size`` validation links in order, drawn by chance, of those at positions ``among``; where several are judged together, those of
    ``size`` lists.
    """
    valid = question.split.valid if among is None else among
    generator = np.random.default_rng([question.seed if seed is None else seed, salt])
    if len(question.judged(valid)) == len(valid):
        return np.sort(generator.permutation(valid)[:size])
    units = question.units(valid)
    chosen = generator.permutation(np.unique(units))[:size]
    return np.sort(valid[np.isin(units, chosen)])
