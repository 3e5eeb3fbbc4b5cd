"""FastRP + kNN: what the users with the nearest embeddings like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.completion import Completed
from mmgraph.evaluate.baselines.interactions import Interactions
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.links.fast_rp import fast_rp_newcomer, fast_rp_vectors
from mmgraph.evaluate.baselines.recommend.content_knn import nearest_rows
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class SimilarUsers(LinkBaseline):
    """Score = sum of the cosines with those of the ``k`` nearest users that like the item: ``fastrp+similar_users``.

    The steps of Neo4j's "FastRP and kNN end-to-end example" (Graph Data Science manual): users and items with their weighted links are
    projected, embedded by FastRP (Chen et al. 2019, arXiv 1908.11512), the nearest users are found and written back as links with their
    similarity (``mmgraph similar`` writes such pairs), and what similar users like is recommended. iterations: weights of the powers of
    the random walk, as in the example; its 4 numbers and 2 neighbours a user are for 12 nodes. weights: ``log`` of the links', or
    ``binary``.
    """

    width: int = 256
    k: int = 100
    iterations: Sequence[float] = (0.8, 1.0, 1.0, 1.0)
    weights: Literal["binary", "log"] = "log"

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Embed and compare; left out, with a word in the log, where that needs more than 4 GiB."""
        seen = Interactions.of(question, self.weights)
        if seen is None:
            return []
        users, items = seen.matrix.shape
        if not fits_in_memory(
            "fastrp+similar_users", 4 * 4 * (users + items) * self.width + 3 * 8 * users * min(self.k, users)
        ):
            return []
        vectors = fast_rp_vectors(_both(seen.matrix), self.width, self.iterations, 0.0, question.seed)
        near = nearest_rows(unit_rows(vectors[:users]), np.arange(users), self.k)
        return [_SimilarUsers(seen, near, self, question.seed)]


def _both(x: Any) -> Any:
    """Users and items as one graph."""
    return scipy.sparse.bmat([[None, x], [x.T, None]], format="csr")


class _SimilarUsers(Completed):
    name = "fastrp+similar_users"

    def __init__(self, seen: Interactions, near: Any, made: SimilarUsers, seed: int) -> None:
        super().__init__(seen)
        self._near, self._made, self._seed = near, made, seed
        self._liked = (seen.matrix > 0).astype(np.float32)

    def of_sources(self, rows: Ints) -> Floats:
        """See Completed."""
        return np.asarray((self._near[rows] @ self._liked).toarray(), np.float32)

    def of_targets(self, columns: Ints) -> Floats:
        """See Completed."""
        return np.asarray((self._near @ self._liked[:, columns]).T.toarray(), np.float32)

    def of_likes(self, likes: Any) -> Floats:
        """See Completed: the users are embedded once more for each row, and its owner among them."""
        both, made, users = _both(self._matrix), self._made, self._matrix.shape[0]
        known = unit_rows(fast_rp_vectors(both, made.width, made.iterations, 0.0, self._seed)[:users])
        found = np.zeros(likes.shape, np.float32)
        for row in range(likes.shape[0]):
            linked = users + likes[row].indices
            own = fast_rp_newcomer(both, made.width, made.iterations, 0.0, self._seed, linked)
            cosine = (known @ unit_rows(own)[0]).astype(np.float32)
            near = np.argsort(-cosine, kind="stable")[: made.k]
            near = near[cosine[near] > 0]
            found[row] = cosine[near] @ self._liked[near]
        return found
