"""What a network is told of time: how long ago, or how far apart, what its messages join; and where an item stands in its chain.

Nothing is read from an item's own clock times: of links made from these (``segment/follows/segment``) they are the answer. Seconds
belong to an edge, and are read by the ids of the edges that carry messages in the step; places are counted along the same edges. So an
edge that is predicted in a step, or held out, changes nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.model.contract import named
from mmgraph.model.messages import segment_mean
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.sample.chains import chained
from mmgraph.types import Relation

_SIZE = 16  # of the encoding of seconds
_WAVES = 4  # of the encoding of a position


class Time2Vec(nn.Module):
    """Signed log(1 + |seconds|) = t -> (w0 t + b0, sin(w1 t + b1), ...), all learned (Kazemi et al. 2019, arXiv 1907.05321, equation 1).

    The frequencies start as a geometric row, as in Xu et al. 2020 (arXiv 2002.07962, section 3.1), from a wave over all times to one
    over a factor of e. Unknown seconds (NaN) give zeros.
    """

    def __init__(self, size: int = _SIZE) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.cat([torch.ones(1) / 10, torch.logspace(-1.3, 0.8, size - 1)]))
        self.phase = nn.Parameter(torch.rand(size) * 2 * torch.pi)

    def forward(self, seconds: Float[Tensor, "edges"]) -> Float[Tensor, "edges size"]:
        """One vector an edge."""
        known = torch.isfinite(seconds)
        time = torch.where(known, seconds, 0.0)
        angle = (time.sign() * time.abs().log1p())[:, None] * self.frequency + self.phase
        return torch.cat([angle[:, :1], angle[:, 1:].sin()], 1) * known[:, None]


class GapEncoding(nn.Module):
    """Added to what a layer gives, for every relation with seconds: W_r (mean over an item's edges of Time2Vec), W_r for each layer.

    Seconds of an edge are its ``gap_s``, or, where it has a ``time`` instead, its age: how long before the batch's moment, or before the
    newest link of the graph, it was. Reverse relations have the same seconds, and maps of their own. Works beside any layer, since it
    passes only over edges. Raises SettingsError where no relation has seconds.
    """

    def __init__(self, graph: Graph, width: int, depth: int) -> None:
        super().__init__()
        timed = {r: e for r, e in graph.edges.items() if e.gap_s is not None or e.time is not None}
        if not timed:
            todo = "add the edge builder follows, fill links.time, or set model.time to position or none"
            raise SettingsError("model.time: no relation has gaps or times", given="gap", todo=todo)
        self.newest = max((_newest(edges) for edges in timed.values()), default=-np.inf)
        self._aged = {r for r, edges in timed.items() if edges.gap_s is None}
        self._relations = {name: (r, f"seconds{i}") for i, r in enumerate(timed) for name in (r, r.reverse)}
        for i, edges in enumerate(timed.values()):
            # a time counts from the newest one, so that float32 holds it to the second
            given = edges.time - self.newest if edges.gap_s is None and edges.time is not None else edges.gap_s
            self.register_buffer(f"seconds{i}", torch.tensor(given, dtype=torch.float32), persistent=False)
        self.encode = Time2Vec()
        maps = ({named(r): nn.Linear(_SIZE, width, bias=False) for r in self._relations} for _ in range(depth))
        self.maps: list[nn.ModuleDict] = nn.ModuleList(nn.ModuleDict(one) for one in maps)  # type: ignore[assignment]

    def means(self, block: Block, moment: float | None) -> dict[Relation, Float[Tensor, "targets size"]]:
        """Of each relation of a block, the mean of its edges' encodings at every target."""
        return {
            relation: segment_mean(adjacency, self.encode(self._seconds(relation, adjacency, moment)))
            for relation, adjacency in block.relations.items()
            if relation in self._relations
        }

    def forward(self, layer: int, means: dict[Relation, Tensor], heard: dict[str, Tensor]) -> dict[str, Tensor]:
        """``heard``, what a layer gives, with what the gaps add."""
        out = dict(heard)
        for relation, mean in means.items():
            out[relation.target] = out[relation.target] + self.maps[layer][named(relation)](mean)
        return out

    def _seconds(self, relation: Relation, adjacency: Adjacency, moment: float | None) -> Tensor:
        stated, buffer = self._relations[relation]
        assert adjacency.ids is not None
        seconds: Tensor = getattr(self, buffer)[adjacency.ids]
        return (self.newest if moment is None else moment) - self.newest - seconds if stated in self._aged else seconds


def _newest(edges: Edges) -> float:
    known = np.zeros(0) if edges.time is None else edges.time[np.isfinite(edges.time)]
    return float(known.max()) if len(known) else -np.inf


class PositionEncoding(nn.Module):
    """Added to an item's input vector: W_r of its place in its chain of the temporal relation r; nothing outside of chains.

    Of the place p from 0 (start) to 1 (end of the known chain) sines and cosines of doubling frequency (Vaswani et al. 2017, arXiv
    1706.03762, section 3.5), the logarithms of the steps to both ends, and whether it is one of them: what follows nothing yet is more
    likely to be what is looked for. Raises SettingsError where no relation makes chains.
    """

    def __init__(self, relations: Sequence[Relation], width: int) -> None:
        super().__init__()
        if not relations:
            todo = "add the edge builder follows, or set model.time to gap or none"
            raise SettingsError("model.time: no relation within one kind says what comes next", given="position", todo=todo)
        self.maps = nn.ModuleDict({named(r): nn.Linear(2 * _WAVES + 4, width, bias=False) for r in relations})
        self._relations = tuple(relations)

    def forward(self, rows: dict[str, Tensor], places: dict[Relation, Int[Tensor, "items 2"]]) -> dict[str, Tensor]:
        """Kind -> [items, width], with what the places add."""
        out = dict(rows)
        for relation in self._relations:
            out[relation.target] = out[relation.target] + self.maps[named(relation)](features(places[relation]))
        return out


def features(places: Int[Tensor, "items 2"]) -> Float[Tensor, "items size"]:
    """What is said of each place; zeros for an item that is in no chain, or in one without a start.

    >>> features(torch.tensor([[0, 0], [0, 1]]))[:, -2:]
    tensor([[0., 0.],
            [1., 0.]])
    """
    before, after = places.to(torch.get_default_dtype()).unbind(1)
    within = before + after > 0
    angle = (before / (before + after).clamp(min=1))[:, None] * torch.pi * 2.0 ** torch.arange(_WAVES, device=places.device)
    ends = torch.stack([before.clamp(min=0).log1p(), after.clamp(min=0).log1p(), before == 0, after == 0], 1)
    return torch.cat([angle.sin(), angle.cos(), ends], 1) * within[:, None]


class Times(nn.Module):
    """The encodings that ``model.time`` asks for. Raises SettingsError where there is nothing to encode, or no layer to hear it."""

    def __init__(self, graph: Graph, time: str, width: int, depth: int) -> None:
        super().__init__()
        if time != "none" and not depth:
            raise SettingsError("model.time needs layers of messages", given=f"{time}, no layer", todo="set model.time: none")
        self.gap = GapEncoding(graph, width, depth) if time in ("gap", "both") else None
        self.position = PositionEncoding(chained(graph), width) if time in ("position", "both") else None
