"""Propagation without weights whose norms and pooling can be set."""

import torch.nn.functional as F
from torch import Tensor

from mmgraph.model.contract import Layer, checked_share
from mmgraph.model.messages import products
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class LightGcnPp(Layer):
    """Sum over relations of deg(target)^-alpha sum over neighbours of deg(source)^-beta h / |h|; nothing is learned.

    LightGCN++ (Lee et al. 2024, Revisiting LightGCN: Unexpected Inflexibility, Inconsistency, and A Remedy Towards Improved
    Recommendation, RecSys, section 4): ``alpha`` scales the norm of what an item hears by its own links, ``beta`` weighs its neighbours by
    theirs, vectors of length 1 are passed on, and ``gamma`` is the share of the input's vector beside the mean of the layers'. The
    defaults are those of the authors' code for LastFM, Gowalla and Amazon-Book; ``light_gcn`` has alpha and beta .5 and no norm.
    """

    linear = True
    jumping = "mean"

    def __init__(
        self,
        relations: list[Relation],
        kinds: list[str],
        width: int,
        *,
        alpha: float = 0.6,
        beta: float = -0.1,
        gamma: float = 0.2,
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.first = alpha, beta, checked_share(gamma)

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        unit = {kind: F.normalize(x, dim=1) for kind, x in rows.items()}
        return products(block, block.scaled(self.alpha, self.beta), unit)
