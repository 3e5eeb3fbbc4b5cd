"""Inputs, then message passing: items -> embeddings."""

import torch
from torch import Tensor, nn

from mmgraph import registry
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Layer, named
from mmgraph.model.inputs import GraphInput
from mmgraph.sample.batch import Batch
from mmgraph.settings import ModelSettings
from mmgraph.types import Relation


class Network(nn.Module):
    """``depth`` layers over the relations and their reverses, each with norm, activation, dropout and a residual.

    The output is the last layer's and the input's vector joined by a linear map a kind (jumping knowledge, Xu et al. 2018,
    arXiv 1806.03536), so that what an item itself looks like is never lost among its neighbours.
    """

    def __init__(self, graph: Graph, relations: list[Relation], settings: ModelSettings) -> None:
        super().__init__()
        kinds, width = list(graph.ids), settings.width
        self.inputs = GraphInput(graph, settings)
        made = (registry.create("layer", settings.layer, relations, kinds, width) for _ in range(settings.depth))
        self.layers: list[Layer] = nn.ModuleList(made)  # type: ignore[assignment]
        norms = (nn.ModuleDict({named(k): nn.LayerNorm(width) for k in kinds}) for _ in range(settings.depth))
        self.norms: list[nn.ModuleDict] = nn.ModuleList(norms)  # type: ignore[assignment]
        self.joined = nn.ModuleDict({named(kind): nn.Linear(2 * width, width) for kind in kinds})
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Kind -> [output items, width]."""
        first = {kind: torch.relu(rows) for kind, rows in self.inputs(batch.inputs).items()}
        rows = first
        for layer, norms, block in zip(self.layers, self.norms, batch.blocks, strict=True):
            heard = layer({kind: self.dropout(x) for kind, x in rows.items()}, block)
            rows = {kind: rows[kind][: len(x)] + torch.relu(norms[named(kind)](x)) for kind, x in heard.items()}
        return {kind: self.joined[named(kind)](torch.cat([first[kind][: len(x)], x], 1)) for kind, x in rows.items()}
