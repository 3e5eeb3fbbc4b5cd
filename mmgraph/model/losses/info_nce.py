"""Contrastive loss."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss


class InfoNCE(LinkLoss):
    """Cross-entropy of the true one among itself and the negatives (van den Oord et al. 2018, arXiv 1807.03748, equation 4).

    ``temperature`` divides the scores.
    """

    def __init__(self, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        masked = torch.where(use, negative, torch.full_like(negative, -torch.inf))
        scores = torch.cat([positive[:, None], masked], 1) / self.temperature
        return (torch.logsumexp(scores, 1) - scores[:, 0]).mean()
