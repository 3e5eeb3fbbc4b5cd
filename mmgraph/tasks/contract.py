"""The contract of tasks: one question asked of the graph."""

import abc

from jaxtyping import Float
from torch import Tensor

from mmgraph.catalogue.contract import Catalogue
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Embeddings, Head
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.triples import AskedTriples
from mmgraph.settings import ModelSettings
from mmgraph.split.contract import Split
from mmgraph.types import Ints, Relation


class RelationHead(Head):
    """A head that answers which links of one ``relation`` are missing: evaluation asks it by ``scores``."""

    relation: Relation

    @abc.abstractmethod
    def scores(self, embeddings: Embeddings, queries: Ints, backwards: bool) -> Float[Tensor, "n candidates"]:
        """Of every item of the target kind for sources at positions ``queries``; backwards: of the source kind for targets."""


class FactsHead(Head):
    """A head that answers which links of many ``relations`` between items of one ``kind`` are missing."""

    relations: tuple[Relation, ...]
    kind: str

    @abc.abstractmethod
    def scores(self, embeddings: Embeddings, item: Ints, relation: Ints) -> Float[Tensor, "n items"]:
        """Of every item as the answer to each question; relations from ``len(relations)`` on are read backwards."""


class Task(abc.ABC):
    """One file in ``kinds/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` of what the YAML may set."""

    def check(self, catalogue: Catalogue) -> None:  # noqa: B027 - nothing to check by default
        """Raise a child of MMGraphError, which may name file and row, for data that cannot be asked about; before anything is encoded."""

    def check_grown(self, before: Split, after: Split) -> None:  # noqa: B027 - nothing to check by default
        """Raise a child of MMGraphError where a head that was trained on ``before`` cannot go on with ``after``."""

    def prepared(self, graph: Graph) -> Graph:
        """The graph as the task reads it, asked before it is split; as it is by default."""
        return graph

    def relations(self, graph: Graph) -> list[Relation]:
        """Relations whose links are asked, and therefore split; none by default."""
        return []

    def fields(self, graph: Graph) -> list[tuple[str, str]]:
        """(kind, field) pairs whose labels are asked, and therefore split; none by default."""
        return []

    def composed(self, graph: Graph) -> list[Relation]:
        """Relations that say what an item consists of, without which it cannot be asked about; none by default."""
        return []

    @abc.abstractmethod
    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """What is added to the model, one head a relation or field."""

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """What a loader has to draw for this task's heads; none by default."""
        return []

    def asked_triples(self, split: Split) -> list[AskedTriples]:
        """What a loader has to draw for this task's heads; none by default."""
        return []

    def asked_labels(self, split: Split) -> list[AskedLabels]:
        """What a loader has to draw for this task's heads; none by default."""
        return []
