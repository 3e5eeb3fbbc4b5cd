"""Dynamic graph attention, one set of maps a relation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Layer, named
from mmgraph.model.messages import edge_softmax, to_edges, weighted_sum
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class _Attention(nn.Module):
    """One relation; with equal weights it is DGL's ``GATv2Conv`` on (source, target) pairs without bias."""

    def __init__(self, width: int, heads: int, slope: float) -> None:
        super().__init__()
        self.heads, self.slope = heads, slope
        self.of_source = nn.Linear(width, width, bias=False)
        self.of_target = nn.Linear(width, width, bias=False)
        self.attend = nn.Parameter(torch.empty(heads, width // heads))
        nn.init.xavier_normal_(self.attend)

    def forward(self, adjacency: Adjacency, source: Tensor, target: Tensor) -> Tensor:
        """[sources, width], [targets, width] -> [targets, width]."""
        rows, seen = self.of_source(source), self.of_target(target)
        both = to_edges(adjacency, rows, "source") + to_edges(adjacency, seen, "target")
        active = F.leaky_relu(both, self.slope).view(-1, *self.attend.shape)
        logits = (active * self.attend).sum(-1)
        return weighted_sum(adjacency, rows.unflatten(-1, (self.heads, -1)), edge_softmax(adjacency, logits)).flatten(1)


class GatV2(Layer):
    """W_kind h + sum over relations of attention / sqrt(relations into the kind).

    Brody et al. 2022 (arXiv 2105.14491, equation 7). ``heads`` must divide the width; ``slope`` of the leaky relu. Unlike ``gat``
    it holds [edges, width] numbers a relation, since the target is added before the nonlinearity.
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
