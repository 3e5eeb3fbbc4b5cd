"""Heads that need no answers: they hide a part of what is there and learn from the rest."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Embeddings, Head, Passing, named
from mmgraph.model.moments import Moments
from mmgraph.model.prune import thinned
from mmgraph.sample.batch import Batch, Block, Inputs
from mmgraph.settings import ComponentLike
from mmgraph.types import Relation

_HELD = 11  # seed of what is held out of the loss: the same in every run
Hidden = Mapping[str, Bool[Tensor, "items"]]  # kind -> which items


class SelfSupervised(Head):
    """A head that passes over the network itself, on batches that it changes; asked in every step on the whole graph."""

    always: ClassVar[bool] = True
    draws = 0

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """There is none of embeddings alone."""
        raise TypeError(f"{type(self).__name__} passes over the network itself: see step")

    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """See ``figures``."""
        return {}


def shown_kinds(graph: Graph, kinds: Sequence[str], task: str) -> tuple[str, ...]:
    """The kinds with features, or those of them that are named; raises SettingsError where there are none."""
    having = [kind for kind in graph.ids if any(one.present.any() for one in graph.features_of(kind).values())]
    lacking = [kind for kind in kinds if kind not in having]
    if lacking or not having:
        given = ", ".join(lacking) or "no kind has any"
        raise SettingsError(f"the task {task} needs kinds with features", given=given, todo=f"there are: {', '.join(having)}")
    return tuple(kinds) or tuple(having)


def scaled_cosine_error(made: Float[Tensor, "n w"], real: Float[Tensor, "n w"], gamma: float) -> Float[Tensor, "n"]:
    """(1 - cos)^gamma of each row (Hou et al. 2022, GraphMAE, equation 2): a gamma above 1 makes easy rows weigh less.

    >>> scaled_cosine_error(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 1.0]]), 2.0)
    tensor([0., 1.])
    """
    return (1 - F.cosine_similarity(made, real, dim=-1)).clamp(min=0) ** gamma


@dataclass(frozen=True)
class Masking:
    """rate: share of the items whose features are hidden in a step; gamma: see ``scaled_cosine_error``; decoder: a layer; valid: share of
    the items that training never makes up, by which the epoch is chosen.
    """

    rate: float
    gamma: float
    decoder: ComponentLike
    valid: float


class MaskedHead(SelfSupervised):
    """Makes up the features of items that were hidden (GraphMAE, Hou et al. 2022, arXiv 2205.10803).

    Hidden items enter the network as ones without any modality; what it says of them is hidden again, and one layer of message passing
    makes their features from their neighbours' vectors alone. ``cosine``: of made and real ones, on items held out of the loss.
    """

    def __init__(self, graph: Graph, kinds: tuple[str, ...], settings: Masking, width: int, weight: float) -> None:
        super().__init__()
        self.name, self.kinds, self.weight, self._settings = "masked", kinds, weight, settings
        relations: list[Relation] = [r for one in graph.edges for r in (one, one.reverse)]
        self.enter = nn.ModuleDict({named(kind): nn.Linear(width, width, bias=False) for kind in graph.ids})
        self.decode = registry.create("layer", settings.decoder, relations, list(graph.ids), width)
        keys = [(kind, m) for kind in kinds for m, one in graph.features_of(kind).items() if one.present.any()]
        moments = {key: Moments.of(graph.features[key]) for key in keys}
        self.make = nn.ModuleDict({named(key): nn.Linear(width, len(one.mean)) for key, one in moments.items()})
        self._keys = keys
        for number, one in enumerate(moments.values()):
            self.register_buffer(f"mean_{number}", one.mean, persistent=False)
            scale = torch.where(one.deviation > 1e-6, 1 / one.deviation.clamp(min=1e-6), 0)
            self.register_buffer(f"scale_{number}", scale, persistent=False)
        rng = torch.Generator().manual_seed(_HELD)
        for number, kind in enumerate(kinds):
            held = torch.rand(graph.count(kind), generator=rng) < settings.valid
            self.register_buffer(f"held_{number}", held, persistent=False)
        self.figure = "cosine" if any(self._held(n).any() for n in range(len(kinds))) else None

    def _held(self, number: int) -> Tensor:
        held: Tensor = getattr(self, f"held_{number}")
        return held

    def step(self, network: Passing, batch: Batch, draws: Sequence[Embeddings]) -> Float[Tensor, ""]:
        """Mean over the items hidden by chance, and over their modalities."""
        hidden = {}
        for number, kind in enumerate(self.kinds):
            held = self._held(number)
            hidden[kind] = (torch.rand(held.shape, device=held.device) < self._settings.rate) & ~held
        gamma = self._settings.gamma
        return _mean(
            [(scaled_cosine_error(made, real, gamma), asked) for made, real, asked in self._made(network, batch, hidden)]
        )

    @torch.no_grad()
    def figures(self, network: Passing, batch: Batch, embeddings: Embeddings) -> dict[str, float]:
        """The mean cosine of features made and real, of the items held out, which are all hidden at once."""
        if self.figure is None:
            return {}
        hidden = {kind: self._held(number) for number, kind in enumerate(self.kinds)}
        made = self._made(network, batch, hidden)
        return {"cosine": float(_mean([(F.cosine_similarity(one, real, dim=-1), asked) for one, real, asked in made]))}

    def _made(self, network: Passing, batch: Batch, hidden: Hidden) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Features made and real (standardised) of all items of a kind, and which of them were hidden, modality by modality."""
        inputs = batch.inputs.features
        covered = {key: one.hiding(hidden[key[0]]) if key[0] in hidden else one for key, one in inputs.items()}
        rows = network(replace(batch, inputs=replace(batch.inputs, features=covered)))
        entered = {kind: self.enter[named(kind)](one) for kind, one in rows.items()}
        for kind, mask in hidden.items():
            entered[kind] = entered[kind].masked_fill(mask[:, None], 0.0)
        decoded = self.decode(entered, batch.blocks[-1])
        found = []
        for number, key in enumerate(self._keys):
            real = (inputs[key].vectors - getattr(self, f"mean_{number}")) * getattr(self, f"scale_{number}")
            found.append((self.make[named(key)](decoded[key[0]]), real, inputs[key].present & hidden[key[0]]))
        return found


def _mean(parts: Sequence[tuple[Tensor, Tensor]]) -> Float[Tensor, ""]:
    """Of all values that are asked for, 0 without any."""
    total = torch.stack([(value * asked).sum() for value, asked in parts]).sum()
    return total / torch.stack([asked.sum() for _, asked in parts]).sum().clamp(min=1)


@dataclass(frozen=True)
class Views:
    """mask: share of the components of features that one view of the graph hides; drop: share of the links that it leaves out; decay: of
    the slow network's mean.
    """

    mask: float
    drop: float
    decay: float


class BootstrapHead(SelfSupervised):
    """Two views of the graph; what the network says of an item in one foretells what a slow copy of it says in the other, and the other way
    round (BGRL, Thakoor et al. 2022, arXiv 2102.06514). No negatives. The slow copy is the running mean of the network's weights.

    Neither loss nor figure tells a better epoch (a network that says the same of all has no loss at all), so the last one is taken.
    """

    last: ClassVar[bool] = True
    figure = None

    def __init__(self, graph: Graph, kinds: tuple[str, ...], settings: Views, width: int, weight: float) -> None:
        super().__init__()
        self.name, self.kinds, self.weight, self._settings = "bootstrap", kinds, weight, settings
        self._links = {relation: len(edges) for relation, edges in graph.edges.items()}
        self._means = {
            key: Moments.of(one).mean for key, one in graph.features.items() if key[0] in kinds and one.present.any()
        }
        self.foretell = nn.Sequential(
            nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width), nn.PReLU(), nn.Linear(2 * width, width)
        )
        self.slow: nn.Module = nn.Identity()

    def attach(self, network: nn.Module) -> None:
        """The slow copy starts as the network does."""
        self.slow = copy.deepcopy(network).requires_grad_(False)

    def step(self, network: Passing, batch: Batch, draws: Sequence[Embeddings]) -> Float[Tensor, ""]:
        """2 - 2 cos, mean over both ways and over the items; the slow copy follows first."""
        assert isinstance(network, nn.Module)
        follow(self.slow, network, self._settings.decay)
        self.slow.eval()  # its only chance is that of the view
        one, two = self._view(batch), self._view(batch)
        with torch.no_grad():
            slow_one, slow_two = self.slow(one), self.slow(two)
        there = self._apart(network(one), slow_two)
        return (there + self._apart(network(two), slow_one)) / 2

    def _apart(self, said: Embeddings, wanted: Embeddings) -> Tensor:
        made = self.foretell(torch.cat([said[kind] for kind in self.kinds]))
        real = torch.cat([wanted[kind] for kind in self.kinds])
        return (2 - 2 * F.cosine_similarity(made, real, dim=-1)).mean()

    def _view(self, batch: Batch) -> Batch:
        return replace(batch, inputs=self._masked(batch.inputs), blocks=self._dropped(batch.blocks))

    def _masked(self, inputs: Inputs) -> Inputs:
        """The same components are hidden of all items: they become their mean."""
        features = dict(inputs.features)
        for key, mean in self._means.items():
            vectors = features[key].vectors
            hidden = torch.rand(vectors.shape[1], device=vectors.device) < self._settings.mask
            features[key] = features[key].having(torch.where(hidden, mean.to(vectors.device), vectors))
        return replace(inputs, features=features)

    def _dropped(self, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        """A link leaves together with its reverse, in all layers."""
        if not blocks or not self._settings.drop:
            return blocks
        device = next(iter(blocks[0].relations.values())).sources.device if blocks[0].relations else torch.device("cpu")
        kept = {r: torch.rand(count, device=device) >= self._settings.drop for r, count in self._links.items()}
        made: dict[int, Block] = {}
        for block in blocks:
            if id(block) not in made:
                made[id(block)] = thinned(block, kept)
        return tuple(made[id(block)] for block in blocks)


@torch.no_grad()
def follow(slow: nn.Module, network: nn.Module, decay: float) -> None:
    """slow := decay * slow + (1 - decay) * network, parameter by parameter; buffers are copied."""
    for mine, other in zip(slow.parameters(), network.parameters(), strict=True):
        mine.lerp_(other, 1 - decay)
    for kept, shown in zip(slow.buffers(), network.buffers(), strict=True):
        kept.copy_(shown)
