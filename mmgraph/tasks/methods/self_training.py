"""The network's own answers, where it may be trusted, are labels as well."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mmgraph.errors import SettingsError
from mmgraph.sample.batch import LabelBatch
from mmgraph.split.contract import LabelSplit
from mmgraph.tasks.method import LabelMethod

_FEWEST = 10  # validation items that a threshold is chosen by


class SelfTraining(LabelMethod):
    """weight * mean cross-entropy on the items without a training label whose best class is probable enough, with that class as label (Lee
    2013, Pseudo-Label, equation 15).

    Enough is what validation says, anew after every epoch: the lowest probability from which on its items are right in ``precision`` of
    the cases. after: epochs without. Validation items get no such labels, all others may. It looks at all items in a step, so the
    batches are those of the whole graph.
    """

    classes: Tensor
    epochs: Tensor

    def __init__(self, split: LabelSplit, *, precision: float = 0.95, weight: float = 1.0, after: int = 20) -> None:
        super().__init__()
        if not len(split.valid):
            todo = "set split.labels.valid above 0, or leave self_training out"
            raise SettingsError(f"self_training needs validation labels of {split.labels.target}", given="none", todo=todo)
        if not 0 < precision <= 1:
            raise SettingsError("self_training.precision is a share", given=precision, todo="give a number up to 1")
        self.precision, self.weight, self.after = precision, weight, after
        self.register_buffer("classes", torch.full((len(split.labels.values),), -1))  # in checkpoints: a resumed run has them
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        taken = torch.zeros(len(split.labels.values), dtype=torch.bool)
        taken[torch.from_numpy(split.train)] = taken[torch.from_numpy(split.valid)] = True
        self.register_buffer("taken", taken, persistent=False)

    def forward(self, logits: Sequence[Float[Tensor, "items classes"]], labelled: LabelBatch) -> Float[Tensor, ""]:
        """See LabelMethod; zero where no item is sure enough."""
        if len(logits[0]) != len(self.classes):
            todo = "set model.batches.mode: full, or leave self_training out"
            raise SettingsError("self_training looks at all items in a step", given=f"{len(logits[0])} of them", todo=todo)
        sure = self.classes >= 0
        if not sure.any():
            return logits[0].sum() * 0.0
        return self.weight * torch.stack([F.cross_entropy(one[sure], self.classes[sure]) for one in logits]).mean()

    @torch.no_grad()
    def validated(
        self, logits: Float[Tensor, "items classes"], items: Int[Tensor, "valid"], classes: Int[Tensor, "valid"]
    ) -> None:
        """See LabelMethod."""
        self.epochs += 1
        if self.epochs < self.after:
            return
        probability, called = torch.softmax(logits.float(), 1).max(1)
        enough = threshold(probability[items], called[items] == classes.to(called.device), self.precision)
        sure = (probability >= enough) & ~self.get_buffer("taken").to(called.device)
        self.classes.copy_(torch.where(sure, called, -1))


def threshold(probability: Float[Tensor, "n"], right: Tensor, precision: float) -> float:
    """The lowest probability from which on at least ``precision`` are right, of ten items or more; infinity where there is none.

    >>> p = torch.tensor([0.9] * 10 + [0.5])
    >>> round(threshold(p, torch.tensor([True] * 10 + [False]), 1.0), 2), threshold(p, torch.zeros(11, dtype=torch.bool), 0.5)
    (0.9, inf)
    """
    ordered, order = probability.sort(descending=True)
    share = right[order].float().cumsum(0) / torch.arange(1, len(order) + 1, device=order.device)
    last = torch.cat([ordered[1:] < ordered[:-1], torch.ones(1, dtype=torch.bool, device=order.device)])  # of equal ones
    fits = (share >= precision) & last
    fits[: _FEWEST - 1] = False
    return float(ordered[fits.nonzero().max()]) if fits.any() else float("inf")
