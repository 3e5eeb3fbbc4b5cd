"""Random propagation."""

from torch import Tensor

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Layer
from mmgraph.model.messages import smoothed
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Grand(Layer):
    """Mean over 0 to ``model.depth`` smoothing steps of inputs from which items were dropped (Feng et al. 2020, arXiv 2005.11079,
    section 3.1: drop_items .5 and 8 steps for Cora), then activation and dropout.

    The first linear map comes before the steps here and after them in the paper: both are linear, so it is the same but for where the
    dropout of the features falls, and the steps are as narrow as ``model.width``. Several draws that must agree (section 3.2) are
    ``Categories(method: consistency)``.
    """

    linear = True
    activation = "after"
    jumping = "mean"

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, drop_items: float = 0.5) -> None:
        super().__init__()
        if not 0 <= drop_items < 1:
            raise SettingsError("drop_items is a probability below 1", given=drop_items, todo="0.5 is the paper's")
        self.drop_items = drop_items

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer; the network drops the items and takes the mean."""
        return smoothed(block, rows)
