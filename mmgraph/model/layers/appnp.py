"""Personalised propagation."""

from torch import Tensor

from mmgraph.model.contract import Layer
from mmgraph.model.messages import smoothed
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Appnp(Layer):
    """A step of personalised PageRank: (1 - restart) smoothed neighbours + restart the item's first vector (Gasteiger et al. 2019, arXiv
    1810.05997, equation 4); ``model.depth`` of them, 10 in the paper.

    They propagate predictions; a linear head makes these from vectors, and so it is the same whether it comes first or last.
    """

    linear = True
    activation = "before"
    jumping = "last"

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, restart: float = 0.1) -> None:
        super().__init__()
        self.restart = restart

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer; the network mixes the first vectors in."""
        return smoothed(block, rows)
