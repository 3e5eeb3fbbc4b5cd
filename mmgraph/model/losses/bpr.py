"""Bayesian personalised ranking."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, masked_mean


class BPR(LinkLoss):
    """-log s(p - n), mean over negatives (Rendle et al. 2009, BPR, section 4.1)."""

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return masked_mean(F.softplus(negative - positive[:, None]), use)
