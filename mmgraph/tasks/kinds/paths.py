"""Which links are missing, of one relation or of a knowledge graph, by the paths between two items instead of their vectors."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head, suited
from mmgraph.model.paths import PathSettings
from mmgraph.sample.questions import AskedLinks
from mmgraph.sample.triples import AskedTriples, Triples
from mmgraph.settings import ComponentLike, ModelSettings, normal
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.kinds.facts import Facts
from mmgraph.tasks.kinds.links import Links
from mmgraph.tasks.paths import PathFactsHead, PathLinkHead
from mmgraph.types import Relation


@dataclass(frozen=True, kw_only=True)
class Paths(Task):
    """relation: ``source/name/target``, or kind: of a knowledge graph's items, with the names of its relations, all when not given.

    depth, width, message, aggregate, dependent, residual, memory_mb: see PathSettings. loss, negatives: by name; weight: of the loss
    beside other tasks.

    withhold: what leaves the messages in the step that asks a link: the whole ``pair``, every asked relation between the two items, so
    that only longer paths tell; or the ``link`` alone. It has to be as what is held out: a split that passes the leak check leaves held-out
    pairs nothing; published knowledge graphs often state the pair otherwise as well, and a network trained on pairs learns there
    that items which are linked already are no answer.
    """

    relation: str | None = None
    kind: str | None = None
    names: tuple[str, ...] = ()
    depth: int = 4
    width: int = 32
    message: Literal["dist_mult", "trans_e", "rotate"] = "dist_mult"
    aggregate: Literal["sum", "mean", "max", "pna"] = "pna"
    dependent: bool = True
    residual: bool = True
    memory_mb: int = 1024
    loss: ComponentLike = "cross_entropy"
    negatives: ComponentLike = "every"
    withhold: Literal["pair", "link"] = "pair"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if (self.relation is None) == (self.kind is None):
            given = "neither" if self.kind is None else f"{self.relation} and {self.kind}"
            raise SettingsError("Paths asks about a relation or a kind", given=given, todo="give one of the two")

    def relations(self, graph: Graph) -> list[Relation]:
        """See Task."""
        return self._task.relations(graph)

    @property
    def _task(self) -> Links | Facts:
        """The task that asks the same by vectors."""
        if self.kind is None:
            assert self.relation is not None
            return Links(relation=self.relation, negatives=self.negatives, loss=self.loss)
        return Facts(kind=self.kind, names=self.names, negatives=self.negatives, loss=self.loss)

    @property
    def _settings(self) -> PathSettings:
        names = PathSettings.__dataclass_fields__
        return PathSettings(**{name: getattr(self, name) for name in names})

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        asked, loss, visible = self._task, registry.create("loss", self.loss), split.visible
        suited(loss, None)
        if isinstance(asked, Links):
            (relation,) = asked.relations(visible)
            one = split.links[relation]
            return [PathLinkHead(str(relation), one, visible, self._settings, loss, self.weight)]
        relations = tuple(asked.relations(visible))
        links = [split.links[relation] for relation in relations]
        head = PathFactsHead(
            asked.target,
            relations,
            visible,
            self._settings,
            loss,
            known=Triples.of([one.edges.take(np.concatenate([one.train, one.valid])) for one in links]),
            valid=Triples.of([one.edges.take(one.valid) for one in links]),
            weight=self.weight,
        )
        return [head]

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """See Task."""
        return [replace(one, passing=True, alone=self.withhold == "link") for one in self._asking().asked_links(split)]

    def asked_triples(self, split: Split) -> list[AskedTriples]:
        """See Task."""
        return [replace(one, passing=True, alone=self.withhold == "link") for one in self._asking().asked_triples(split)]

    def _asking(self) -> Links | Facts:
        """Raises SettingsError for negatives that are mined from vectors."""
        if registry.create("negative sampler", self.negatives).mined:
            wrong = "Paths has no vectors, by which these negatives are found"
            raise SettingsError(wrong, given=normal(self.negatives).class_path, todo="take every or uniform")
        return self._task
