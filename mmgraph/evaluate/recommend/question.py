"""Which items a user will want: links asked from the side of their sources alone, and judged list by list."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import Direction, LinkQuestion
from mmgraph.types import Ints


@dataclass(frozen=True)
class RecommendQuestion(LinkQuestion):
    """at: how long the list is whose NDCG chooses between methods on validation. Users are the sources of the relation."""

    at: int = 20

    @property
    def directions(self) -> tuple[Direction, ...]:
        """See LinkQuestion: a user is asked, an item is the answer."""
        return ("target",)

    @property
    def figure(self) -> str:
        """See LinkQuestion."""
        return f"ndcg@{self.at}"

    @property
    def by_place(self) -> bool:
        """See LinkQuestion: a list is judged by its first places."""
        return True

    def units(self, edges: Ints) -> Ints:
        """See LinkQuestion: the user, with all that is held out of them."""
        return self.split.edges.source[edges]

    def judged(self, edges: Ints) -> Ints:
        """See LinkQuestion: the first edge of each user, as all of them tell the same list."""
        return np.sort(np.unique(self.units(edges), return_index=True)[1]).astype(np.int64)
