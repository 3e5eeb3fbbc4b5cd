"""What users like, added up over items that are near: for methods that compare items by anything but who chose them."""

from typing import Any

import numpy as np

from mmgraph.evaluate.contract import Direction, LinkMethod, Newcomer
from mmgraph.types import Floats, Ints


class Likes(LinkMethod):
    """Score = L Wᵀ: ``liked`` CSR float32 [users, items], ``near`` CSR float32 [items, items], in row i of which items i is likened to.

    Items that nobody has chosen yet have scores too. Never made whole: a block takes memory of its queries by the candidates.
    """

    def __init__(self, name: str, liked: Any, near: Any) -> None:
        self.name = name
        self._liked, self._near, self._turned = liked, near, near.T.tocsr()

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        if direction == "target":
            return np.asarray((self._liked[queries] @ self._turned).toarray(), np.float32)
        return np.asarray((self._near[queries] @ self._liked.T.tocsr()).toarray(), np.float32)

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod."""
        return np.asarray(self._turned[newcomer.liked].sum(axis=0), np.float32).reshape(1, -1)
