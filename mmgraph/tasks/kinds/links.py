"""Which links of a relation are missing."""

import logging
from dataclasses import dataclass

from mmgraph import registry
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head, same_both_ways
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.heads import Compare, LinkHead, sampler_for
from mmgraph.types import Relation

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Links(Task):
    """relation: ``source/name/target``; scorer, loss, negatives, regulariser: by name; weight: of the loss beside other tasks."""

    relation: str
    scorer: ComponentLike = "dot"
    loss: ComponentLike = "info_nce"
    negatives: ComponentLike = "uniform"
    regulariser: ComponentLike | None = None
    weight: float = 1.0

    def relations(self, graph: Graph) -> list[Relation]:
        """See Task."""
        return [Relation.parse(self.relation)]

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        link_split = split.links[Relation.parse(self.relation)]
        scorer = registry.create("scorer", self.scorer, settings.width)
        if link_split.edges.temporal and len({*link_split.relation[::2]}) == 1 and same_both_ways(scorer, settings.width):
            told = "%s: this scorer gives a link and its reverse one score, so it cannot say which of two comes first; dot can"
            _log.warning(told, self.relation)
        regulariser = registry.create("regulariser", self.regulariser) if self.regulariser else None
        compare = Compare(scorer, registry.create("loss", self.loss), regulariser)
        return [LinkHead(self.relation, link_split, split.visible, compare, self.weight)]

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """See Task."""
        relation = Relation.parse(self.relation)
        train = split.visible.edges[relation]
        negatives = sampler_for(self.negatives, self.loss, self.scorer)
        counts = split.visible.count(relation.source), split.visible.count(relation.target)
        return [AskedLinks(self.relation, relation, train.source, train.target, *counts, negatives, train.time)]
