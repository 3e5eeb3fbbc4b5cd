"""Heterogeneous graph transformer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Layer, named
from mmgraph.model.messages import joint_softmax, to_edges, weighted_sum
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Hgt(Layer):
    """Attention over all neighbours of all relations at once, with maps by kind and by relation.

    Hu et al. 2020 (arXiv 2003.01332, equations 3 to 5): keys, values and queries by kind, one matrix a head and relation for keys and
    one for values, a learned prior a relation and head; then a gelu and a map by kind. ``heads`` must divide the width.
    The residual is the network's; an item without neighbours hears nothing.
    """

    def __init__(self, relations: list[Relation], kinds: list[str], width: int, *, heads: int = 4) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise SettingsError("model.layer.heads must divide model.width", given=f"{heads} heads, width {width}")
        self.heads, self.size = heads, width // heads
        self.key, self.value, self.query, self.out = (
            nn.ModuleDict({named(kind): nn.Linear(width, width) for kind in kinds}) for _ in range(4)
        )
        self.number = {relation: place for place, relation in enumerate(relations)}
        self.of_key = nn.Parameter(torch.empty(len(relations), heads, self.size, self.size))
        self.of_value = nn.Parameter(torch.empty(len(relations), heads, self.size, self.size))
        self.prior = nn.Parameter(torch.ones(len(relations), heads))
        for matrices in (self.of_key, self.of_value):
            nn.init.xavier_uniform_(matrices)

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        out = {}
        for kind, count in block.num_targets.items():
            into = {r: a for r, a in block.relations.items() if r.target == kind}
            heard = self._heard(rows, into, rows[kind][:count]) if into else rows[kind].new_zeros(count, rows[kind].shape[1])
            out[kind] = self.out[named(kind)](F.gelu(heard))
        return out

    def _heard(self, rows: dict[str, Tensor], into: dict[Relation, Adjacency], targets: Tensor) -> Tensor:
        kind = next(iter(into)).target
        query = self._by_head(self.query[named(kind)](targets))
        logits = [self._logits(rows[r.source], r, a, query) for r, a in into.items()]
        weights = joint_softmax(list(into.values()), logits)
        total = torch.zeros_like(query)
        for (relation, adjacency), weight in zip(into.items(), weights, strict=True):
            value = self._by_head(self.value[named(relation.source)](rows[relation.source]))
            value = torch.einsum("nhi,hij->nhj", value, self.of_value[self.number[relation]])
            total = total + weighted_sum(adjacency, value, weight)
        return total.flatten(1)

    def _logits(self, sources: Tensor, relation: Relation, adjacency: Adjacency, query: Tensor) -> Tensor:
        """[edges, heads]."""
        number = self.number[relation]
        key = self._by_head(self.key[named(relation.source)](sources))
        key = torch.einsum("nhi,hij->nhj", key, self.of_key[number])
        of_source = to_edges(adjacency, key.flatten(1), "source")
        of_target = to_edges(adjacency, query.flatten(1), "target")
        return self._by_head(of_source * of_target).sum(-1) * (self.prior[number] * self.size**-0.5)

    def _by_head(self, rows: Tensor) -> Tensor:
        return rows.view(-1, self.heads, self.size)
