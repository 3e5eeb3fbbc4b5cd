"""Nuclear 3-norm."""

import torch
from jaxtyping import Float
from torch import Tensor

from mmgraph.model.contract import Regulariser


class N3(Regulariser):
    """weight * sum over factors of sum |x|^3, mean over links (Lacroix et al. 2018, arXiv 1806.07297, equation 6)."""

    def __init__(self, *, weight: float = 1e-2) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, factors: tuple[Tensor, ...]) -> Float[Tensor, ""]:
        """See Regulariser."""
        return self.weight * torch.stack([factor.pow(3).sum(1).mean() for factor in factors]).sum()
