"""SASRec: a small causal transformer over what each user has chosen, in order."""

import logging
from dataclasses import dataclass

import numpy as np
import torch

from mmgraph.evaluate.baselines.attention import Attentive, Plan, trained
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.sequences import Sequences
from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Edges
from mmgraph.types import Floats, Ints

_LOG = logging.getLogger(__name__)
_USERS = 1024  # read at once


@dataclass(frozen=True, kw_only=True)
class SASRec(LinkBaseline):
    """Score = inner product of an item's vector with what causal self-attention makes of the user's last ``length`` items (Kang &
    McAuley 2018, arXiv 1808.09781): learned positions, ``blocks`` of ``heads`` heads, one table of item vectors for both ends.

    Trained to tell the next item at every place by a softmax over all items, or over ``candidates`` drawn by chance where there are more
    (Klenitskiy & Vasilev 2023, arXiv 2309.07602: better than the paper's one negative). The epoch is that of the best NDCG on validation;
    after ``patience`` epochs without a better one training ends. Left out where order tells nothing, or ``fewest`` users have three items.
    """

    width: int = 64
    length: int = 50
    blocks: int = 2
    heads: int = 2
    dropout: float = 0.2
    learning_rate: float = 0.001
    batch: int = 128
    candidates: int = 512
    epochs: int = 40
    patience: int = 4
    fewest: int = 100

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Train; left out, with a word in the log, where there are too few users or it needs more than 4 GiB."""
        seen = Sequences.of(question)
        if seen is None:
            return []
        enough = int((seen.lengths >= 3).sum())
        if enough < self.fewest:
            _LOG.info("baseline sasrec left out: %d users have three links or more, it wants %d", enough, self.fewest)
            return []
        if not fits_in_memory(
            "sasrec", 8 * self.length * len(seen.lengths) + 16 * self.width * (seen.count + len(seen.lengths))
        ):
            return []
        plan = Plan(self.batch, self.candidates, self.epochs, self.patience, self.learning_rate, question.seed)

        def made() -> Attentive:
            return Attentive(seen.count, self.width, self.length, self.blocks, self.heads, self.dropout)

        model = trained(made, plan, seen, question, lambda one: _SASRec(seen, one))
        return [_SASRec(seen, model)]


class _SASRec(LinkMethod):
    name = "sasrec"

    def __init__(self, seen: Sequences, model: Attentive) -> None:
        self._seen, self._model = seen, model
        self._users = users_of(seen, model)
        self._items = model.items.weight.detach()[:-1].numpy()

    def knowing(self, newer: Edges) -> LinkMethod:
        """See LinkMethod: the same weights, which read what is newer as well."""
        return _SASRec(self._seen.longer(newer), self._model)

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """See LinkMethod; somebody without a link scores 0 everywhere."""
        if direction == "target":
            return np.asarray(self._users[queries] @ self._items.T, np.float32)
        return np.asarray(self._items[queries] @ self._users.T, np.float32)


@torch.no_grad()
def users_of(seen: Sequences, model: Attentive) -> Floats:
    """What is read of every source, float32 [sources, width]; 0 of one without a link."""
    model.eval()
    count = len(seen.lengths)
    found = np.zeros((count, model.width), np.float32)
    for start in range(0, count, _USERS):
        part = np.arange(start, min(start + _USERS, count))
        part = part[seen.lengths[part] > 0]
        if len(part):
            items = torch.from_numpy(seen.last(part, model.length))
            rows = model(items)
            found[part] = rows[torch.arange(len(part)), (items >= 0).sum(1) - 1].numpy()
    return found
