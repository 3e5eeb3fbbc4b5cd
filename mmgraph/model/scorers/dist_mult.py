"""Diagonal bilinear."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Scorer, of_relation


class DistMult(Scorer):
    """<h, r, h'> with a learned vector r a relation (Yang et al. 2015, arXiv 1412.6575); symmetric by construction."""

    def __init__(self, width: int, relations: int = 1) -> None:
        super().__init__()
        start = torch.ones(1, width) if relations == 1 else torch.randn(relations, width)
        self.relation = nn.Parameter(start * width**-0.5)

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return rows * of_relation(self.relation, relation)

    def inverse(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return self.source(rows, relation)

    def factors(
        self, source: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None, target: Float[Tensor, "n width"]
    ) -> tuple[Float[Tensor, "n any"], ...]:
        """See Scorer."""
        return source.abs(), of_relation(self.relation, relation).abs(), target.abs()
