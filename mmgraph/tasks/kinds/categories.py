"""Which class an item has, from few labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mmgraph import registry
from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import SettingsError, SplitError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.questions import AskedLabels
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import LabelSplit, Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.heads import LabelHead
from mmgraph.tasks.label_loss import LabelLoss, SeveralLoss, figure_of
from mmgraph.tasks.several import SeveralHead


@dataclass(frozen=True, kw_only=True)
class Categories(Task):
    """field: of the labels; kind: which items are asked, where several kinds carry the field; weight: of the loss.

    balance: of classes that are not equally common in training, ``none``, ``weights`` by inverse frequency, or ``logit_adjustment`` by
    tau times the logarithm of their shares (see ``LabelLoss``).
    methods: what is learnt from besides the labels. choose_by: the figure on validation that chooses the epoch, ``auto`` macro-F1 where
    classes are balanced and else accuracy. labels_as_inputs: share of the training labels that a step hides and asks, while the others
    enter the network beside the features (Shi et al. 2021, arXiv 2009.03509); after training all enter. 0: none do.
    multi: whether an item may have several values, or has exactly one; as the labels are when not given.
    """

    field: str
    kind: str | None = None
    weight: float = 1.0
    label_smoothing: float = 0.0
    balance: Literal["none", "weights", "logit_adjustment"] = "none"
    tau: float = 1.0
    methods: Sequence[ComponentLike] = ()
    choose_by: Literal["auto", "accuracy", "macro_f1", "likelihood"] = "auto"
    labels_as_inputs: float = 0.0
    multi: bool | None = None

    def check(self, catalogue: Catalogue) -> None:
        """See Task. Raises SplitError for a field that no label is of."""
        fields = sorted(set(catalogue.labels["field"]))
        if self.field not in fields:
            todo = f"fields with labels: {', '.join(fields) or 'none'}"
            raise SplitError("no item has a label of this field", given=self.field, todo=todo)

    def prepared(self, graph: Graph) -> Graph:
        """See Task. Raises SplitError where ``multi`` is false and an item has several values."""
        labels = dict(graph.labels)
        for key in self.fields(graph) if self.multi is not None else ():
            one = labels[key]
            if self.multi and one.several is None:
                labels[key] = one.as_several()
            elif not self.multi and one.several is not None:
                item = int((one.several.sum(1) > 1).argmax())
                given = f"{graph.ids[one.kind][item]}: {', '.join(np.array(one.classes)[one.several[item]])}"
                wrong = f"labels contradict each other: an item has several values of {one.target}, and multi is false"
                raise SplitError(wrong, given=given, todo="keep one value an item, or leave multi out")
        return replace(graph, labels=labels)

    def fields(self, graph: Graph) -> list[tuple[str, str]]:
        """See Task. Raises SplitError where no item has a label of this field."""
        found = [key for key in graph.labels if key[1] == self.field and self.kind in (None, key[0])]
        if not found:
            known = ", ".join(sorted(f"{kind}.{name}" for kind, name in graph.labels)) or "none"
            asked = f"{self.kind or 'any kind'}.{self.field}"
            raise SplitError("no item has a label of this field", given=asked, todo=f"fields with labels: {known}")
        return found

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        splits = [split.labels[f"{kind}.{field}"] for kind, field in self.fields(split.visible)]
        return [self._head(one, settings) for one in splits]

    def _head(self, split: LabelSplit, settings: ModelSettings) -> Head:
        if split.labels.several is not None:
            if self.methods or self.choose_by != "auto" or self.labels_as_inputs:
                wrong = "methods, choose_by and labels_as_inputs are for fields of one value an item"
                given = f"{split.labels.target}, which has several"
                raise SettingsError(wrong, given=given, todo="leave them out")
            of_several = SeveralLoss.of(split, self.balance, self.tau, self.label_smoothing)
            return SeveralHead(split, settings.width, self.weight, of_several)
        methods = [registry.create("label method", one, split) for one in self.methods]
        return LabelHead(
            split,
            settings.width,
            self.weight,
            LabelLoss.of(split, self.balance, self.tau, self.label_smoothing),
            methods=methods,
            figure=figure_of(self.choose_by, self.balance),
            told=self.labels_as_inputs > 0,
        )

    def asked_labels(self, split: Split) -> list[AskedLabels]:
        """See Task."""
        splits = [split.labels[f"{kind}.{field}"] for kind, field in self.fields(split.visible)]
        hidden = self.labels_as_inputs
        if not 0 <= hidden < 1:
            todo = "give 0, or the share that a step hides"
            raise SettingsError("labels_as_inputs is a share below 1", given=hidden, todo=todo)
        return [AskedLabels(s.labels.target, s.labels.kind, s.train, s.labels.truth(s.train), hidden=hidden) for s in splits]
