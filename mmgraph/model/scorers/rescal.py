"""Full bilinear."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Scorer, of_relation


class Rescal(Scorer):
    """h' W_r h with a learned matrix a relation (Nickel et al. 2011, A Three-Way Model for Collective Learning, equation 2)."""

    def __init__(self, width: int, relations: int = 1) -> None:
        super().__init__()
        noise = torch.randn(relations, width, width) * width**-1.0
        self.relation = nn.Parameter((torch.eye(width) + noise) * width**-0.5)

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer."""
        if relation is None:
            return rows @ self.relation[0]
        return torch.bmm(rows[:, None], of_relation(self.relation, relation)).squeeze(1)

    def inverse(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return torch.bmm(of_relation(self.relation, relation), rows[:, :, None]).squeeze(-1)

    def factors(
        self, source: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None, target: Float[Tensor, "n width"]
    ) -> tuple[Float[Tensor, "n any"], ...]:
        """See Scorer."""
        return source.abs(), of_relation(self.relation, relation).flatten(1).abs(), target.abs()
