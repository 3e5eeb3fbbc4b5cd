"""Which items each user will want."""

from dataclasses import dataclass

from mmgraph import registry
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.heads import Compare, sampler_for
from mmgraph.tasks.recommend import RecommendHead
from mmgraph.types import Relation


@dataclass(frozen=True, kw_only=True)
class Recommend(Task):
    """relation: ``user/name/item``, what users have played, watched or bought; friends, tags and knowledge are relations beside it.

    scorer, loss, negatives, regulariser: by name; weight: of the loss beside other tasks. at: how long the list is whose NDCG on
    validation chooses the epoch, the settings of the baselines, and what is handed out.
    """

    relation: str
    scorer: ComponentLike = "dot"
    loss: ComponentLike = "info_nce"
    negatives: ComponentLike = "uniform"
    regulariser: ComponentLike | None = None
    weight: float = 1.0
    at: int = 20

    def relations(self, graph: Graph) -> list[Relation]:
        """See Task."""
        return [Relation.parse(self.relation)]

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        scorer = registry.create("scorer", self.scorer, settings.width)
        regulariser = registry.create("regulariser", self.regulariser) if self.regulariser else None
        compare = Compare(scorer, registry.create("loss", self.loss), regulariser)
        return [RecommendHead(split.links[Relation.parse(self.relation)], split.visible, compare, self.weight, self.at)]

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """See Task."""
        relation = Relation.parse(self.relation)
        train = split.visible.edges[relation]
        negatives = sampler_for(self.negatives, self.loss, self.scorer)
        counts = split.visible.count(relation.source), split.visible.count(relation.target)
        return [AskedLinks(str(relation), relation, train.source, train.target, *counts, negatives, train.time)]
