"""Attention that depends on how a relation sees both ends."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgraph.model.contract import Layer
from mmgraph.model.messages import edge_dot, joint_softmax, weighted_sum
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Kgat(Layer):
    """leaky_relu(W_1 (h + n)) + leaky_relu(W_2 (h * n)), n the mean of an item's neighbours of all relations, weighted by attention.

    KGAT (Wang et al. 2019, arXiv 1905.07854): attention of an item h to its neighbour t through r is (W_r t)^T tanh(W_r h + e_r), in a
    softmax over all neighbours (equations 3 to 5); both are joined by the bi-interaction aggregator (equation 8). The attention is learnt
    by the task's loss; the paper computes it once an epoch, and learns W_r and e_r by TransR beside it. ``slope`` of the leaky relu.
    """

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, slope: float = 0.2) -> None:
        super().__init__()
        self.slope = slope
        self.number = {relation: place for place, relation in enumerate(relations)}
        self.relation = nn.Parameter(torch.randn(len(relations), width) * width**-0.5)
        self.of_relation = nn.Parameter(torch.empty(len(relations), width, width))
        for matrix in self.of_relation:
            nn.init.xavier_uniform_(matrix)
        self.both, self.alike = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {}
        for kind, count in block.num_targets.items():
            into = {r: a for r, a in block.relations.items() if r.target == kind}
            own = rows[kind][:count]
            heard = self._heard(rows, into, own) if into else torch.zeros_like(own)
            out[kind] = F.leaky_relu(self.both(own + heard), self.slope) + F.leaky_relu(self.alike(own * heard), self.slope)
        return out

    def _heard(self, rows: dict[str, Tensor], into: dict[Relation, Adjacency], targets: Tensor) -> Tensor:
        logits = [self._logits(rows[r.source], targets, r, adjacency) for r, adjacency in into.items()]
        weights = joint_softmax(list(into.values()), logits)
        total = torch.zeros_like(targets)
        for (relation, adjacency), weight in zip(into.items(), weights, strict=True):
            total = total + weighted_sum(adjacency, rows[relation.source][:, None], weight)[:, 0]
        return total

    def _logits(self, sources: Tensor, targets: Tensor, relation: Relation, adjacency: Adjacency) -> Tensor:
        """[edges, 1]; maps are applied once a node, not once an edge."""
        number = self.number[relation]
        matrix = self.of_relation[number]
        seen = torch.tanh(targets @ matrix.T + self.relation[number])
        return edge_dot(adjacency, (sources @ matrix.T)[:, None], seen[:, None])
