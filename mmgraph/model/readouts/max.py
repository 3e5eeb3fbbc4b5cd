"""The largest of the parts."""

import torch
from jaxtyping import Float
from torch import Tensor

from mmgraph.model.contract import Readout
from mmgraph.model.messages import to_edges
from mmgraph.sample.adjacency import Adjacency


class Max(Readout):
    """Component by component (max pooling; Xu et al. 2019, How powerful are graph neural networks, arXiv 1810.00826, section 5.2:
    it tells which parts there are, not how many).
    """

    def forward(self, rows: Float[Tensor, "parts width"], members: Adjacency) -> Float[Tensor, "wholes wide"]:
        """See Readout."""
        if not members.sources.numel():
            return rows.new_zeros(members.num_targets, rows.shape[1])
        largest = torch.segment_reduce(to_edges(members, rows, "source"), "max", offsets=members.indptr, initial=-torch.inf)
        return torch.where(members.degree[:, None] > 0, largest, torch.zeros_like(largest))
