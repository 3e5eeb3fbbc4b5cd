"""Squared length."""

import torch
from jaxtyping import Float
from torch import Tensor

from mmgraph.model.contract import Regulariser


class L2(Regulariser):
    """weight * sum over factors of sum x^2, mean over links (Trouillon et al. 2016, arXiv 1606.06357, equation 12)."""

    def __init__(self, *, weight: float = 1e-3) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, factors: tuple[Tensor, ...]) -> Float[Tensor, ""]:
        """See Regulariser."""
        return self.weight * torch.stack([factor.square().sum(1).mean() for factor in factors]).sum()
