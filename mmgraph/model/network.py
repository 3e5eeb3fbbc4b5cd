"""Inputs, then message passing: items -> embeddings."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmgraph import registry
from mmgraph.encode.tuning import Top
from mmgraph.graph.contract import Graph
from mmgraph.model.apart import Apart
from mmgraph.model.contract import Layer, named
from mmgraph.model.contrast import Embedded, checked, noised
from mmgraph.model.inputs import GraphInput
from mmgraph.model.prune import Prune
from mmgraph.model.time import Times
from mmgraph.model.valued import Valued
from mmgraph.sample.batch import Batch, Block
from mmgraph.settings import ModelSettings
from mmgraph.types import Relation

_NORMS = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d, "none": nn.Identity}
Rows = dict[str, Tensor]


class Network(nn.Module):
    """Layers over the relations and their reverses, each with norm, activation, dropout and a residual.

    What the layers give is joined (jumping knowledge, Xu et al. 2018, arXiv 1806.03536), by default the last layer's and the
    input's vector by a linear map a kind, so that what an item itself looks like is never lost among its neighbours. Layers
    that are ``linear`` only have what their contract says; without layers the inputs are the embeddings. What ``model.time`` asks for
    is added to the inputs (positions) and to what each layer gives (gaps), and to that what ``model.valued`` tells. What ``model.contrast``
    compares is given in training as
    ``Embedded``; what arrives over the relations of ``model.apart`` is added last, and layers do not pass over these, nor in training over
    links that ``model.prune`` draws. told: name of a field -> its kind and number of classes, where its training labels enter: a vector a
    class is added to the inputs (Shi et al. 2021, UniMP, arXiv 2009.03509, section 3.3).
    """

    def __init__(
        self,
        graph: Graph,
        relations: list[Relation],
        settings: ModelSettings,
        tops: Mapping[str, Top] | None = None,
        told: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        super().__init__()
        kinds, width, depth = list(graph.ids), settings.width, settings.layers
        self.inputs = GraphInput(graph, settings, tops)
        self.apart = Apart(graph, settings)
        self.prune = Prune(graph, settings.prune, self.apart.names)
        relations = [relation for relation in relations if relation not in self.apart.names]
        made = (registry.create("layer", settings.layer, relations, kinds, width) for _ in range(depth))
        self.layers: list[Layer] = nn.ModuleList(made)  # type: ignore[assignment]
        self.linear = not depth or self.layers[0].linear
        norm = _NORMS["none" if self.linear else settings.norm]
        norms = (nn.ModuleDict({named(kind): norm(width) for kind in kinds}) for _ in range(depth))
        self.norms: list[nn.ModuleDict] = nn.ModuleList(norms)  # type: ignore[assignment]
        self.residual = settings.residual and not self.linear
        self.activation = self.layers[0].activation if self.linear and depth else "none" if self.linear else "each"
        self.drop_items = self.layers[0].drop_items if depth else 0.0
        self.first = self.layers[0].first if depth else None
        self.jumping = settings.jumping if settings.jumping != "auto" else self.layers[0].jumping if depth else "last"
        wide = {"first_last": 2 * width, "concat": (depth + 1) * width}.get(self.jumping, 0)
        self.joined = nn.ModuleDict({named(kind): nn.Linear(wide, width) for kind in kinds} if wide and depth else {})
        self.dropout = nn.Dropout(0.0 if self.activation == "none" else settings.dropout)
        self.times = Times(graph, settings.time, width, depth)
        self.valued = Valued(graph, settings)
        self.contrast = checked(settings)
        self.told = {name: kind for name, (kind, _) in (told or {}).items()}
        self.labels = nn.ModuleDict(
            {named(name): nn.Embedding(classes + 1, width, padding_idx=0) for name, (_, classes) in (told or {}).items()}
        )

    def forward(self, batch: Batch) -> Rows:
        """Kind -> [output items, width]."""
        rows = self.inputs(batch.inputs)
        for name, kind in self.told.items():
            rows = {**rows, kind: rows[kind] + self.labels[named(name)](batch.shown[name])}
        if self.times.position is not None:
            rows = self.times.position(rows, batch.places)
        rows = self._entering(rows)
        every, blocks = [rows], self._blocks(batch)
        gaps = self._gaps(blocks, batch.moment)
        for number, (layer, norms, block) in enumerate(zip(self.layers, self.norms, blocks, strict=True)):
            given = rows if self.linear else {kind: self.dropout(x) for kind, x in rows.items()}
            heard = self.valued(number, given, block, layer(given, block))
            if self.times.gap is not None:
                heard = self.times.gap(number, gaps[id(block)], heard)
            rows = {kind: self._next(rows[kind], norms[named(kind)](x)) for kind, x in heard.items()}
            if layer.restart:
                rows = {kind: torch.lerp(x, every[0][kind][: len(x)], layer.restart) for kind, x in rows.items()}
            if self.training and self.contrast:
                rows = {kind: noised(x, self.contrast.noise) for kind, x in rows.items()}
            every.append(rows)
        out = {kind: self._joined(kind, [one[kind][: len(x)] for one in every]) for kind, x in rows.items()}
        if self.activation == "after":
            out = {kind: self.dropout(torch.relu(x)) for kind, x in out.items()}
        for kind, heard in self.apart(every[0], batch.blocks).items() if self.apart.relations else ():
            out[kind] = out[kind] + heard
        if not self.training or not self.contrast:
            return out
        view = every[self.contrast.layer]
        return Embedded(out, {kind: view[kind][: len(x)] for kind, x in out.items()})

    def _entering(self, rows: Rows) -> Rows:
        """Inputs as the first layer gets them."""
        if self.activation in ("each", "before"):
            rows = {kind: torch.relu(x) for kind, x in rows.items()}
        if self.activation == "before":
            rows = {kind: self.dropout(x) for kind, x in rows.items()}
        if not self.training or not self.drop_items:
            return rows
        kept = {kind: torch.rand(len(x), 1, device=x.device) >= self.drop_items for kind, x in rows.items()}
        return {kind: x * kept[kind] / (1 - self.drop_items) for kind, x in rows.items()}

    def _blocks(self, batch: Batch) -> tuple[Block, ...]:
        """What the layers pass over."""
        blocks = batch.blocks
        if self.apart.relations:
            blocks = tuple(block.leaving(self.apart.names) for block in blocks)
        return self.prune(blocks) if self.training and self.prune.share else blocks

    def _gaps(self, blocks: Sequence[Block], moment: float | None) -> dict[int, dict[Relation, Tensor]]:
        """By block, which may serve several layers."""
        if self.times.gap is None:
            return {}
        return {id(block): self.times.gap.means(block, moment) for block in {id(b): b for b in blocks}.values()}

    def _next(self, before: Tensor, heard: Tensor) -> Tensor:
        if self.linear:
            return heard
        active = torch.relu(heard)
        return before[: len(heard)] + active if self.residual else active

    def _joined(self, kind: str, every: list[Tensor]) -> Tensor:
        if len(every) == 1 or self.jumping == "last":
            return every[-1]
        if self.jumping == "mean" and self.first is not None:
            return torch.lerp(torch.stack(every[1:]).mean(0), every[0], self.first)
        if self.jumping == "mean":
            return sum(every[1:], every[0]) / len(every)
        chosen = every if self.jumping == "concat" else [every[0], every[-1]]
        return self.joined[named(kind)](torch.cat(chosen, 1))
