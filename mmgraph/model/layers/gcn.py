"""Graph convolution, one map a relation."""

from typing import Literal

import torch
from torch import Tensor, nn

from mmgraph.model.contract import Layer, named
from mmgraph.model.messages import copy_mean, symmetric_sum
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Gcn(Layer):
    """W_kind h + sum over relations of W_r (normalised sum of the neighbours' h) / sqrt(relations into the kind).

    norm: ``symmetric``, 1 / sqrt(deg(source) deg(target)) (Kipf and Welling 2017, arXiv 1609.02907, equation 2), or ``mean``,
    1 / deg(target), the row-normalised form. With one relation it is DGL's ``GraphConv`` with norm both or right. In sampled
    batches degrees count the sampled neighbours.
    """

    def __init__(
        self, relations: list[Relation], kinds: list[str], width: int, *, norm: Literal["symmetric", "mean"] = "symmetric"
    ) -> None:
        super().__init__()
        self.norm = norm
        self.itself = nn.ModuleDict({named(kind): nn.Linear(width, width) for kind in kinds})
        self.neighbours = nn.ModuleDict({named(r): nn.Linear(width, width, bias=False) for r in relations})
        into = [r.target for r in relations]
        self.scale = {kind: max(into.count(kind), 1) ** -0.5 for kind in kinds}

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {kind: self.itself[named(kind)](rows[kind][:count]) for kind, count in block.num_targets.items()}
        gather = symmetric_sum if self.norm == "symmetric" else copy_mean
        for relation, adjacency in block.relations.items():
            heard = self.neighbours[named(relation)](gather(adjacency, rows[relation.source]))
            out[relation.target] = torch.add(out[relation.target], heard, alpha=self.scale[relation.target])
        return out
