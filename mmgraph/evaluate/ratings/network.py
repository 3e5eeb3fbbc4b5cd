"""What a trained network expects as ratings."""

import numpy as np

from mmgraph.evaluate.gnn import GNN
from mmgraph.evaluate.ratings.contract import RatingMethod
from mmgraph.model.contract import Embeddings
from mmgraph.tasks.ratings import RatingsHead
from mmgraph.types import Floats, Ints


class NetworkRatings(RatingMethod):
    """A head with the embeddings of all items of its kinds."""

    name = GNN

    def __init__(self, head: RatingsHead, embeddings: Embeddings) -> None:
        self._head, self._embeddings = head, embeddings

    def ratings(self, source: Ints, target: Ints) -> Floats:
        """See RatingMethod."""
        return np.asarray(self._head.answers(self._embeddings, source, target)[0], np.float32)

    def table(self, sources: Ints, targets: int) -> Floats:
        """See RatingMethod: without a pass for every pair."""
        return self._head.table(self._embeddings, sources)

    def chances(self, source: Ints, target: Ints) -> Floats | None:
        """See RatingMethod: of a form that has levels."""
        return self._head.answers(self._embeddings, source, target)[1]
