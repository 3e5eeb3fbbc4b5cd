"""Logistic loss in which hard negatives weigh more."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss


class SelfAdversarial(LinkLoss):
    """-log s(p) - sum over negatives of w log s(-n), w the softmax of n / temperature, through which no gradient flows.

    Sun et al. 2019 (arXiv 1902.10197, equations 5 and 6; their alpha is 1 / temperature; their margin is the scorer's here).
    """

    def __init__(self, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss; a link without negatives has the first term alone."""
        if not negative.shape[1]:
            return F.softplus(-positive).mean()
        lowest = torch.finfo(negative.dtype).min
        logits = torch.where(use, negative.detach() / self.temperature, lowest)
        weight = torch.softmax(logits, 1) * use
        losses = torch.where(use, F.softplus(negative), torch.zeros_like(negative))
        return (F.softplus(-positive) + (weight * losses).sum(1)).mean()
