"""The head of a field whose items may have several values."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmgraph.model.contract import Embeddings, Head
from mmgraph.sample.batch import Batch
from mmgraph.split.contract import LabelSplit
from mmgraph.tasks.label_loss import SeveralLoss


class SeveralHead(Head):
    """Every class by itself, yes or no; label ranking average precision on validation chooses the epoch."""

    def __init__(self, split: LabelSplit, width: int, weight: float, compare: SeveralLoss) -> None:
        super().__init__()
        labels = split.labels
        self.name, self.weight, self.kind = labels.target, weight, labels.kind
        self.kinds, self.figure = (labels.kind,), "lrap" if len(split.valid) else None
        self.compare = compare
        self.classify = nn.Linear(width, len(labels.classes))
        self._valid = torch.from_numpy(split.valid), torch.from_numpy(labels.has(split.valid))

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Mean binary cross-entropy, as ``SeveralLoss`` balances it."""
        asked = batch.labels[self.name]
        loss: Tensor = self.compare(self.classify(embeddings[self.kind][asked.items]), asked.classes)
        return loss

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """Label ranking average precision, and the mean log-likelihood of an answer."""
        items, has = self._valid
        if not len(items):
            return {}
        logits = self.classify(embeddings[self.kind][items]).float().cpu()
        loss = F.binary_cross_entropy_with_logits(logits, has.float())
        return {"lrap": lrap(logits, has), "log_likelihood": -float(loss)}

    @torch.no_grad()
    def probabilities(self, embeddings: Embeddings) -> Float[Tensor, "items classes"]:
        """Of every item of the kind: of each class by itself, so that rows sum to anything."""
        return torch.sigmoid(self.classify(self.vectors(embeddings)).float()).cpu()

    def vectors(self, embeddings: Embeddings) -> Tensor:
        """What classes are read from: [items, width] of every item of the kind."""
        return embeddings[self.kind]


def lrap(scores: Float[Tensor, "items classes"], has: Bool[Tensor, "items classes"]) -> float:
    """Label ranking average precision: the mean over items, and their true classes, of the share of true classes among those that
    are ranked as high (Schapire & Singer 2000, BoosTexter; ties count as above).

    >>> round(lrap(torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[True, False, True]])), 4)
    0.8333
    """
    order = scores.argsort(dim=1, descending=True)
    ranked, true = scores.gather(1, order), has.gather(1, order)
    width = scores.shape[1]
    last = torch.ones_like(true)
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    ends = torch.where(last, torch.arange(width), width)
    ends = ends.flip(1).cummin(1).values.flip(1)
    share = true.cumsum(1).gather(1, ends) / (ends + 1)
    return float(((share * true).sum(1) / true.sum(1).clamp(min=1)).mean())
