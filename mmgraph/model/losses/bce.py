"""Binary cross-entropy."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, masked_mean


class BCE(LinkLoss):
    """-log s(p) - mean over negatives of log s(-n), s the logistic function (Mikolov et al. 2013, arXiv 1310.4546, equation 4).

    ``negative_weight`` scales the second term (1: both sides weigh the same, whatever the number of negatives).
    """

    def __init__(self, *, negative_weight: float = 1.0) -> None:
        super().__init__()
        self.negative_weight = negative_weight

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return F.softplus(-positive).mean() + self.negative_weight * masked_mean(F.softplus(negative), use)
