"""A weighted mean of the parts, whose weights are learned."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.model.contract import Readout
from mmgraph.model.messages import edge_softmax, to_edges, weighted_sum
from mmgraph.sample.adjacency import Adjacency


class Attention(Readout):
    """Part k weighs softmax over the parts of w . (tanh(V h_k) * sigmoid(U h_k)).

    Ilse et al. 2018, Attention-based deep multiple instance learning (arXiv 1802.04712, equation 9). hidden: rows of V and U, 0 is the
    width.
    """

    def __init__(self, width: int, *, hidden: int = 0) -> None:
        super().__init__(width)
        hidden = hidden or width
        self.content, self.gate = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, 1, bias=False)

    def forward(self, rows: Float[Tensor, "parts width"], members: Adjacency) -> Float[Tensor, "wholes wide"]:
        """See Readout."""
        logits = self.out(torch.tanh(self.content(rows)) * torch.sigmoid(self.gate(rows)))
        weight = edge_softmax(members, to_edges(members, logits, "source"))
        return weighted_sum(members, rows[:, None], weight).flatten(1)
