"""The head of a recommendation: asked from the side of the users alone."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Embeddings
from mmgraph.sample.batch import Batch
from mmgraph.split.contract import LinkSplit
from mmgraph.tasks.heads import Compare, LinkHead
from mmgraph.tasks.ranking import ListRanking

_USERS = 2000  # whose lists are looked at each epoch; all are measured once training has ended


class RecommendHead(LinkHead):
    """A LinkHead whose users are compared with items, and not items with users; the NDCG of lists ``at`` long chooses the epoch."""

    def __init__(self, split: LinkSplit, visible: Graph, compare: Compare, weight: float, at: int) -> None:
        super().__init__(str(split.relation), split, visible, compare, weight, ListRanking(split, visible, _USERS, at))
        self.at = at
        self.figure = f"ndcg@{at}" if len(split.valid) else None

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Each user's true item beside the candidates of the batch, and what the regulariser adds."""
        asked = batch.links[self.name]
        of_sources, of_targets = embeddings[self.relation.source], embeddings[self.relation.target]
        source = _prepared_rows(self.scorer.source, of_sources, asked.source)
        target = _prepared_rows(self.scorer.target, of_targets, asked.target)
        positive = self.scorer.pairs(source, target)
        to_targets = self.scorer.matrix(source, _prepared_rows(self.scorer.target, of_targets, asked.other_targets))
        loss = self.compare.drawn(positive, to_targets, ~asked.is_link, asked.log_q) + self.compare.spread(source, target)
        if self.regulariser is None:
            return loss
        return loss + self.regulariser(self.scorer.factors(of_sources[asked.source], None, of_targets[asked.target]))


def _prepared_rows(prepare: Callable[[Tensor], Tensor], rows: Tensor, asked: Tensor) -> Tensor:
    """The asked rows, prepared; all are where these are fewer."""
    return prepare(rows.index_select(0, asked)) if len(asked) < len(rows) else prepare(rows).index_select(0, asked)
