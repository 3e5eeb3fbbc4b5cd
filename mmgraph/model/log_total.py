"""The normaliser of softmax losses."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class _LogTotal(torch.autograd.Function):
    """Keeps the softmax, which becomes the gradient: one table, where masking, joining and logsumexp by themselves keep four."""

    @staticmethod
    def forward(ctx: Any, positive: Tensor, negative: Tensor, use: Tensor) -> Tensor:
        links, candidates = negative.shape
        wide = torch.promote_types(negative.dtype, torch.float32)
        share = negative.new_empty(links, candidates + 1, dtype=wide)
        share[:, 0] = positive
        share[:, 1:] = negative
        share[:, 1:].masked_fill_(~use, -torch.inf)
        highest = share.amax(1)
        torch.softmax(share, 1, out=share)
        ctx.save_for_backward(share)
        ctx.dtypes = positive.dtype, negative.dtype
        return highest - share.amax(1).log()  # the highest score's share is one over the total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (share,) = ctx.saved_tensors
        of_positive, of_negative = ctx.dtypes
        gradient = gradients[0]
        return (share[:, 0] * gradient).to(of_positive), (share[:, 1:] * gradient[:, None]).to(of_negative), None


def log_total(positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]) -> Float[Tensor, "n"]:
    """log(exp(positive) + sum of exp(negative) over the used ones), at least in float32; a link without negatives keeps its own score.

    >>> log_total(torch.zeros(2), torch.zeros(2, 3), torch.tensor([[True, True, True], [False, False, False]])).exp()
    tensor([4., 1.])
    """
    if not negative.numel():
        return positive
    return _LogTotal.apply(positive, negative, use)  # type: ignore[no-untyped-call]
