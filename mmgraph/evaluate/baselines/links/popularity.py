"""Popularity: the candidate with the most links."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion, Newcomer
from mmgraph.evaluate.ranking import DIRECTIONS, other_way, sides
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Popularity(LinkBaseline):
    """Score = degree of the candidate in the visible links of the asked relation, the same for every query."""

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Count."""
        edges = question.graph.edges.get(question.relation)
        degrees: dict[Direction, Floats] = {}
        for direction in DIRECTIONS:
            ends = np.zeros(0, np.int64) if edges is None else sides(edges, other_way(direction))[0]
            degrees[direction] = np.bincount(ends, minlength=question.count(direction)).astype(np.float32)
        return [_Popular(degrees)]


class _Popular(LinkMethod):
    name = "popularity"

    def __init__(self, degrees: dict[Direction, Floats]) -> None:
        self._degrees = degrees

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        return np.broadcast_to(self._degrees[direction], (len(queries), len(self._degrees[direction])))

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: as everybody."""
        return self._degrees["target"][None]
