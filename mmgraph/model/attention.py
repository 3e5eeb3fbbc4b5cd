"""Attention of sources at targets whose logits are sums of a part of each end (GAT): nothing as wide as the rows is kept for an edge."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mmgraph.model.messages import edge_highest, edge_sum, weighted_rows
from mmgraph.sample.adjacency import Adjacency

_NEAR = 40.0  # the power of a logit so far below is still far from the smallest number of float32


class _Attend(torch.autograd.Function):
    """With e = power of an edge's logit, y = sum of e x / z at a target, and g what arrives there divided by z, the gradient of a logit is
    e (<x, g> - <y, g>). Logits are sums, so that it is only ever summed over a node's edges, and the inner product is taken after the sum:
    no edge-wise inner product is made, which costs as much as four sums.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, left: Tensor, right: Tensor, adjacency: Adjacency, slope: float) -> Tensor:
        left, right = left.float(), right.float()
        logits = left.index_select(0, adjacency.sources)
        logits += right.index_select(0, adjacency.targets)
        rising = logits > 0
        F.leaky_relu_(logits, slope)
        power = logits.sub_(_shift(adjacency, left, right, slope, logits).index_select(0, adjacency.targets)).exp_()
        total = edge_sum(adjacency, power)
        total.masked_fill_(total == 0, 1)  # a target without sources
        (out,) = weighted_rows(adjacency.sources, rows, adjacency.indptr, power)
        out /= total[..., None]
        ctx.adjacency, ctx.slope = adjacency, slope
        ctx.save_for_backward(rows, power, rising, total, out)
        return out.to(rows.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        rows, power, rising, total, out = ctx.saved_tensors
        adjacency, back = ctx.adjacency, ctx.adjacency.transposed
        arrived = out.new_empty(*out.shape[:2], out.shape[2] + 1)  # and beside it its inner product with what the target heard
        torch.div(gradients[0], total[..., None], out=arrived[..., :-1])
        torch.sum(out * arrived[..., :-1], -1, out=arrived[..., -1])
        bent = torch.where(rising, power, power * ctx.slope)
        both = torch.cat([power, bent], 1).index_select(0, back.order).chunk(2, 1)
        of_rows, of_source = weighted_rows(back.targets, arrived, back.indptr, *both)
        (of_target,) = weighted_rows(adjacency.sources, rows, adjacency.indptr, bent)
        arrived, held = arrived[..., :-1], arrived[..., -1]
        of_left = (rows * of_source[..., :-1]).sum(-1) - of_source[..., -1]
        of_right = (of_target * arrived).sum(-1) - held * edge_sum(adjacency, bent)
        return of_rows[..., :-1].to(rows.dtype), of_left.to(rows.dtype), of_right.to(rows.dtype), None, None


def _shift(adjacency: Adjacency, left: Tensor, right: Tensor, slope: float, logits: Tensor) -> Tensor:
    """[targets, heads]: what is subtracted before the power is taken: at least the highest logit of the target, and not much more."""
    looked = type(left) is Tensor and left.device.type == "cpu"  # neither a stand-in without contents, nor waited for
    if looked and left.numel() and 0 <= slope <= 1:
        highest = left.amax(0)
        if float((highest - left.amin(0)).max()) < _NEAR:
            return F.leaky_relu(highest + right, slope)
    return edge_highest(adjacency, logits)


def attend(
    adjacency: Adjacency,
    rows: Float[Tensor, "sources heads width"],
    left: Float[Tensor, "sources heads"],
    right: Float[Tensor, "targets heads"],
    slope: float,
) -> Float[Tensor, "targets heads width"]:
    """Mean of the sources' rows at every target, weighted by the softmax of ``leaky_relu(left + right)`` over its edges.

    Zero where there is none. Velickovic et al. 2018 (arXiv 1710.10903, equations 3 and 4). All three are of one dtype.
    """
    return _Attend.apply(rows, left, right, adjacency, slope)  # type: ignore[no-untyped-call]
