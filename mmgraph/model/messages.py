"""Message passing on an Adjacency, in torch alone: the same code on CPU and CUDA.

Forward reduces along the edges grouped by target, backward along the edges grouped by source; both are gathers through
``embedding_bag``, so there is no atomic add, no [edges, width] temporary, and the sum is the same from run to run. DESIGN.md
section 4 has the measurements that chose this form. A test holds it equal to DGL's own kernels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block, Matrix

_EDGES_A_CHUNK = 4096  # of the edge-wise dot product on CPU: fits the second-level cache at width 256


def _bag(index: Tensor, rows: Tensor, indptr: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sum of ``rows[index]`` over each stretch of indptr, in float32."""
    weight = None if weight is None else weight.float().contiguous()
    return F.embedding_bag(
        index, rows.float().contiguous(), indptr, mode="sum", include_last_offset=True, per_sample_weights=weight
    )


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency, ctx.dtype = adjacency, rows.dtype
        return _bag(adjacency.sources, rows, adjacency.indptr).to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        back = ctx.adjacency.transposed
        return _bag(back.targets, gradients[0], back.indptr).to(ctx.dtype), None


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        ctx.save_for_backward(rows, weight)
        return weighted_rows(adjacency.sources, rows, adjacency.indptr, weight)[0].to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        rows, weight = ctx.saved_tensors
        back = ctx.adjacency.transposed
        gradient = gradients[0].contiguous()
        of_rows = of_weight = None
        if ctx.needs_input_grad[0]:
            (of_rows,) = weighted_rows(back.targets, gradient, back.indptr, weight.index_select(0, back.order))
            of_rows = of_rows.to(rows.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = _edge_dot(ctx.adjacency, rows, gradient).to(weight.dtype)
        return of_rows, of_weight, None


class _Product(torch.autograd.Function):
    """Weights that are not learned: they are kept in both orders, and only the rows have a gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Matrix) -> Tensor:
        ctx.matrix, ctx.dtype = matrix, rows.dtype
        return _bag(matrix.adjacency.sources, rows, matrix.adjacency.indptr, matrix.weight).to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        back = ctx.matrix.adjacency.transposed
        return _bag(back.targets, gradients[0], back.indptr, ctx.matrix.weight_back).to(ctx.dtype), None


class _ToEdges(torch.autograd.Function):
    """Values of nodes -> values of their edges; the gradient is a sum over each node's edges."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, adjacency: Adjacency, side: str) -> Tensor:
        ctx.adjacency, ctx.side = adjacency, side
        return values.index_select(0, adjacency.sources if side == "source" else adjacency.targets)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0]
        if ctx.side == "source":
            back = ctx.adjacency.transposed
            return _bag(back.order, gradient, back.indptr).to(gradient.dtype), None, None
        return edge_sum(ctx.adjacency, gradient), None, None


class _SegmentSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        return edge_sum(adjacency, values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].index_select(0, ctx.adjacency.targets), None


class _EdgeDot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, targets: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        ctx.save_for_backward(rows, targets)
        return _edge_dot(adjacency, rows, targets)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, targets = ctx.saved_tensors
        adjacency, back, weight = ctx.adjacency, ctx.adjacency.transposed, gradients[0]
        (of_rows,) = weighted_rows(back.targets, targets, back.indptr, weight.index_select(0, back.order))
        (of_targets,) = weighted_rows(adjacency.sources, rows, adjacency.indptr, weight)
        return of_rows.to(rows.dtype), of_targets.to(targets.dtype), None


def weighted_rows(
    index: Int[Tensor, "edges"],
    rows: Float[Tensor, "n heads width"],
    indptr: Int[Tensor, "groups_plus_1"],
    *weights: Float[Tensor, "edges heads"],
) -> list[Float[Tensor, "groups heads width"]]:
    """Weighted sum of ``rows[index]`` over each stretch of indptr, for each of the weights, in float32; gradients are not followed."""
    heads = [rows[:, h].float().contiguous() for h in range(rows.shape[1])]
    return [torch.stack([_bag(index, x, indptr, one[:, h]) for h, x in enumerate(heads)], 1) for one in weights]


def edge_sum(adjacency: Adjacency, values: Float[Tensor, "edges heads"]) -> Float[Tensor, "targets heads"]:
    """Sum over the edges of each target; its gradient is not followed."""
    index = torch.arange(values.shape[0], device=values.device)
    return _bag(index, values, adjacency.indptr).to(values.dtype)


def _edge_dot(adjacency: Adjacency, rows: Tensor, gradient: Tensor) -> Tensor:
    """[edges, heads]: dot product of each edge's source row and target gradient, in chunks."""
    edges, (heads, width) = adjacency.sources.numel(), rows.shape[1:]
    rows, gradient = rows.flatten(1), gradient.flatten(1)
    chunk = 1 << 20 if rows.is_cuda else _EDGES_A_CHUNK
    dots = rows.new_empty(edges, heads)
    for start in range(0, edges, chunk):
        part = slice(start, start + chunk)
        product = rows.index_select(0, adjacency.sources[part])
        product.mul_(gradient.index_select(0, adjacency.targets[part]))
        torch.sum(product.view(-1, heads, width), -1, out=dots[part])
    return dots


def copy_sum(adjacency: Adjacency, rows: Float[Tensor, "sources width"]) -> Float[Tensor, "targets width"]:
    """Sum of the sources' rows at every target; zero where there is none."""
    return _Sum.apply(rows, adjacency)  # type: ignore[no-untyped-call]


def copy_mean(adjacency: Adjacency, rows: Float[Tensor, "sources width"]) -> Float[Tensor, "targets width"]:
    """Mean of the sources' rows at every target; zero where there is none."""
    return copy_sum(adjacency, rows) / adjacency.degree.clamp(min=1).to(rows.dtype)[:, None]


def segment_mean(adjacency: Adjacency, values: Float[Tensor, "edges width"]) -> Float[Tensor, "targets width"]:
    """Mean of the edges' own values at every target; zero where there is no edge."""
    total: Tensor = _SegmentSum.apply(values, adjacency)  # type: ignore[no-untyped-call]
    return total / adjacency.degree.clamp(min=1).to(values.dtype)[:, None]


def symmetric_sum(adjacency: Adjacency, rows: Float[Tensor, "sources width"]) -> Float[Tensor, "targets width"]:
    """Sum of the sources' rows / sqrt(deg(source) deg(target)) at every target (Kipf and Welling 2017, equation 2)."""
    back = adjacency.transposed.indptr
    of_source = (back[1:] - back[:-1]).clamp(min=1).to(rows.dtype).rsqrt()
    of_target = adjacency.degree.clamp(min=1).to(rows.dtype).rsqrt()
    return copy_sum(adjacency, rows * of_source[:, None]) * of_target[:, None]


def product(matrix: Matrix, rows: Float[Tensor, "sources width"]) -> Float[Tensor, "targets width"]:
    """Weighted sum of the sources' rows at every target; zero where there is none."""
    return _Product.apply(rows, matrix)  # type: ignore[no-untyped-call]


def products(block: Block, matrices: Sequence[Matrix], rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sum of the products with all matrices, zero where none leads: kind -> [sources, width] to kind -> [targets, width]."""
    out: dict[str, Tensor] = {}
    for matrix in matrices:
        heard = product(matrix, rows[matrix.source])
        out[matrix.target] = out[matrix.target] + heard if matrix.target in out else heard
    return {
        kind: out[kind] if kind in out else rows[kind].new_zeros(count, rows[kind].shape[1])
        for kind, count in block.num_targets.items()
    }


def smoothed(block: Block, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Product with the symmetric matrix with loops, over kinds and relations as if they were one: see ``Block.smoothing``.

    Kind -> [sources, width] to kind -> [targets, width].
    """
    out: dict[str, Tensor] = {}
    for (source, target), (adjacency, weight) in block.smoothing.items():
        heard = weighted_sum(adjacency, rows[source][:, None], weight[:, None])[:, 0]
        out[target] = out[target] + heard if target in out else heard
    return {kind: out[kind] for kind in block.num_targets}


def weighted_sum(
    adjacency: Adjacency, rows: Float[Tensor, "sources heads width"], weight: Float[Tensor, "edges heads"]
) -> Float[Tensor, "targets heads width"]:
    """Weighted sum of the sources' rows at every target, one weight an edge and head (edges in the adjacency's order)."""
    return _WeightedSum.apply(rows, weight, adjacency)  # type: ignore[no-untyped-call]


def edge_dot(
    adjacency: Adjacency, sources: Float[Tensor, "sources heads width"], targets: Float[Tensor, "targets heads width"]
) -> Float[Tensor, "edges heads"]:
    """Inner product of the two ends of every edge, without a row an edge (edges in the adjacency's order)."""
    return _EdgeDot.apply(sources, targets, adjacency)  # type: ignore[no-untyped-call]


def to_edges(adjacency: Adjacency, values: Float[Tensor, "nodes heads"], side: str) -> Float[Tensor, "edges heads"]:
    """The value of each edge's ``source`` or ``target``."""
    return _ToEdges.apply(values, adjacency, side)  # type: ignore[no-untyped-call]


def edge_highest(adjacency: Adjacency, values: Float[Tensor, "edges heads"]) -> Float[Tensor, "targets heads"]:
    """The highest value of each target's edges, -inf where there is none; its gradient is not followed."""
    highest = values.new_full((adjacency.num_targets, values.shape[1]), -torch.inf)
    return highest.scatter_reduce_(0, adjacency.targets[:, None].expand_as(values), values.detach(), "amax")


def edge_softmax(adjacency: Adjacency, logits: Float[Tensor, "edges heads"]) -> Float[Tensor, "edges heads"]:
    """Softmax over the edges of each target."""
    with torch.no_grad():
        shift = edge_highest(adjacency, logits).index_select(0, adjacency.targets)
    power = (logits - shift).exp()
    total: Tensor = _SegmentSum.apply(power, adjacency)  # type: ignore[no-untyped-call]
    return power / to_edges(adjacency, total, "target")


def joint_softmax(
    adjacencies: Sequence[Adjacency], logits: Sequence[Float[Tensor, "edges heads"]]
) -> list[Float[Tensor, "edges heads"]]:
    """Softmax over the edges of each target in all relations together; all adjacencies have the same targets."""
    with torch.no_grad():
        highest = logits[0].new_full((adjacencies[0].num_targets, logits[0].shape[1]), -torch.inf)
        for adjacency, one in zip(adjacencies, logits, strict=True):
            highest.scatter_reduce_(0, adjacency.targets[:, None].expand_as(one), one.detach(), "amax")
    pairs = list(zip(adjacencies, logits, strict=True))
    powers = [(one - highest.index_select(0, adjacency.targets)).exp() for adjacency, one in pairs]
    totals = [_SegmentSum.apply(power, a) for power, a in zip(powers, adjacencies, strict=True)]  # type: ignore[no-untyped-call]
    total = torch.stack(totals).sum(0)
    return [power / to_edges(adjacency, total, "target") for power, adjacency in zip(powers, adjacencies, strict=True)]
