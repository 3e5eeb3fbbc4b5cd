"""Relational graph convolution with shared bases."""

import torch
from torch import Tensor, nn

from mmgraph.model.contract import Layer, named
from mmgraph.model.messages import copy_mean
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Rgcn(Layer):
    """W_kind h + sum over relations of W_r mean(h of the neighbours), W_r = sum over bases of a_rb V_b.

    Schlichtkrull et al. 2018 (arXiv 1703.06103, equations 2 and 3), with the mean as normalisation. ``bases``: 0 gives every
    relation a matrix of its own.
    """

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, bases: int = 0) -> None:
        super().__init__()
        self.itself = nn.ModuleDict({named(kind): nn.Linear(width, width) for kind in kinds})
        self.number = {relation: place for place, relation in enumerate(relations)}
        count = bases or max(len(relations), 1)
        self.basis = nn.Parameter(torch.empty(count, width, width))
        nn.init.xavier_uniform_(self.basis)
        shares = torch.randn(len(relations), count) * count**-0.5 if bases else torch.eye(len(relations), count)
        self.share = nn.Parameter(shares, requires_grad=bool(bases))

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {kind: self.itself[named(kind)](rows[kind][:count]) for kind, count in block.num_targets.items()}
        for relation, adjacency in block.relations.items():
            weight = torch.einsum("b,bij->ij", self.share[self.number[relation]], self.basis)
            out[relation.target] = out[relation.target] + copy_mean(adjacency, rows[relation.source]) @ weight
        return out
