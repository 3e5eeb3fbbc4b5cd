"""A relation as a shift."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Metric, Scorer, of_relation


class TransE(Scorer):
    """margin - |h + r - h'| with a learned vector r a relation (Bordes et al. 2013).

    norm: of the distance, 1 or 2; margin: added, so that probable links score above 0 (Sun et al. 2019, arXiv 1902.10197, equation 5).
    """

    metric: ClassVar[Metric | None] = "distance"

    def __init__(self, width: int, relations: int = 1, *, norm: Literal[1, 2] = 1, margin: float = 9.0) -> None:
        super().__init__()
        self.norm, self.margin = norm, margin
        self.relation = nn.Parameter(torch.randn(relations, width) * width**-0.5)

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return rows + of_relation(self.relation, relation)

    def inverse(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return rows - of_relation(self.relation, relation)

    def pairs(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
        """See Scorer."""
        return self.margin - torch.linalg.vector_norm(source - target, ord=self.norm, dim=-1)

    def matrix(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """See Scorer; no [n, m, width] is held."""
        return self.margin - torch.cdist(source, target, p=self.norm, compute_mode="donot_use_mm_for_euclid_dist")
