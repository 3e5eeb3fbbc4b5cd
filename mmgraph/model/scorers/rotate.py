"""A relation as a rotation of complex numbers."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Metric, Scorer, of_relation
from mmgraph.model.scorers.complex import conjugate, even, modulus, product

_CELLS = 1 << 22  # differences held at once


class RotatE(Scorer):
    """margin - sum of |h e^(i phase_r) - h'| over the complex components (Sun et al. 2019, arXiv 1902.10197, equations 4 and 5).

    The first half of a vector is its real part, the second its imaginary part, so the width must be even.
    """

    metric: ClassVar[Metric | None] = "distance"

    def __init__(self, width: int, relations: int = 1, *, margin: float = 9.0) -> None:
        super().__init__()
        even(width, "rotate")
        self.margin = margin
        self.phase = nn.Parameter((torch.rand(relations, width // 2) * 2 - 1) * torch.pi)

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer."""
        return product(rows, self._rotation(relation))

    def inverse(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"]) -> Float[Tensor, "n width"]:
        """See Scorer: turned back, which keeps distances."""
        return product(rows, conjugate(self._rotation(relation)))

    def pairs(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
        """See Scorer."""
        return self.margin - modulus(source - target).sum(-1)

    def matrix(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """See Scorer; in blocks of sources, so that memory is bounded without a gradient."""
        if not source.shape[0] or not target.shape[0]:
            return source.new_zeros(source.shape[0], target.shape[0])
        step = max(1, _CELLS // target.numel())
        parts = [modulus(part[:, None] - target[None]).sum(-1) for part in torch.split(source, step)]
        return self.margin - torch.cat(parts)

    def _rotation(self, relation: Tensor | None) -> Tensor:
        phase = of_relation(self.phase, relation)
        return torch.cat([phase.cos(), phase.sin()], -1)
