"""Softmax over the true one and its candidates, with smoothed labels."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, corrected
from mmgraph.model.log_total import log_total
from mmgraph.sample.batch import LogQ


class CrossEntropy(LinkLoss):
    """With the negative sampler ``every`` this is 1-vs-all training (Lacroix et al. 2018, arXiv 1806.07297, section 2).

    label_smoothing: share of the truth that is spread evenly over all candidates (Szegedy et al. 2016, section 7). log_q: subtracted
    from the scores of ``negatives``, or of ``all``, where candidates are drawn (see ``corrected``).
    """

    def __init__(self, *, label_smoothing: float = 0.0, log_q: Literal["none", "negatives", "all"] = "none") -> None:
        super().__init__()
        self.label_smoothing, self.log_q = label_smoothing, log_q

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return self.drawn(positive, negative, use, None)

    def drawn(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"], log_q: LogQ | None
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        positive, negative = corrected(positive, negative, log_q, self.log_q)
        total = log_total(positive, negative, use)
        loss = total - positive
        if self.label_smoothing:
            held = torch.where(use, negative, torch.zeros_like(negative)).sum(1) + positive
            mean = held / (use.sum(1) + 1)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * (total - mean)
        return loss.mean()
