"""Diagonal bilinear."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.model.contract import Scorer


class DistMult(Scorer):
    """<h, r, h'> with a learned vector r for the relation (Yang et al. 2015, arXiv 1412.6575); symmetric by construction."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.relation = nn.Parameter(torch.ones(width) * width**-0.5)

    def source(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return rows * self.relation

    def pairs(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
        """See Scorer."""
        return (source * target).sum(-1)

    def matrix(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """See Scorer."""
        return source @ target.T
