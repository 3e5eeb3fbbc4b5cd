"""Angle between two vectors."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Scorer, one_relation


class Cosine(Scorer):
    """cos(S h, T h') / temperature, each side of the relation with a linear map of its own (``heads: false``: none).

    temperature: cosines lie within -1..1, too close together for a softmax; 0.07 is that of CLIP's start (Radford et al. 2021).
    """

    def __init__(self, width: int, relations: int = 1, *, heads: bool = True, temperature: float = 0.07) -> None:
        super().__init__()
        one_relation("cosine", relations)
        self.temperature, self.cosines = temperature, temperature == 1.0
        self.of_source = nn.Linear(width, width, bias=False) if heads else nn.Identity()
        self.of_target = nn.Linear(width, width, bias=False) if heads else nn.Identity()

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return F.normalize(self.of_source(rows), dim=-1) / self.temperature

    def target(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return F.normalize(self.of_target(rows), dim=-1)
