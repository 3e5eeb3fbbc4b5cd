"""Several looks at the parts, each asked by what was seen before."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Readout
from mmgraph.model.messages import edge_softmax, to_edges, weighted_sum
from mmgraph.sample.adjacency import Adjacency


class Set2Set(Readout):
    """q = LSTM(q*), weights softmax over the parts of h . q, r their weighted sum, q* = [q, r]; the last q*, of twice the width.

    Vinyals et al. 2016, Order matters: sequence to sequence for sets (arXiv 1511.06391, equations 3 to 7). steps: looks at the parts.
    """

    def __init__(self, width: int, *, steps: int = 3) -> None:
        super().__init__(width)
        if steps < 1:
            raise SettingsError("set2set needs a step at least", given=steps)
        self.steps, self.wide = steps, 2 * width
        self.controller = nn.LSTMCell(2 * width, width)

    def forward(self, rows: Float[Tensor, "parts width"], members: Adjacency) -> Float[Tensor, "wholes wide"]:
        """See Readout."""
        seen = rows.new_zeros(members.num_targets, self.wide)
        query, memory = rows.new_zeros(2, members.num_targets, rows.shape[1]).unbind()
        parts = to_edges(members, rows, "source")
        for _ in range(self.steps):
            query, memory = self.controller(seen, (query, memory))
            logits = (parts * to_edges(members, query, "target")).sum(1, keepdim=True)
            read = weighted_sum(members, rows[:, None], edge_softmax(members, logits)).flatten(1)
            seen = torch.cat([query, read], 1)
        return seen
