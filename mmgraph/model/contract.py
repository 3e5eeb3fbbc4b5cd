"""Contracts of the model's parts: layers, scorers, losses, regularisers, readouts, heads. Each is an ``nn.Module``, one class a file.

What the pipeline supplies is positional in ``__init__``; what the YAML may set is keyword-only.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Batch, Block, LogQ

Metric = Literal["inner", "distance"]
LogQOf = Literal["none", "negatives", "all"]
Embeddings = Mapping[str, Tensor]  # kind -> [items, width]
Passing = Callable[[Batch], Embeddings]  # a network: from a batch to the embeddings of its output items


class Layer(nn.Module, abc.ABC):
    """One layer of message passing; built as ``Layer(relations, kinds, width, **settings)``.

    ``linear``: the network adds no norm or residual of its own, and activation and dropout once: ``before`` all layers, ``after`` them,
    or never (``none``). ``jumping``: what ``model.jumping: auto`` is. ``restart``: share of the input's vector in what the network takes
    from the layer. ``drop_items``: in training an item's vector is left out of the inputs with this probability, the others made up for it.
    ``first``: share of the input's vector where the layers' are joined by their mean; None: it counts as one of them.
    """

    linear: ClassVar[bool] = False
    activation: ClassVar[Literal["none", "before", "after"]] = "none"
    jumping: ClassVar[Literal["first_last", "last", "mean"]] = "first_last"
    restart: float = 0.0
    drop_items: float = 0.0
    first: float | None = None

    @abc.abstractmethod
    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """Kind -> [sources, width] to kind -> [targets, width]; no norm, activation or dropout: the network adds these."""


@dataclass(frozen=True)
class Asking:
    """A head's questions and answers as vectors, of some epoch: ``ask`` prepares (item, relation), both int64 [n], as [n, wide];
    ``answers`` [items, wide] are prepared. metric: the best answer is that of the largest ``inner`` product or smallest ``distance``.
    """

    ask: Callable[[Tensor, Tensor], Tensor]
    answers: Tensor
    metric: Metric


class Scorer(nn.Module):
    """Source vector, relation, target vector -> score; built as ``Scorer(width, relations, **settings)``.

    ``source`` and ``target`` prepare the two sides once; ``pairs`` and ``matrix`` compare what they give. ``relation`` numbers the
    relation of each row; it is left out where there is one. A prepared target does not depend on the relation, so that
    every item can be compared with a block of questions about different relations in one product.

    metric: how what is prepared is compared, so that an index can find the best; None where no index can. A scorer with a ``matrix`` of
    its own has none unless it says so. cosines: what is prepared has length 1, and a score is the inner product.
    """

    metric: ClassVar[Metric | None] = "inner"
    cosines: bool = False

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n wide"]:
        """Prepare vectors of sources, each with its relation."""
        return rows

    def target(self, rows: Float[Tensor, "n width"]) -> Float[Tensor, "n wide"]:
        """Prepare vectors of targets."""
        return rows

    def inverse(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"]) -> Float[Tensor, "n wide"]:
        """Prepare vectors of targets that ask for their source: ``matrix(inverse(t, r), target(h))`` is the score of (h, r, t).

        Raises SettingsError where the scorer has no such form; reciprocal relations (Lacroix et al. 2018) need none.
        """
        todo = "set reciprocal: true"
        raise SettingsError(f"{type(self).__name__} cannot be asked for sources without reciprocal relations", todo=todo)

    def pairs(self, source: Float[Tensor, "n wide"], target: Float[Tensor, "n wide"]) -> Float[Tensor, "n"]:
        """Score row by row: the inner product, unless the scorer says otherwise."""
        return (source * target).sum(-1)

    def matrix(self, source: Float[Tensor, "n wide"], target: Float[Tensor, "m wide"]) -> Float[Tensor, "n m"]:
        """Score every source with every target."""
        return source @ target.T

    def factors(
        self, source: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None, target: Float[Tensor, "n width"]
    ) -> tuple[Float[Tensor, "n any"], ...]:
        """What a regulariser keeps small: the absolute values of the ends' and the relation's components."""
        return source.abs(), target.abs()


@torch.no_grad()
def same_both_ways(scorer: Scorer, width: int) -> bool:
    """Whether a scorer of one relation gives (a, b) and (b, a) the same score, tried on vectors drawn by a fixed chance."""
    one, two = torch.randn(2, 8, width, generator=torch.Generator().manual_seed(0)).unbind()
    there = scorer.pairs(scorer.source(one), scorer.target(two))
    return torch.allclose(there, scorer.pairs(scorer.source(two), scorer.target(one)), atol=1e-5)


class Readout(nn.Module, abc.ABC):
    """Vectors of an item's parts -> one vector of the whole; built as ``Readout(width, **settings)``, one file in ``readouts/``.

    wide: of what it gives.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = width

    @abc.abstractmethod
    def forward(self, rows: Float[Tensor, "parts width"], members: Adjacency) -> Float[Tensor, "wholes wide"]:
        """``members``: from rows to wholes. A whole without parts is zero, or what the readout says of nothing."""


class Regulariser(nn.Module, abc.ABC):
    """Factors of scored links -> one number to lower; built as ``Regulariser(**settings)``, one file in ``regularisers/``."""

    @abc.abstractmethod
    def forward(self, factors: tuple[Tensor, ...]) -> Float[Tensor, ""]:
        """``factors``: what ``Scorer.factors`` gives, each [links, components]; mean over links."""


class LinkLoss(nn.Module, abc.ABC):
    """Scores -> one number to lower; built as ``Loss(**settings)``.

    log_q: whether it makes up for how likely a candidate was drawn: of ``none``, ``negatives``, or ``all``, the true ones as well.
    cosines: the scorer has to give these. negatives: whether any are drawn; without, whatever the task says, there is no candidate.
    """

    log_q: LogQOf = "none"
    cosines: ClassVar[bool] = False
    negatives: ClassVar[bool] = True

    @abc.abstractmethod
    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """Mean over links. ``use`` says which of the shared candidates are negatives of a link; a link may have none."""

    def drawn(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"], log_q: LogQ | None
    ) -> Float[Tensor, ""]:
        """As ``forward``, told how likely the true ends and the candidates were drawn; a loss that has a setting ``log_q`` uses it."""
        return self.forward(positive, negative, use)

    def spread(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, ""]:
        """What is added once for the prepared vectors of the links' ends, however many directions are asked; nothing by default."""
        return source.new_zeros(())


class Head(nn.Module, abc.ABC):
    """One task inside the model: its parameters, its loss on a batch, and its figure on validation data.

    figure: the first name that ``validate`` gives, by which the epoch is chosen; None without validation data. draws: how often a step
    passes over the network, with other chance each time, for this head. always: asked in every step, whatever the batch asks; last: its
    epoch is the last one, as nothing tells a better one. told: how many classes its training labels have, where they enter the network as
    inputs; 0 where they do not.
    """

    name: str
    weight: float
    kinds: tuple[str, ...]
    figure: str | None
    draws: int = 1
    told: int = 0
    always: ClassVar[bool] = False
    last: ClassVar[bool] = False

    def attach(self, network: nn.Module) -> None:
        """Called once, when the untrained network is there; a head that keeps a copy of it makes it here."""

    def step(self, network: "Passing", batch: Batch, draws: Sequence[Embeddings]) -> Float[Tensor, ""]:
        """The task's loss in a training step; a head that changes the batch passes over ``network`` itself."""
        return self.loss_of(draws, batch)

    def items(self, batch: Batch) -> dict[str, Int[Tensor, "items"]]:
        """Kind -> rows of the output items that the batch asks this head about, repeated or not; none unless the head says so."""
        return {}

    def figures(self, network: "Passing", batch: Batch, embeddings: Embeddings) -> dict[str, float]:
        """As ``validate``, for a head that passes over ``network`` itself; ``batch`` is the whole visible graph."""
        return self.validate(embeddings)

    @abc.abstractmethod
    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """The task's loss; ``embeddings`` are of the batch's output items."""

    def loss_of(self, draws: Sequence[Embeddings], batch: Batch) -> Float[Tensor, ""]:
        """The task's loss where there are several ``draws``: that of the first, unless the head says otherwise."""
        return self.loss(draws[0], batch)

    @abc.abstractmethod
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """Figures on the validation split, higher is better, from embeddings of all items; none without validation data."""

    def validation_bytes(self, counts: Mapping[str, int], width: int) -> int:
        """What ``validate`` takes at most beside the embeddings of so many items a kind; for the estimate of memory."""
        return 0

    def asking(self, embeddings: Embeddings, side: str) -> Asking | None:
        """What is asked from the ``target`` or ``source`` side of links, as vectors on the CPU that later training does not change.

        embeddings: of all items, on the CPU. None where a head answers no links, or an index cannot find its answers.
        """
        return None


def searched_by(scorer: type[Scorer]) -> Metric | None:
    """By which measure of prepared vectors an index finds the best answers; None: it cannot."""
    return scorer.metric if scorer.matrix is Scorer.matrix or "metric" in vars(scorer) else None


def checked_share(value: float) -> float:
    """As it is; raises SettingsError where ``model.layer.gamma`` is none."""
    if not 0 <= value <= 1:
        raise SettingsError(
            "model.layer.gamma is a share of the input's vector", given=value, todo="give a number from 0 to 1"
        )
    return value


def suited(loss: LinkLoss, scorer: Scorer | None) -> None:
    """Raise SettingsError for a loss of cosines beside a scorer that gives other scores; None: one that has no vectors."""
    if loss.cosines and not (scorer is not None and scorer.cosines):
        given = "no vectors" if scorer is None else f"the scorer {type(scorer).__name__}"
        temperature = getattr(scorer, "temperature", None)
        given += "" if temperature is None else f" with temperature {temperature}"
        todo = "take scorer: {class_path: cosine, init_args: {temperature: 1.0}}, or another loss"
        raise SettingsError(f"the loss {type(loss).__name__} is one of cosines", given=given, todo=todo)


def named(thing: object) -> str:
    """A name that ``nn.ModuleDict`` takes, whatever a kind or relation is called (no dots, no method's name).

    >>> named("items"), named("my.kind")
    ('<items>', '<my·kind>')
    """
    return f"<{str(thing).replace('.', '·')}>"


def corrected(
    positive: Tensor, negative: Tensor, log_q: LogQ | None, of: LogQOf
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n m"]]:
    """Logits minus log q, q the probability that an item is among the candidates.

    ``all``: as in Yi et al. 2019 (Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations, equation 4); what all
    have in common then cancels. ``negatives``: the true one is always there, so its q is 1, and the sum over the candidates expects
    that over all items (Bengio and Senécal 2008, Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language
    Model, section III).

    >>> one = LogQ(torch.tensor([-1.0]), torch.tensor([-2.0, 0.0]))
    >>> corrected(torch.tensor([5.0]), torch.tensor([[1.0, 1.0]]), one, "all")
    (tensor([6.]), tensor([[3., 1.]]))
    """
    if log_q is None or of == "none":
        return positive, negative
    return positive - log_q.true if of == "all" else positive, negative - log_q.others


def masked_mean(values: Tensor, use: Tensor) -> Tensor:
    """Mean over the used entries of each row, then over the rows that have any; zero where none has."""
    counts = use.sum(1)
    rows = torch.where(use, values, torch.zeros_like(values)).sum(1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)


def of_relation(parameter: Tensor, relation: Tensor | None) -> Tensor:
    """Rows of a parameter [relations, ...] for each question, or the first row, to be broadcast, where there is one relation."""
    return parameter[:1] if relation is None else parameter.index_select(0, relation)


def one_relation(name: str, relations: int) -> None:
    """Raise SettingsError for a scorer that cannot tell several relations apart."""
    if relations > 1:
        todo = "choose complex, dist_mult, rescal, rotate or trans_e"
        raise SettingsError(f"the scorer {name} is for one relation", given=f"{relations} relations", todo=todo)
