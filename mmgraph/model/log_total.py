"""The normaliser of softmax losses, in blocks of links that stay in the cache."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_PAIRS_A_BLOCK = 1 << 17  # on CPU: half a megabyte of scores


class _LogTotal(torch.autograd.Function):
    """Keeps the softmax, which becomes the gradient: one table, where masking, joining and logsumexp by themselves keep four."""

    @staticmethod
    def forward(ctx: Any, positive: Tensor, negative: Tensor, use: Tensor) -> Tensor:
        links, candidates = negative.shape
        step = links if negative.is_cuda else max(1, _PAIRS_A_BLOCK // candidates)
        wide = torch.promote_types(negative.dtype, torch.float32)
        share = torch.empty_like(negative, dtype=wide)
        total = positive.to(wide, copy=True)
        for start in range(0, links, max(step, 1)):
            part = slice(start, start + step)
            scores = negative[part].to(wide).masked_fill(~use[part], -torch.inf)
            own = total[part]
            highest = torch.maximum(scores.amax(1), own)
            power = scores.sub_(highest[:, None]).exp_()
            mass = power.sum(1) + (own - highest).exp()
            torch.div(power, mass[:, None], out=share[part])
            own.copy_(highest + mass.log())
        ctx.save_for_backward(share, (positive - total).exp())
        ctx.dtypes = positive.dtype, negative.dtype
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        share, own = ctx.saved_tensors
        of_positive, of_negative = ctx.dtypes
        gradient = gradients[0]
        return (own * gradient).to(of_positive), (share * gradient[:, None]).to(of_negative), None


def log_total(positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]) -> Float[Tensor, "n"]:
    """log(exp(positive) + sum of exp(negative) over the used ones), at least in float32; a link without negatives keeps its own score.

    >>> log_total(torch.zeros(2), torch.zeros(2, 3), torch.tensor([[True, True, True], [False, False, False]])).exp()
    tensor([4., 1.])
    """
    if not negative.numel():
        return positive
    return _LogTotal.apply(positive, negative, use)  # type: ignore[no-untyped-call]
