"""FastRP + kNN: what the users with the nearest embeddings like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.interactions import Interactions
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.links.fast_rp import fast_rp_newcomer, fast_rp_vectors
from mmgraph.evaluate.baselines.recommend.content_knn import nearest_rows
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion, Newcomer
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
        if seen is None or not fits_in_memory("fastrp+similar_users", 4 * 4 * sum(seen.matrix.shape) * self.width):
            return []
        both = scipy.sparse.bmat([[None, seen.matrix], [seen.matrix.T, None]], format="csr")
        vectors = fast_rp_vectors(both, self.width, self.iterations, 0.0, question.seed)
        users = np.arange(len(seen.sources))
        near = nearest_rows(unit_rows(vectors[users]), users, self.k)
        return [_SimilarUsers(seen, near @ (seen.matrix > 0).astype(np.float32), self, question.seed)]


class _SimilarUsers(LinkMethod):
    name = "fastrp+similar_users"

    def __init__(self, seen: Interactions, wanted: Any, made: SimilarUsers, seed: int) -> None:
        self._seen, self._made, self._seed = seen, made, seed
        rows, columns = wanted.tocoo().row, wanted.tocoo().col
        entries = (wanted.tocoo().data, (seen.sources[rows], seen.targets[columns]))
        self._wanted = scipy.sparse.csr_matrix(entries, shape=seen.shape)

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        asked = self._wanted[queries] if direction == "target" else self._wanted[:, queries].T
        return np.asarray(asked.toarray(), np.float32)

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: the users are embedded once more, and the newcomer among them."""
        x, made, seed = self._seen.matrix, self._made, self._seed
        both = scipy.sparse.bmat([[None, x], [x.T, None]], format="csr")
        linked = x.shape[0] + np.flatnonzero(np.isin(self._seen.targets, newcomer.liked))
        own = fast_rp_newcomer(both, made.width, made.iterations, 0.0, seed, linked)
        users = fast_rp_vectors(both, made.width, made.iterations, 0.0, seed)[: x.shape[0]]
        cosine = (unit_rows(users) @ unit_rows(own)[0]).astype(np.float32)
        near = np.argsort(-cosine, kind="stable")[: made.k]
        near = near[cosine[near] > 0]
        out = np.zeros((1, self._seen.shape[1]), np.float32)
        out[0, self._seen.targets] = cosine[near] @ (x[near] > 0).astype(np.float32)
        return out
