"""Graph attention, one set of maps a relation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.model.attention import attend
from mmgraph.model.contract import Layer, named
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class _Attention(nn.Module):
    """One relation; with equal weights it is DGL's ``GATConv`` on (source, target) pairs without bias."""

    def __init__(self, width: int, heads: int, slope: float) -> None:
        super().__init__()
        self.heads, self.slope = heads, slope
        self.of_source = nn.Linear(width, width, bias=False)
        self.of_target = nn.Linear(width, width, bias=False)
        self.left = nn.Parameter(torch.empty(heads, width // heads))
        self.right = nn.Parameter(torch.empty(heads, width // heads))
        nn.init.xavier_normal_(self.left)
        nn.init.xavier_normal_(self.right)

    def forward(self, adjacency: Adjacency, source: Tensor, target: Tensor) -> Tensor:
        """[sources, width], [targets, width] -> [targets, width]."""
        rows = self.of_source(source).unflatten(-1, (self.heads, -1))
        left, right = self._part(source, self.of_source, self.left), self._part(target, self.of_target, self.right)
        return attend(adjacency, rows, left, right, self.slope).flatten(1)

    @staticmethod
    def _part(rows: Tensor, of: nn.Linear, vectors: Tensor) -> Tensor:
        """<a, W h> of every head as one map of h: <W' a, h>."""
        maps = of.weight.view(*vectors.shape, -1)
        return F.linear(rows, (maps * vectors[..., None]).sum(1))


class Gat(Layer):
    """W_kind h + sum over relations of attention / sqrt(relations into the kind).

    Velickovic et al. 2018 (arXiv 1710.10903, equations 1 to 5). ``heads`` must divide the width; ``slope`` of the leaky relu.
    """

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, heads: int = 4, slope: float = 0.2) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise SettingsError("model.layer.heads must divide model.width", given=f"{heads} heads, width {width}")
        self.itself = nn.ModuleDict({named(kind): nn.Linear(width, width) for kind in kinds})
        self.attention = nn.ModuleDict({named(r): _Attention(width, heads, slope) for r in relations})
        into = [r.target for r in relations]
        self.scale = {kind: max(into.count(kind), 1) ** -0.5 for kind in kinds}

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {kind: self.itself[named(kind)](rows[kind][:count]) for kind, count in block.num_targets.items()}
        for relation, adjacency in block.relations.items():
            target = rows[relation.target][: block.num_targets[relation.target]]
            heard = self.attention[named(relation)](adjacency, rows[relation.source], target)
            out[relation.target] = torch.add(out[relation.target], heard, alpha=self.scale[relation.target])
        return out
