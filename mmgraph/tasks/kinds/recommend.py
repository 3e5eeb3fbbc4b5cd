"""Which items each user will want."""

from dataclasses import dataclass

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.one_relation import asked_links, check_kinds, compared
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

    def check(self, catalogue: Catalogue) -> None:
        """See Task. Raises SettingsError for a list that has no place, and a kind that is not there."""
        if self.at < 1:
            raise SettingsError("Recommend.at is the length of a list", given=self.at, todo="give 1 or more")
        check_kinds(self.relation, catalogue)

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        compare = compared(settings.width, self.scorer, self.loss, self.regulariser)
        return [RecommendHead(split.links[Relation.parse(self.relation)], split.visible, compare, self.weight, self.at)]

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """See Task."""
        return asked_links(self.relation, split, self.negatives, self.loss, self.scorer)
