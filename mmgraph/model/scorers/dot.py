"""Inner product."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.model.contract import Scorer


class Dot(Scorer):
    """<S h, T h'>: with ``heads`` each side of the relation has a linear map of its own, so that a directed relation can be told
    from its reverse; without, it is the plain inner product. ``cosine`` normalises both sides.
    """

    def __init__(self, width: int, *, heads: bool = True, cosine: bool = False) -> None:
        super().__init__()
        self.cosine = cosine
        self.of_source = nn.Linear(width, width, bias=False) if heads else nn.Identity()
        self.of_target = nn.Linear(width, width, bias=False) if heads else nn.Identity()
        self.scale = 1.0 if cosine else width**-0.5

    def source(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return self._ready(self.of_source(rows)) * self.scale

    def target(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return self._ready(self.of_target(rows))

    def pairs(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
        """See Scorer."""
        return (source * target).sum(-1)

    def matrix(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """See Scorer."""
        return source @ target.T

    def _ready(self, rows: Tensor) -> Tensor:
        return F.normalize(rows, dim=-1) if self.cosine else rows
