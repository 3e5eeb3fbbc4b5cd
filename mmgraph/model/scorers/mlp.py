"""A small network on the two vectors."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.model.contract import Scorer, one_relation

_PAIRS_AT_ONCE = 1 << 18


class MLP(Scorer):
    """w . relu(A h + B h' + C (h * h')): directed through A and B, matching through C. ``hidden``: 0 is the width.

    A layer on both vectors and their product, as in neural collaborative filtering (He et al. 2017, arXiv 1708.05031, section 3.4).
    """

    def __init__(self, width: int, relations: int = 1, *, hidden: int = 0) -> None:
        super().__init__()
        one_relation("mlp", relations)
        hidden = hidden or width
        self.of_source = nn.Linear(width, hidden)
        self.of_target = nn.Linear(width, hidden, bias=False)
        self.of_product = nn.Linear(width, hidden, bias=False)
        self.out = nn.Linear(hidden, 1)

    def pairs(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
        """See Scorer."""
        hidden = self.of_source(source) + self.of_target(target) + self.of_product(source * target)
        return self.out(torch.relu(hidden)).squeeze(-1)

    def matrix(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """See Scorer; in blocks of sources, so that memory is bounded without a gradient."""
        if not source.shape[0] or not target.shape[0]:
            return source.new_zeros(source.shape[0], target.shape[0])
        step = max(1, _PAIRS_AT_ONCE // target.shape[0])
        from_target = self.of_target(target)
        return torch.cat([self._block(part, target, from_target) for part in torch.split(source, step)])

    def _block(self, source: Tensor, target: Tensor, from_target: Tensor) -> Tensor:
        product = self.of_product(source[:, None] * target[None])
        hidden = self.of_source(source)[:, None] + from_target[None] + product
        return self.out(torch.relu(hidden)).squeeze(-1)
