"""Contrastive loss."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, corrected
from mmgraph.model.log_total import log_total
from mmgraph.sample.batch import LogQ


class InfoNCE(LinkLoss):
    """Cross-entropy of the true one among itself and the negatives (van den Oord et al. 2018, arXiv 1807.03748, equation 4).

    With drawn negatives it is the sampled softmax (Bengio and Senécal 2008; ``log_q: negatives`` makes it expect the softmax over all).
    ``temperature`` divides the scores. log_q: what is drawn more often is pushed down no more than others: log q is subtracted from the
    scores of ``negatives``, or of ``all`` (see ``corrected``), after the temperature.
    """

    def __init__(self, *, temperature: float = 1.0, log_q: Literal["none", "negatives", "all"] = "none") -> None:
        super().__init__()
        self.temperature, self.log_q = temperature, log_q

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return self.drawn(positive, negative, use, None)

    def drawn(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"], log_q: LogQ | None
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        if self.temperature != 1.0:  # a table of scores is not copied for nothing
            positive, negative = positive / self.temperature, negative / self.temperature
        positive, negative = corrected(positive, negative, log_q, self.log_q)
        return (log_total(positive, negative, use) - positive).mean()
