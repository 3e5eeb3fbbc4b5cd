"""Messages that know the weights of the links they pass over, as the ratings that a user gave."""

import torch
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import named
from mmgraph.model.messages import segment_mean, weighted_sum
from mmgraph.sample.batch import Block
from mmgraph.settings import ModelSettings
from mmgraph.types import Relation


class Valued(nn.Module):
    """Added to what a layer gives, for every relation of ``model.valued`` and its reverse: W_r of the mean of (z h, z) over an item's
    links, h what the layer is given of the neighbour, z the link's weight less the mean of all, in deviations; W_r for each layer.

    A mean over neighbours alone says what a user has rated, and not how. GC-MC (van den Berg, Kipf & Welling 2017, arXiv 1706.02263)
    has a matrix a level and divides by all of an item's links, as is done here; one matrix times the weight needs no levels. Weights are
    read by the ids of the edges that carry messages in the step, so what is predicted or held out is not read. Raises SettingsError for a
    relation that is not there or whose links all have one weight, and where no layer hears it.
    """

    def __init__(self, graph: Graph, settings: ModelSettings) -> None:
        super().__init__()
        self.relations = tuple(map(Relation.parse, settings.valued))
        if self.relations and not settings.layers:
            given = f"{', '.join(settings.valued)}, no layer"
            raise SettingsError("model.valued needs layers of messages", given=given, todo="set model.valued: []")
        for number, relation in enumerate(self.relations):
            self.register_buffer(f"z{number}", _standard(graph, relation), persistent=False)
        both = [one for relation in self.relations for one in (relation, relation.reverse)]
        wide = settings.width
        maps = ({named(one): nn.Linear(wide + 1, wide, bias=False) for one in both} for _ in range(settings.layers))
        self.maps: list[nn.ModuleDict] = nn.ModuleList(nn.ModuleDict(one) for one in maps if one)  # type: ignore[assignment]

    def forward(self, layer: int, rows: dict[str, Tensor], block: Block, heard: dict[str, Tensor]) -> dict[str, Tensor]:
        """``heard``, what the layer makes of ``rows``, with what the weights add."""
        out = dict(heard)
        for number, relation in enumerate(self.relations):
            for one in (relation, relation.reverse):
                adjacency = block.relations.get(one)
                if adjacency is None:  # of a sampled block in which nothing leads to any target
                    continue
                assert adjacency.ids is not None
                z = getattr(self, f"z{number}")[adjacency.ids][:, None]
                total = weighted_sum(adjacency, rows[one.source][: adjacency.num_sources, None], z)[:, 0]
                mean = total / adjacency.degree.clamp(min=1).to(total.dtype)[:, None]
                told = self.maps[layer][named(one)](torch.cat([mean, segment_mean(adjacency, z)], 1))
                out[one.target] = out[one.target] + told
        return out


def _standard(graph: Graph, relation: Relation) -> Tensor:
    """float32 [links]: the weights, of mean 0 and deviation 1."""
    edges = graph.edges.get(relation)
    if edges is None or edges.weight is None or not edges.weight.std():
        there = ", ".join(str(r) for r, one in graph.edges.items() if one.weight is not None and one.weight.std()) or "none"
        wrong = "model.valued are relations of the graph whose links have different weights"
        raise SettingsError(wrong, given=relation, todo=f"there are: {there}")
    weight = torch.tensor(edges.weight, dtype=torch.float64)
    return ((weight - weight.mean()) / weight.std(correction=0)).float()
