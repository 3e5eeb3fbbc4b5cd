"""Inner product."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Scorer, one_relation


class Dot(Scorer):
    """<S h, T h'>: with ``heads`` each side of the relation has a linear map of its own, so that a directed relation can be told
    from its reverse; without, it is the plain inner product (Koren et al. 2009, Matrix Factorization Techniques for Recommender
    Systems, equation 1). Divided by the root of the width, so that a score does not grow with it.
    """

    def __init__(self, width: int, relations: int = 1, *, heads: bool = True) -> None:
        super().__init__()
        one_relation("dot", relations)
        self.of_source = nn.Linear(width, width, bias=False) if heads else nn.Identity()
        self.of_target = nn.Linear(width, width, bias=False) if heads else nn.Identity()
        self.scale = width**-0.5

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return self.of_source(rows) * self.scale

    def target(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return self.of_target(rows)
