"""Which links of a relation are missing."""

import logging
from dataclasses import dataclass

from mmgraph.catalogue.contract import Catalogue
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head, same_both_ways
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.heads import LinkHead
from mmgraph.tasks.one_relation import asked_links, check_kinds, compared
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

    def check(self, catalogue: Catalogue) -> None:
        """See Task. Raises SettingsError for a kind that is not there."""
        check_kinds(self.relation, catalogue)

    def relations(self, graph: Graph) -> list[Relation]:
        """See Task."""
        return [Relation.parse(self.relation)]

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        link_split = split.links[Relation.parse(self.relation)]
        compare = compared(settings.width, self.scorer, self.loss, self.regulariser)
        if (
            link_split.edges.temporal
            and len({*link_split.relation[::2]}) == 1
            and same_both_ways(compare.scorer, settings.width)
        ):
            told = "%s: this scorer gives a link and its reverse one score, so it cannot say which of two comes first; dot can"
            _log.warning(told, self.relation)
        return [LinkHead(self.relation, link_split, split.visible, compare, self.weight)]

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """See Task."""
        return asked_links(self.relation, split, self.negatives, self.loss, self.scorer)
