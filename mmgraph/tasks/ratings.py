"""The head of ratings: from the vectors of a user and an item to a number on a scale, or to chances of its levels."""

import abc
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.model.contract import Embeddings, Head
from mmgraph.sample.batch import Batch
from mmgraph.tasks.rated import RatingQuestion, r2
from mmgraph.types import Floats, Ints

_PAIRS = 2**16  # scored at once


class Pairs(nn.Module):
    """Two vectors to ``outs`` numbers: linear in each, and in the products of their maps (He et al. 2017, Neural Collaborative Filtering,
    equation 9, with biases).
    """

    def __init__(self, width: int, outs: int) -> None:
        super().__init__()
        self.map_source, self.map_target = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.of_source, self.of_target = nn.Linear(width, outs, bias=False), nn.Linear(width, outs, bias=False)
        self.between = nn.Linear(width, outs, bias=False)

    def forward(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, "n outs"]:
        """Row by row."""
        product = self.map_source(source) * self.map_target(target)
        out: Tensor = self.of_source(source) + self.of_target(target) + self.between(product)
        return out

    def table(self, source: Float[Tensor, "n width"], target: Float[Tensor, "m width"]) -> Float[Tensor, "n m outs"]:
        """Of every source with every target: maps are applied once a row, and products of all pairs are one of matrices."""
        weighed = self.map_source(source)[:, None] * self.between.weight
        product = (weighed.flatten(0, 1) @ self.map_target(target).T).unflatten(0, weighed.shape[:2]).transpose(1, 2)
        out: Tensor = product + self.of_source(source)[:, None] + self.of_target(target)
        return out


class Form(nn.Module, abc.ABC):
    """What the numbers of a pair mean. ``outs``: how many there are."""

    outs: int

    @abc.abstractmethod
    def loss(self, said: Float[Tensor, "n outs"], rating: Float[Tensor, "n"]) -> Float[Tensor, ""]:
        """Mean over pairs."""

    @abc.abstractmethod
    def expected(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n"]:
        """The mean of the rating."""

    def chances(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n levels"] | None:
        """How likely each level is; None where the form does not say."""
        return None


class Squared(Form):
    """A number with squared error, beginning at the mean."""

    outs = 1

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean))

    def loss(self, said: Float[Tensor, "n outs"], rating: Float[Tensor, "n"]) -> Float[Tensor, ""]:
        """Mean squared error."""
        return F.mse_loss(self.expected(said), rating)

    def expected(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n"]:
        """Mean plus what the pair says."""
        return self.mean + said[:, 0]


class Levels(Form):
    """Chances of levels. ``levels`` float32 [levels], lowest first; ``share``: of the ratings that are of each level, where it begins."""

    levels: Tensor

    def __init__(self, levels: Floats, share: Floats) -> None:
        super().__init__()
        self.register_buffer("levels", torch.from_numpy(levels), persistent=False)

    def level(self, rating: Float[Tensor, "n"]) -> Int[Tensor, "n"]:
        """The place of each rating, which is one of the levels."""
        return torch.searchsorted((self.levels[1:] + self.levels[:-1]) / 2, rating)

    def expected(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n"]:
        """Mean of the levels by their chances."""
        return self.chances(said) @ self.levels

    @abc.abstractmethod
    def chances(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n levels"]:
        """See Form."""


class CrossEntropy(Levels):
    """A softmax over the levels, which knows no order of theirs."""

    def __init__(self, levels: Floats, share: Floats) -> None:
        super().__init__(levels, share)
        self.outs = len(levels)
        self.start = nn.Parameter(torch.from_numpy(np.log(share)))

    def loss(self, said: Float[Tensor, "n outs"], rating: Float[Tensor, "n"]) -> Float[Tensor, ""]:
        """Mean cross-entropy."""
        return F.cross_entropy(self.start + said, self.level(rating))

    def chances(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n levels"]:
        """Softmax."""
        return torch.softmax(self.start + said, 1)


class Ordinal(Levels):
    """One number against rising thresholds: P(rating > level k) = σ(s - θ_k) (McCullagh 1980, Regression Models for Ordinal Data; trained
    threshold by threshold, as CORAL: Cao, Mirjalili & Raschka 2020, arXiv 1901.07884).
    """

    outs = 1

    def __init__(self, levels: Floats, share: Floats) -> None:
        super().__init__(levels, share)
        below = np.cumsum(share)[:-1].clip(1e-4, 1 - 1e-4)
        start = np.log(below / (1 - below))
        step = np.diff(start).clip(1e-3)
        self.first = nn.Parameter(torch.tensor(start[0], dtype=torch.float32))
        self.steps = nn.Parameter(torch.from_numpy(np.log(np.expm1(step)).astype(np.float32)))  # softplus gives the steps back

    @property
    def thresholds(self) -> Float[Tensor, "between"]:
        """θ, each above the one before."""
        return torch.cat([self.first[None], self.first + torch.cumsum(F.softplus(self.steps), 0)])

    def loss(self, said: Float[Tensor, "n outs"], rating: Float[Tensor, "n"]) -> Float[Tensor, ""]:
        """Mean binary cross-entropy of the thresholds."""
        above = self.level(rating)[:, None] > torch.arange(len(self.levels) - 1, device=rating.device)
        return F.binary_cross_entropy_with_logits(said - self.thresholds, above.float())

    def chances(self, said: Float[Tensor, "n outs"]) -> Float[Tensor, "n levels"]:
        """Differences of neighbouring thresholds' chances."""
        above = torch.sigmoid(said - self.thresholds)
        one, none = torch.ones_like(said), torch.zeros_like(said)
        return -torch.diff(torch.cat([one, above, none], 1), dim=1)


class RatingsHead(Head):
    """Predicts the weights of one relation's links; R² on validation chooses the epoch."""

    def __init__(self, question: RatingQuestion, width: int, form: Form, weight: float) -> None:
        super().__init__()
        self.relation, self.scale = question.split.relation, question.scale
        self.name, self.weight, self.form = question.name, weight, form
        self.kinds = (self.relation.source, self.relation.target)
        self.figure = question.figure if len(question.split.valid) else None
        self.pairs = Pairs(width, form.outs)
        self._valid, self._mean = question.valid, question.train.mean

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """As the form says, of the ratings asked."""
        asked = batch.links[self.name]
        assert asked.weight is not None
        said = self.pairs(embeddings[self.kinds[0]][asked.source], embeddings[self.kinds[1]][asked.target])
        return self.form.loss(said, asked.weight)

    def items(self, batch: Batch) -> dict[str, Tensor]:
        """See Head: both ends of what is rated."""
        return batch.links[self.name].items(self.relation)

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """R² first, then rmse and mae, whose sign is turned: higher is better."""
        if not len(self._valid):
            return {}
        found, _ = self.answers(embeddings, self._valid.source, self._valid.target)
        expected = np.clip(found.astype(np.float64), *self.scale)
        apart = expected - self._valid.value
        errors = {"minus_rmse": -float(np.sqrt((apart**2).mean())), "minus_mae": -float(np.abs(apart).mean())}
        return {"r2": r2(expected, self._valid.value, self._mean), **errors}

    @torch.no_grad()
    def answers(self, embeddings: Embeddings, source: Ints, target: Ints) -> tuple[Floats, Floats | None]:
        """Expected ratings float32 [pairs], and chances float32 [pairs, levels] where the form has them."""
        expected, chances = [np.zeros(0, np.float32)], list[Floats]()
        device = embeddings[self.kinds[0]].device
        for start in range(0, len(source), _PAIRS):
            part = slice(start, start + _PAIRS)
            ends = (torch.from_numpy(one[part]).to(device) for one in (source, target))
            rows = [embeddings[kind].index_select(0, end) for kind, end in zip(self.kinds, ends, strict=True)]
            said = self.pairs(*rows)
            expected.append(self.form.expected(said).float().cpu().numpy())
            likely = self.form.chances(said)
            if likely is not None:
                chances.append(likely.float().cpu().numpy())
        return np.concatenate(expected), np.concatenate(chances) if chances else None

    @torch.no_grad()
    def table(self, embeddings: Embeddings, source: Ints) -> Floats:
        """Expected ratings float32 [sources, targets] of every target."""
        of_source, of_target = (embeddings[kind] for kind in self.kinds)
        said = self.pairs.table(of_source.index_select(0, torch.from_numpy(source).to(of_source.device)), of_target)
        expected = self.form.expected(said.flatten(0, 1)).float().cpu()
        return np.asarray(expected.view(len(source), len(of_target)).numpy(), np.float32)

    def validation_bytes(self, counts: Mapping[str, int], width: int) -> int:
        """See Head: what a block of pairs takes."""
        return 4 * 4 * width * min(_PAIRS, len(self._valid))
