"""Contracts of the model's parts: layers, scorers, losses, heads. Each is an ``nn.Module``, one file with one class.

What the pipeline supplies is positional in ``__init__``; what the YAML may set is keyword-only.
"""

import abc
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmgraph.sample.batch import Batch, Block

Embeddings = Mapping[str, Tensor]  # kind -> [items, width]


class Layer(nn.Module, abc.ABC):
    """One layer of message passing; built as ``Layer(relations, kinds, width, **settings)``."""

    @abc.abstractmethod
    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """Kind -> [sources, width] to kind -> [targets, width]; no norm, activation or dropout: the network adds these."""


class Scorer(nn.Module, abc.ABC):
    """Source vector, target vector -> score of one relation; built as ``Scorer(width, **settings)``.

    ``source`` and ``target`` prepare the two sides once; ``pairs`` and ``matrix`` compare what they give.
    """

    def source(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """Prepare vectors of sources."""
        return rows

    def target(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """Prepare vectors of targets."""
        return rows

    @abc.abstractmethod
    def pairs(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n"]:
        """Score row by row."""

    @abc.abstractmethod
    def matrix(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m"]:
        """Score every source with every target."""


class LinkLoss(nn.Module, abc.ABC):
    """Scores -> one number to lower; built as ``Loss(**settings)``."""

    @abc.abstractmethod
    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """Mean over links. ``use`` says which of the shared candidates are negatives of a link; a link may have none."""


class Head(nn.Module, abc.ABC):
    """One task inside the model: its parameters, its loss on a batch, and its figure on validation data.

    figure: the first name that ``validate`` gives, by which the epoch is chosen; None without validation data.
    """

    name: str
    weight: float
    kinds: tuple[str, ...]
    figure: str | None

    @abc.abstractmethod
    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """The task's loss; ``embeddings`` are of the batch's output items."""

    @abc.abstractmethod
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """Figures on the validation split, higher is better, from embeddings of all items; none without validation data."""


def named(thing: object) -> str:
    """A name that ``nn.ModuleDict`` takes, whatever a kind or relation is called (no dots, no method's name).

    >>> named("items"), named("my.kind")
    ('<items>', '<my·kind>')
    """
    return f"<{str(thing).replace('.', '·')}>"


def masked_mean(values: Tensor, use: Tensor) -> Tensor:
    """Mean over the used entries of each row, then over the rows that have any; zero where none has."""
    counts = use.sum(1)
    rows = torch.where(use, values, torch.zeros_like(values)).sum(1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)
