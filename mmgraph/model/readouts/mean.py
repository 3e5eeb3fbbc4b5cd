"""The mean of the parts."""

from jaxtyping import Float
from torch import Tensor

from mmgraph.model.contract import Readout
from mmgraph.model.messages import copy_mean
from mmgraph.sample.adjacency import Adjacency


class Mean(Readout):
    """Component by component (mean pooling, as in Zaheer et al. 2017, Deep Sets, arXiv 1703.06114)."""

    def forward(self, rows: Float[Tensor, "parts width"], members: Adjacency) -> Float[Tensor, "wholes wide"]:
        """See Readout."""
        return copy_mean(members, rows)
