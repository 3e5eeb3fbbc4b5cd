"""Hinge on the difference."""

from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, masked_mean


class Margin(LinkLoss):
    """max(0, margin - p + n), mean over negatives (Bordes et al. 2013, Translating Embeddings, equation 1)."""

    def __init__(self, *, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return masked_mean((self.margin - positive[:, None] + negative).clamp(min=0), use)
