"""Graph convolution, one map a relation or one for all."""

from typing import Literal

import torch
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Layer, named
from mmgraph.model.messages import copy_mean, smoothed, symmetric_sum
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Gcn(Layer):
    """W_kind h + sum over relations of W_r (normalised sum of the neighbours' h) / sqrt(relations into the kind).

    norm: ``symmetric``, 1 / sqrt(deg(source) deg(target)) (Kipf and Welling 2017, arXiv 1609.02907, equation 2), or ``mean``,
    1 / deg(target), the row-normalised form. With one relation it is DGL's ``GraphConv`` with norm both or right. In sampled
    batches degrees count the sampled neighbours.

    maps: ``relation``, as above, or ``shared``: W_kind of the symmetric mean of the item itself and its neighbours in all relations, which
    on a graph of one kind is their layer as published. It has fewer weights, and wants them where few items are labelled.

    Raises SettingsError for shared maps with the norm ``mean``.
    """

    def __init__(
        self,
        relations: list[Relation],
        kinds: list[str],
        width: int,
        *,
        norm: Literal["symmetric", "mean"] = "symmetric",
        maps: Literal["relation", "shared"] = "relation",
    ) -> None:
        super().__init__()
        if maps == "shared" and norm != "symmetric":
            raise SettingsError("model.layer.norm must be symmetric where maps are shared", given=norm, todo="leave it out")
        self.norm, self.maps = norm, maps
        self.itself = nn.ModuleDict({named(kind): nn.Linear(width, width) for kind in kinds})
        apart = relations if maps == "relation" else []
        self.neighbours = nn.ModuleDict({named(r): nn.Linear(width, width, bias=False) for r in apart})
        into = [r.target for r in relations]
        self.scale = {kind: max(into.count(kind), 1) ** -0.5 for kind in kinds}

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        if self.maps == "shared":
            return {kind: self.itself[named(kind)](heard) for kind, heard in smoothed(block, rows).items()}
        out = {kind: self.itself[named(kind)](rows[kind][:count]) for kind, count in block.num_targets.items()}
        gather = symmetric_sum if self.norm == "symmetric" else copy_mean
        for relation, adjacency in block.relations.items():
            heard = self.neighbours[named(relation)](gather(adjacency, rows[relation.source]))
            out[relation.target] = torch.add(out[relation.target], heard, alpha=self.scale[relation.target])
        return out
