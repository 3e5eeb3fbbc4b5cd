"""Features of several modalities, or an id, -> one vector an item."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmgraph.encode.tuning import Top
from mmgraph.graph.contract import Graph
from mmgraph.model.adapters.contract import Adaptation
from mmgraph.model.adapters.make import adaptations, described
from mmgraph.model.contract import named
from mmgraph.model.messages import weighted_sum
from mmgraph.model.moments import Moments
from mmgraph.sample.batch import Inputs, ModalityInput
from mmgraph.settings import ModelSettings


class _Modality(nn.Module):
    """Standardise, then project. A component that never varies is left out rather than blown up."""

    mean: Tensor
    scale: Tensor

    def __init__(self, moments: Moments, width: int, dropout: float) -> None:
        super().__init__()
        varies = moments.deviation > 1e-6
        scale = torch.where(varies, 1 / moments.deviation.clamp(min=1e-6), torch.zeros_like(moments.deviation))
        self.register_buffer("mean", moments.mean)
        self.register_buffer("scale", scale)
        self.project = nn.Linear(len(moments.mean), width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, given: ModalityInput) -> Float[Tensor, "items width"]:
        standard = (given.vectors - self.mean).mul_(self.scale).clamp_(-10, 10)
        return self.project(self.dropout(standard))


class _Rows(nn.Module):
    """Every vector divided by its length, then project. Zeros stay zeros, so that of sparse vectors only the entries are read."""

    def __init__(self, wide: int, width: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(wide, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, given: ModalityInput) -> Float[Tensor, "items width"]:
        entries = given.entries
        if entries is None:
            return self.project(self.dropout(nn.functional.normalize(given.vectors)))
        values = self.dropout(entries.values)
        weight = self.project.weight.T[:, None]
        return weighted_sum(entries.adjacency, weight, values[:, None])[:, 0] + self.project.bias


def _modality(moments: Moments, settings: ModelSettings) -> nn.Module:
    dropout = settings.dropout / 2 if settings.input_dropout is None else settings.input_dropout
    if settings.scale == "rows":
        return _Rows(len(moments.mean), settings.width, dropout)
    return _Modality(moments, settings.width, dropout)


class KindInput(nn.Module):
    """All modalities of one kind -> [items, width].

    ``gated``: a softmax over the modalities that an item has, from a learned linear gate on each projection (gated multimodal
    units, Arevalo et al. 2017, arXiv 1702.01992, with the gates normalised so that a missing modality takes none);
    ``mean``: their mean. In training a modality is dropped with ``modality_dropout``, never the last one an item has. An item
    with none gets a learned vector.
    """

    def __init__(self, moments: Mapping[str, Moments], ids: int, settings: ModelSettings) -> None:
        super().__init__()
        width = settings.width
        self.fusion, self.modality_dropout = settings.fusion, settings.modality_dropout
        self.names = tuple(moments)
        self.modalities = nn.ModuleDict({named(m): _modality(x, settings) for m, x in moments.items()})
        self.gates = nn.ModuleDict({named(m): nn.Linear(width, 1) for m in moments})
        self.nothing = nn.Parameter(torch.zeros(width))
        self.ids = nn.Embedding(ids, width) if ids else None
        if self.ids is not None:
            nn.init.normal_(self.ids.weight, std=width**-0.5)

    def forward(self, items: Tensor, given: Mapping[str, ModalityInput]) -> Float[Tensor, "items width"]:
        """Positions of the items, and their modalities."""
        out = self.nothing.expand(items.shape[0], -1)
        if self.names:
            out = self._fuse([(m, given[m]) for m in self.names], out)
        return out if self.ids is None else out + self.ids(items)

    def _fuse(self, given: list[tuple[str, ModalityInput]], nothing: Tensor) -> Tensor:
        if len(given) == 1:  # nothing to weigh
            ((name, one),) = given
            alone: Tensor = self.modalities[named(name)](one)
            return alone if one.complete else torch.where(one.present[:, None], alone, nothing)
        projected = torch.stack([self.modalities[named(m)](x) for m, x in given], 1)  # [items, modalities, width]
        present = self._kept(torch.stack([x.present for _, x in given], 1))
        if self.fusion == "gated":
            logits = torch.cat([self.gates[named(m)](torch.tanh(projected[:, i])) for i, (m, _) in enumerate(given)], 1)
        else:
            logits = torch.zeros_like(projected[..., 0])
        logits = logits.masked_fill(~present, torch.finfo(logits.dtype).min)
        weight = torch.softmax(logits, 1) * present
        fused = (weight[..., None] * projected).sum(1)
        return torch.where(present.any(1, keepdim=True), fused, nothing)

    def _kept(self, present: Bool[Tensor, "items modalities"]) -> Bool[Tensor, "items modalities"]:
        if not self.training or not self.modality_dropout or present.shape[1] == 1:
            return present
        kept = present & (torch.rand(present.shape, device=present.device) >= self.modality_dropout)
        return torch.where(kept.any(1, keepdim=True), kept, present)


class GraphInput(nn.Module):
    """Items of all kinds -> kind -> [items, width].

    tops: modality -> what of its encoder may be trained. A modality that is adapted passes through its adaptation first; then
    it is standardised by the moments of the stored vectors, as one that is frozen.
    """

    def __init__(self, graph: Graph, settings: ModelSettings, tops: Mapping[str, Top] | None = None) -> None:
        super().__init__()
        self.kinds = nn.ModuleDict()
        for kind in graph.ids:
            moments = {m: Moments.of(f) for m, f in graph.features_of(kind).items() if f.present.any()}
            wanted = settings.id_embedding == "all" or (settings.id_embedding == "auto" and not moments)
            self.kinds[named(kind)] = KindInput(moments, graph.count(kind) if wanted else 0, settings)
        made = adaptations(graph, settings.adaptation, tops or {}, torch.initial_seed())
        self.adapted = nn.ModuleDict({named(one.name): one.adaptation for one in made})
        self.described = described(made, settings.adaptation)
        self.name_of = {key: named(one.name) for one in made for key in one.keys}

    def forward(self, inputs: Inputs) -> dict[str, Tensor]:
        """See KindInput."""
        features = {key: self._adapted(key, one) for key, one in inputs.features.items()}
        return {
            kind: self.kinds[named(kind)](items, {m: f for (k, m), f in features.items() if k == kind})
            for kind, items in inputs.items.items()
        }

    def tables(self) -> dict[str, nn.Embedding]:
        """Vectors that are learned by id, by kind as ``named`` spells it."""
        found = {name: getattr(one, "ids", None) for name, one in self.kinds.items()}
        return {name: table for name, table in found.items() if isinstance(table, nn.Embedding)}

    def adaptations(self) -> dict[str, Adaptation]:
        """What is trained of encoders or on top of them, by name."""
        return {name: one for name, one in self.adapted.items() if isinstance(one, Adaptation)}

    def _adapted(self, key: tuple[str, str], given: ModalityInput) -> ModalityInput:
        name = self.name_of.get(key)
        return given if name is None else given.having(self.adapted[name](given))
