"""Propagation without weights."""

from torch import Tensor

from mmgraph.model.contract import Layer, checked_share
from mmgraph.model.messages import products
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class LightGcn(Layer):
    """Sum over relations of neighbours / sqrt(deg(source) deg(target)); nothing is learned (He et al. 2020, arXiv 2002.02126, equation 3).

    As relations share nothing to be learned, all of them between two kinds are one matrix (``Block.symmetric``), however many there are.

    The network adds neither norm nor activation nor residual to it, and ``model.jumping: auto`` is the mean of all layers
    (equation 4); ``gamma``: the share of the input's vector in it, that of one layer when not given.
    """

    linear = True
    jumping = "mean"

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, gamma: float | None = None) -> None:
        super().__init__()
        self.first = None if gamma is None else checked_share(gamma)

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        return products(block, block.symmetric, rows)
