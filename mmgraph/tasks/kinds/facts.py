"""Which facts a knowledge graph lacks: links of many relations between items of one kind, answered by one model."""

from dataclasses import dataclass

import numpy as np

from mmgraph import registry
from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.triples import AskedTriples, Triples
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.heads import Compare, sampler_for
from mmgraph.tasks.triples import TripleHead
from mmgraph.types import Relation


@dataclass(frozen=True, kw_only=True)
class Facts(Task):
    """kind: of the items; names: of the relations that are asked, all within the kind when not given.

    scorer: one that tells relations apart; loss, negatives, regulariser: by name; reciprocal: a relation read backwards has
    parameters of its own; dropout: of the asked item's vector; filtered: other known answers of a question are no negatives of it
    (Lacroix et al. 2018, arXiv 1806.07297, leave them in); weight: of the loss beside other tasks.
    """

    kind: str
    names: tuple[str, ...] = ()
    scorer: ComponentLike = "complex"
    loss: ComponentLike = "cross_entropy"
    negatives: ComponentLike = "every"
    regulariser: ComponentLike | None = None
    reciprocal: bool = True
    dropout: float = 0.0
    filtered: bool = True
    weight: float = 1.0

    def relations(self, graph: Graph) -> list[Relation]:
        """See Task. Raises SplitError for a name that is no relation within the kind, and where there is none."""
        within = [r for r, edges in graph.edges.items() if r.source == r.target == self.kind and not edges.derived_from]
        found = [r for r in within if not self.names or r.name in self.names]
        lacking = set(self.names) - {r.name for r in found}
        if lacking or not found:
            known = ", ".join(sorted(r.name for r in within)) or "none"
            wrong = f"no relation between two items of kind {self.kind}"
            raise SplitError(wrong, given=", ".join(sorted(lacking)) or "nothing", todo=f"there are: {known}")
        return found

    @property
    def target(self) -> str:
        """What its head and its rows are called."""
        return f"{self.kind}/*/{self.kind}"

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        relations = tuple(self.relations(split.visible))
        links = [split.links[relation] for relation in relations]
        known = Triples.of([one.edges.take(np.concatenate([one.train, one.valid])) for one in links])
        scorer = registry.create("scorer", self.scorer, settings.width, len(relations) * (1 + self.reciprocal))
        regulariser = registry.create("regulariser", self.regulariser) if self.regulariser else None
        head = TripleHead(
            self.target,
            relations,
            Compare(scorer, registry.create("loss", self.loss), regulariser),
            known=known,
            valid=Triples.of([one.edges.take(one.valid) for one in links]),
            num_items=split.visible.count(self.kind),
            reciprocal=self.reciprocal,
            dropout=self.dropout,
            weight=self.weight,
        )
        return [head]

    def asked_triples(self, split: Split) -> list[AskedTriples]:
        """See Task."""
        relations = tuple(self.relations(split.visible))
        train = Triples.of([split.visible.edges[relation] for relation in relations])
        negatives, items = sampler_for(self.negatives, self.loss, self.scorer), split.visible.count(self.kind)
        return [AskedTriples(self.target, self.kind, relations, train, items, negatives, self.filtered)]
