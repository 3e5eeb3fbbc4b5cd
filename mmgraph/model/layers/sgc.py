"""Smoothing alone."""

from torch import Tensor

from mmgraph.model.contract import Layer
from mmgraph.model.messages import smoothed
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Sgc(Layer):
    """The symmetric mean of an item and its neighbours in all relations; nothing is learned (Wu et al. 2019, arXiv 1902.07153, equation 8).

    With the linear head of a field ``model.depth`` of these are their model: smooth, then a logistic regression, here with the projection
    of the features learnt as well.
    """

    linear = True
    jumping = "last"

    def __init__(self, relations: list[Relation], kinds: list[str], width: int) -> None:
        super().__init__()

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        return smoothed(block, rows)
