"""Which class a whole has, read out from its parts: a video from its segments, a small graph from its nodes."""

from dataclasses import dataclass
from typing import Literal

from mmgraph import registry
from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.members import Members, joining, members
from mmgraph.sample.questions import AskedLabels
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import LabelSplit, Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.heads import LabelHead
from mmgraph.tasks.label_loss import LabelLoss, figure_of
from mmgraph.tasks.whole import Whole
from mmgraph.types import Relation


@dataclass(frozen=True, kw_only=True)
class GraphCategories(Task):
    """field: of the labels; kind: of the wholes that carry it; over: the kind of their parts; weight: of the loss.

    relation: that joins a whole with its parts, whichever end is which; its children when not given, or the one relation between the two
    kinds. readout: how the parts become one vector, ``mean``, ``max``, ``attention`` or ``set2set``. balance, tau, choose_by: as in
    Categories.

    A whole without parts is not trained on, and all such get the same answer.
    """

    field: str
    kind: str
    over: str
    relation: str | None = None
    readout: ComponentLike = "mean"
    weight: float = 1.0
    label_smoothing: float = 0.0
    balance: Literal["none", "weights", "logit_adjustment"] = "none"
    tau: float = 1.0
    choose_by: Literal["auto", "accuracy", "macro_f1", "likelihood"] = "auto"

    def fields(self, graph: Graph) -> list[tuple[str, str]]:
        """See Task. Raises SplitError where no item of the kind has a label of this field, or none has parts."""
        if (self.kind, self.field) not in graph.labels:
            known = ", ".join(sorted(f"{kind}.{name}" for kind, name in graph.labels)) or "none"
            todo = f"fields with labels: {known}"
            raise SplitError("no item has a label of this field", given=f"{self.kind}.{self.field}", todo=todo)
        if graph.labels[self.kind, self.field].several is not None:
            wrong = f"a whole has one value of a field, and some {self.kind} have several values of {self.field}"
            raise SplitError(wrong, todo="ask them by Categories, or keep one value each")
        self._members(graph)
        return [(self.kind, self.field)]

    def composed(self, graph: Graph) -> list[Relation]:
        """See Task."""
        relation = joining(graph, self.kind, self.over, self.relation)
        return [] if relation is None else [relation]

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        whole = Whole(registry.create("readout", self.readout, settings.width), self._members(split.visible))
        own = self._split(split)
        compare = LabelLoss.of(own, self.balance, self.tau, self.label_smoothing)
        figure = figure_of(self.choose_by, self.balance)
        return [LabelHead(own, settings.width, self.weight, compare, figure=figure, whole=whole)]

    def asked_labels(self, split: Split) -> list[AskedLabels]:
        """See Task. Raises SplitError where no whole with a train label has parts."""
        one, parts = self._split(split), self._members(split.visible)
        train = one.train[parts.count[one.train] > 0]
        if not len(train):
            raise SplitError(
                f"no {self.kind} with a train label has parts of kind {self.over}", given=f"{len(one.train)} labels"
            )
        return [AskedLabels(one.labels.target, self.kind, train, one.labels.values[train], parts)]

    def _split(self, split: Split) -> LabelSplit:
        return split.labels[f"{self.kind}.{self.field}"]

    def _members(self, graph: Graph) -> Members:
        return members(graph, self.kind, self.over, self.relation)
