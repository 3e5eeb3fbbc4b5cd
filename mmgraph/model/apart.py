"""Messages over weighted relations within one kind, apart from those of the layers."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.messages import weighted_sum
from mmgraph.sample.batch import Block
from mmgraph.settings import ModelSettings
from mmgraph.types import Relation


class Apart(nn.Module):
    """What ``model.apart`` adds: ``depth`` products of a relation's weights with the items' input vectors, zero where nothing leads.

    FREEDOM (Zhou and Shen 2023, arXiv 2211.06924). In sampled batches an item hears the neighbours that were drawn.
    Raises SettingsError for a relation that is not there or joins two kinds, and for more steps than there are layers.
    """

    def __init__(self, graph: Graph, settings: ModelSettings) -> None:
        super().__init__()
        self.depth, self.relations = settings.apart.depth, tuple(map(Relation.parse, settings.apart.relations))
        for number, relation in enumerate(self.relations):
            edges = graph.edges.get(relation)
            if edges is None or relation.source != relation.target:
                within = ", ".join(str(r) for r in graph.edges if r.source == r.target) or "none"
                wrong = "model.apart.relations are relations of the graph within one kind"
                raise SettingsError(wrong, given=relation, todo=f"there are: {within}")
            weight = np.ones(len(edges), np.float32) if edges.weight is None else edges.weight
            self.register_buffer(f"weight{number}", torch.tensor(weight), persistent=False)
        if self.relations and self.depth > settings.layers:
            todo = "raise model.depth, or lower model.apart.depth"
            raise SettingsError(
                "model.apart passes more often than there are layers", given=f"{self.depth} of {settings.layers}", todo=todo
            )

    @property
    def names(self) -> frozenset[Relation]:
        """The relations, both ways, over which no layer passes."""
        return frozenset(r for relation in self.relations for r in (relation, relation.reverse))

    def forward(self, rows: Mapping[str, Tensor], blocks: Sequence[Block]) -> dict[str, Tensor]:
        """Kind -> [inputs, width] to kind -> [output items, width], of the kinds that have such relations."""
        found: dict[str, Tensor] = {}
        for number, relation in enumerate(self.relations):
            heard = self._passed(relation, getattr(self, f"weight{number}"), rows[relation.target], blocks[-self.depth :])
            found[relation.target] = found[relation.target] + heard if relation.target in found else heard
        return found

    @staticmethod
    def _passed(relation: Relation, weights: Tensor, rows: Tensor, blocks: Sequence[Block]) -> Tensor:
        for block in blocks:
            adjacency = block.relations.get(relation)
            if adjacency is None:  # of a sampled block in which nothing leads to any target
                rows = rows.new_zeros(block.num_targets[relation.target], rows.shape[1])
                continue
            assert adjacency.ids is not None
            weight = weights[adjacency.ids]
            rows = weighted_sum(adjacency, rows[: adjacency.num_sources, None], weight[:, None])[:, 0]
        return rows
