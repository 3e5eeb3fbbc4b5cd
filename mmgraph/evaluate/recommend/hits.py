"""Which places of a list hold something that was held out."""

import numpy as np

from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.recommend.lists import Lists
from mmgraph.types import Bools, Ints


def hits_of(lists: Lists, question: LinkQuestion, edges: Ints) -> tuple[Bools, Ints]:
    """(bool [users, k], int64 [users]): which places hold an item of the edges at these positions, and how many each user has of these."""
    one, count = question.split.edges.take(edges), question.count("target")
    true = one.source * count + one.target
    hit = np.isin(lists.users[:, None] * count + lists.items, true) & (lists.items >= 0)
    return hit, np.bincount(one.source, minlength=question.count("source"))[lists.users].astype(np.int64)
