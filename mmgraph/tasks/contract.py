"""The contract of tasks: one question asked of the graph."""

import abc

from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.triples import AskedTriples
from mmgraph.settings import ModelSettings
from mmgraph.split.contract import Split
from mmgraph.types import Relation


class Task(abc.ABC):
    """One file in ``kinds/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` of what the YAML may set."""

    def relations(self, graph: Graph) -> list[Relation]:
        """Relations whose links are asked, and therefore split; none by default."""
        return []

    def fields(self, graph: Graph) -> list[tuple[str, str]]:
        """(kind, field) pairs whose labels are asked, and therefore split; none by default."""
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
