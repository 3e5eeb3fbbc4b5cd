"""Cosine contrastive loss."""

from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, masked_mean


class CosineContrastive(LinkLoss):
    """1 - p + negative_weight * mean over negatives of max(0, n - margin), p and n cosines.

    Mao et al. 2021 (SimpleX, arXiv 2109.12613): negatives that are unlike enough already are left alone, so that many may be
    drawn; the paper draws up to 2,000, with margins of .4 to .9 and weights of 150 and more.
    """

    cosines: ClassVar[bool] = True

    def __init__(self, *, margin: float = 0.8, negative_weight: float = 150.0) -> None:
        super().__init__()
        self.margin, self.negative_weight = margin, negative_weight

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return (1 - positive).mean() + self.negative_weight * masked_mean((negative - self.margin).clamp(min=0), use)
