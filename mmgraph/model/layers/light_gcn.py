"""Propagation without weights."""

from torch import Tensor

from mmgraph.model.contract import Layer
from mmgraph.model.messages import symmetric_sum
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class LightGcn(Layer):
    """Sum over relations of neighbours / sqrt(deg(source) deg(target)); nothing is learned (He et al. 2020, arXiv 2002.02126, equation 3).

    The network adds neither norm nor activation nor residual to it, and ``model.jumping: auto`` is the mean of all layers
    (equation 4).
    """

    linear = True
    jumping = "mean"

    def __init__(self, relations: list[Relation], kinds: list[str], width: int) -> None:
        super().__init__()

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {kind: rows[kind].new_zeros(count, rows[kind].shape[1]) for kind, count in block.num_targets.items()}
        for relation, adjacency in block.relations.items():
            out[relation.target] = out[relation.target] + symmetric_sum(adjacency, rows[relation.source])
        return out
