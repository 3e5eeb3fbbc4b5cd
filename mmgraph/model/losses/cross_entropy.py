"""Softmax over the true one and its candidates, with smoothed labels."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.model.contract import LinkLoss, corrected
from mmgraph.sample.batch import LogQ


class CrossEntropy(LinkLoss):
    """With the negative sampler ``every`` this is 1-vs-all training (Lacroix et al. 2018, arXiv 1806.07297, section 2).

    label_smoothing: share of the truth that is spread evenly over all candidates (Szegedy et al. 2016, section 7). log_q: subtracted
    from the scores of ``negatives``, or of ``all``, where candidates are drawn (see ``corrected``).
    """

    def __init__(self, *, label_smoothing: float = 0.0, log_q: Literal["none", "negatives", "all"] = "none") -> None:
        super().__init__()
        self.label_smoothing, self.log_q = label_smoothing, log_q

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        return self.drawn(positive, negative, use, None)

    def drawn(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"], log_q: LogQ | None
    ) -> Float[Tensor, ""]:
        """See LinkLoss."""
        positive, negative = corrected(positive, negative, log_q, self.log_q)
        total: Tensor = _LogSumExp.apply(positive, negative, use)  # type: ignore[no-untyped-call]
        loss = total - positive
        if self.label_smoothing:
            held = torch.where(use, negative, torch.zeros_like(negative)).sum(1) + positive
            mean = held / (use.sum(1) + 1)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * (total - mean)
        return loss.mean()


class _LogSumExp(torch.autograd.Function):
    """log(e^positive + sum of e^negative where used), float [n]. One table is kept for the gradient and becomes it, where
    masking, joining and logsumexp by themselves keep four: on a CPU, the larger part of a step of 1-vs-all training.
    """

    @staticmethod
    def forward(ctx: Any, positive: Tensor, negative: Tensor, use: Tensor) -> Tensor:
        share = negative.masked_fill(~use, -torch.inf)
        most = torch.maximum(share.amax(1), positive) if share.shape[1] else positive
        share.sub_(most[:, None]).exp_()
        own = (positive - most).exp()
        total = share.sum(1) + own
        ctx.save_for_backward(share.div_(total[:, None]), own / total)
        return total.log() + most

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        share, own = ctx.saved_tensors
        return own * gradient, share * gradient[:, None], None
