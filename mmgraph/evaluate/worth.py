"""What chooses between methods on held-out links: where each link ranks, or how good each user's list is."""

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.ranking import CELLS, ranks
from mmgraph.evaluate.recommend.hits import hits_of
from mmgraph.evaluate.recommend.lists import lists_of
from mmgraph.evaluate.recommend.metrics import ndcg
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.types import Ints

Reals = npt.NDArray[np.float64]


def worth(method: LinkMethod, question: LinkQuestion, edges: Ints, block: int = 1024, cells: int = CELLS) -> Reals:
    """Of each of the validation edges at these positions a number, the higher the better; the filter knows train and valid only.

    The mean reciprocal rank of an edge's directions; of a RecommendQuestion the NDCG of its user's list on those of the user's edges that
    are among ``edges``.
    """
    known = np.concatenate((question.split.train, question.split.valid))
    if not isinstance(question, RecommendQuestion):
        both = [1.0 / ranks(method, question, edges, way, block, known, cells=cells).rank for way in question.directions]
        return np.asarray(np.mean(both, axis=0))
    users, row = np.unique(question.units(edges), return_inverse=True)
    lists = lists_of(method, question, users, np.setdiff1d(known, edges), question.at, cells=cells)
    hits, held_out = hits_of(lists, question, edges)
    return ndcg(hits, held_out)[row]
