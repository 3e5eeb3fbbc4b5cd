"""The transformer of SASRec, and its training in Lightning, whose epoch validation chooses."""

import copy
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.evaluate.baselines.choice import sample_of
from mmgraph.evaluate.baselines.sequences import Sequences
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.worth import worth
from mmgraph.types import Ints

_LOG = logging.getLogger(__name__)
_STEPS = 30  # of an epoch at least: few users are passed over more than once
_LISTS = 1000  # whose NDCG on validation chooses the epoch


class Attentive(nn.Module):
    """Sequences of items -> one vector a place, which knows the places before it and its own (Kang & McAuley 2018, section III).

    A sequence begins at place 0 and is filled up with -1 at its end, which no place of it looks at.
    """

    def __init__(self, count: int, width: int, length: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.width, self.length = width, length
        self.items = nn.Embedding(count + 1, width, padding_idx=count)
        self.places = nn.Embedding(length, width)
        for table in (self.items, self.places):
            nn.init.normal_(table.weight, std=width**-0.5)
        with torch.no_grad():
            self.items.weight[count] = 0.0
        block = nn.TransformerEncoderLayer(width, heads, width, dropout, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, blocks, nn.LayerNorm(width), enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, items: Int[Tensor, "users places"]) -> Float[Tensor, "users places width"]:
        """At most ``length`` places."""
        places = items.shape[1]
        rows = self.items(torch.where(items < 0, self.items.num_embeddings - 1, items)) * self.width**0.5
        rows = self.dropout(rows + self.places.weight[:places])
        future = torch.ones(places, places, dtype=torch.bool, device=items.device).triu(1)
        read: Tensor = self.blocks(rows, mask=future)
        return read

    def loss(self, items: Int[Tensor, "users longer"], candidates: Int[Tensor, "m"] | None) -> Float[Tensor, ""]:
        """Mean over all places but the last of minus the log-probability of the item at the next, among all items or the ``candidates``,
        each of which then stands for several.
        """
        before, after = items[:, :-1], items[:, 1:]
        there = after >= 0
        rows, true = self(before)[there], after[there]
        table = self.items.weight[:-1]
        if candidates is None:
            return F.cross_entropy(rows @ table.T, true)
        own = (rows * table[true]).sum(1, keepdim=True)
        others = rows @ table[candidates].T + float(np.log((len(table) - 1) / len(candidates)))
        others = others.masked_fill(candidates[None] == true[:, None], float("-inf"))
        return F.cross_entropy(torch.cat([own, others], 1), torch.zeros_like(true))


@dataclass(frozen=True)
class Plan:
    """How it is trained; see SASRec."""

    batch: int
    candidates: int
    epochs: int
    patience: int
    learning_rate: float
    seed: int


class _Training(lightning.LightningModule):
    """Keeps the weights of the epoch that ``figure`` likes best."""

    def __init__(self, model: Attentive, plan: Plan, count: int, figure: Callable[[Attentive], float] | None) -> None:
        super().__init__()
        self.model, self._plan, self._count, self._figure = model, plan, count, figure
        self.best, self._value, self._since = copy.deepcopy(model.state_dict()), -np.inf, 0

    def training_step(self, items: Tensor, number: int) -> Tensor:
        """Seeded by epoch and batch."""
        torch.manual_seed((self._plan.seed * 1_000_003 + self.current_epoch) * 1_000_003 + number)
        some = torch.randperm(self._count)[: self._plan.candidates] if self._count > self._plan.candidates else None
        return self.model.loss(items, some)

    def on_train_epoch_end(self) -> None:
        """Look at validation, and stop where nothing has been better for long."""
        value = self._figure(self.model) if self._figure else float(self.current_epoch)
        self.model.train()
        if value > self._value:
            self.best, self._value, self._since = copy.deepcopy(self.model.state_dict()), value, 0
            return
        self._since += 1
        self.trainer.should_stop = self._since >= self._plan.patience

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as the paper."""
        return torch.optim.Adam(self.model.parameters(), lr=self._plan.learning_rate, betas=(0.9, 0.98))


def trained(
    made: Callable[[], Attentive],
    plan: Plan,
    seen: Sequences,
    question: LinkQuestion,
    method: Callable[[Attentive], LinkMethod],
) -> Attentive:
    """A model at the epoch whose ``method`` does best on validation; the same seed gives the same weights, whatever else is drawn."""
    judged = sample_of(question, _LISTS, 0x5A5)

    def figure(model: Attentive) -> float:
        return float(worth(method(model), question, judged)[question.judged(judged)].mean())

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # devices that are not used, and advice
        torch.manual_seed(plan.seed)
        model = made()
        training = _Training(model, plan, seen.count, figure if len(judged) else None)
        _trainer(plan).fit(training, _Batches(seen, model.length + 1, plan))
        model.load_state_dict(training.best)
    _LOG.info("sasrec: %s %.4f on validation", question.figure, training._value)
    return model.eval()


def _trainer(plan: Plan) -> lightning.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    return lightning.Trainer(
        max_epochs=plan.epochs, accelerator="cpu", devices=1, log_every_n_steps=1, gradient_clip_val=5.0, **quiet
    )


class _Batches:
    """The users who have two items or more, in an order that is drawn anew each epoch: int64 [users, places] of their newest items."""

    def __init__(self, seen: Sequences, places: int, plan: Plan) -> None:
        self._seen, self._places, self._plan = seen, places, plan
        self._users = np.flatnonzero(seen.lengths > 1)
        self._epoch = 0

    def __len__(self) -> int:
        return max(-(-len(self._users) // self._plan.batch), _STEPS)

    def __iter__(self) -> Any:
        rng = np.random.default_rng([self._plan.seed, self._epoch])
        self._epoch += 1
        wanted = len(self) * self._plan.batch
        rounds: list[Ints] = [rng.permutation(self._users) for _ in range(-(-wanted // len(self._users)))]
        users = np.concatenate(rounds)[: max(wanted, len(self._users))]
        for part in np.array_split(users, len(self)):
            items = self._seen.last(part, self._places)
            yield torch.from_numpy(items[:, : max(int((items >= 0).sum(1).max()), 2)])
