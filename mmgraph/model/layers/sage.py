"""GraphSAGE with mean aggregation, one map a relation."""

import torch
from torch import Tensor, nn

from mmgraph.model.contract import Layer, named
from mmgraph.model.messages import copy_mean
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Sage(Layer):
    """W_kind h + sum over relations of W_r mean(h of the neighbours) / sqrt(relations into the kind).

    Hamilton et al. 2017 (arXiv 1706.02216, algorithm 1, mean), with relation-wise maps as in R-GCN (Schlichtkrull et al. 2018,
    equation 2); the root keeps the variance when many relations meet. With one relation it is DGL's ``SAGEConv('mean')``.
    """

    def __init__(self, relations: list[Relation], kinds: list[str], width: int) -> None:
        super().__init__()
        self.itself = nn.ModuleDict({named(kind): nn.Linear(width, width) for kind in kinds})
        self.neighbours = nn.ModuleDict({named(r): nn.Linear(width, width, bias=False) for r in relations})
        into = [r.target for r in relations]
        self.scale = {kind: max(into.count(kind), 1) ** -0.5 for kind in kinds}

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {kind: self.itself[named(kind)](rows[kind][:count]) for kind, count in block.num_targets.items()}
        for relation, adjacency in block.relations.items():
            heard = self.neighbours[named(relation)](copy_mean(adjacency, rows[relation.source]))
            out[relation.target] = torch.add(out[relation.target], heard, alpha=self.scale[relation.target])
        return out
