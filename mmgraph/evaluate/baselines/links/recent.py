"""Recent: what was chosen of late."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.choice import best_link_method
from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion, Newcomer
from mmgraph.evaluate.ranking import DIRECTIONS, other_way, sides
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Recent(LinkBaseline):
    """Score = sum over the candidate's visible links of 2^(-age / half-life), the same for every query: popularity that fades (Ding &
    Li 2005, with a half-life). An age is counted from the newest visible link; a link whose time is unknown is as old as
    the oldest.

    For relations whose links have times. The times of the links that are asked are not read, and a relation that says what comes next
    (``Edges.temporal``) is left to ``next_in_time``, as its times made its links. half_lives: as shares of the time from the oldest
    visible link to the newest; the one with the best MRR on validation is taken, the middle one where validation is too small.
    """

    half_lives: Sequence[float] = (0.01, 0.03, 0.1, 0.3)

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Weigh and count."""
        edges = question.visible
        if question.split.edges.temporal or edges.time is None:
            return []
        told = edges.time[np.isfinite(edges.time)]
        if not len(told) or told.min() == told.max():
            return []
        span = told.max() - told.min()
        age = (told.max() - np.where(np.isfinite(edges.time), edges.time, told.min())) / span
        made = (self._weighed(question, age / share) for share in self.half_lives)
        return [best_link_method(question, made, default=len(self.half_lives) // 2)]

    def _weighed(self, question: LinkQuestion, half_lives: Floats) -> LinkMethod:
        weight, found = np.exp2(-half_lives), dict[Direction, Floats]()
        for direction in DIRECTIONS:
            ends = sides(question.visible, other_way(direction))[0]
            found[direction] = np.bincount(ends, weight, minlength=question.count(direction)).astype(np.float32)
        return _Recent(found)


class _Recent(LinkMethod):
    name = "recent"

    def __init__(self, weighed: dict[Direction, Floats]) -> None:
        self._weighed = weighed

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        return np.broadcast_to(self._weighed[direction], (len(queries), len(self._weighed[direction])))

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: as everybody."""
        return self._weighed["target"][None]
