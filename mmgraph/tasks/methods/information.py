"""Answers are to be sure one by one, and varied together."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mmgraph.errors import SettingsError
from mmgraph.sample.batch import LabelBatch
from mmgraph.split.contract import LabelSplit
from mmgraph.tasks.method import LabelMethod


class Information(LabelMethod):
    """weight * (conditional * mean entropy of the items' p - entropy of their mean p), over all items of a step, labelled or not.

    Minus the mutual information of items and classes: Boudiaf et al. 2020 (TIM, arXiv 2008.11297, equation 3), after Krause, Perona & Gomes
    2010. It takes the classes to be about as frequent as each other; where they are not, a smaller weight is in place. conditional: alpha
    in the paper, whose lambda is 1 over ``weight``.
    """

    def __init__(self, split: LabelSplit, *, weight: float = 10.0, conditional: float = 0.1) -> None:
        super().__init__()
        if weight < 0 or conditional < 0:
            given = f"weight {weight}, conditional {conditional}"
            raise SettingsError("information takes no negative shares", given=given, todo="0 or more")
        self.weight, self.conditional = weight, conditional

    def forward(self, logits: Sequence[Float[Tensor, "items classes"]], labelled: LabelBatch) -> Float[Tensor, ""]:
        """See LabelMethod."""
        return self.weight * torch.stack([self._one(one) for one in logits]).mean()

    def _one(self, logits: Float[Tensor, "items classes"]) -> Float[Tensor, ""]:
        log_p = torch.log_softmax(logits.float(), 1)
        each = -(log_p.exp() * log_p).sum(1).mean()
        mean = torch.logsumexp(log_p, 0) - torch.log(torch.tensor(float(len(log_p)), device=log_p.device))
        return self.conditional * each + (mean.exp() * mean).sum()
