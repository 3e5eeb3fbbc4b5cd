"""Messages that depend on the edge's relation, reduced at every node without an [edges, width] tensor.

Forwards and backwards pass over the graph chunk by chunk; what a chunk needs is made again for the gradient. Sums go through
``copy_sum``, so there is no atomic add and they are the same from run to run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mmgraph.model.messages import copy_sum
from mmgraph.model.scorers.complex import conjugate, product
from mmgraph.model.typed import Chunk


@dataclass(frozen=True)
class Message:
    """``make(h, r)``: what a node with vector h says through a relation with vector r; ``back(g, h, r)``: the gradients of both."""

    make: Callable[[Tensor, Tensor], Tensor]
    back: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


MESSAGES = {
    "dist_mult": Message(torch.mul, lambda g, h, r: (g * r, g * h)),
    "trans_e": Message(torch.add, lambda g, *_: (g, g)),
    "rotate": Message(product, lambda g, h, r: (product(g, conjugate(r)), product(g, conjugate(h)))),
}
"""As Zhu et al. 2021 (arXiv 2106.06935, table 1) take them from DistMult (h r), TransE (h + r) and RotatE (complex h r)."""


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, relations: Tensor, chunks: Sequence[Chunk], message: Message) -> Tensor:
        ctx.chunks, ctx.message = chunks, message
        ctx.save_for_backward(rows, relations)
        total = torch.zeros_like(rows)
        for chunk in chunks:
            total.index_add_(0, chunk.targets, _summed(chunk.heard, _made(chunk, rows, relations, message)))
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        rows, relations = ctx.saved_tensors
        found = torch.zeros_like(rows), torch.zeros_like(relations)
        for chunk in ctx.chunks:
            gradient = _summed(chunk.told, gradients[0].index_select(0, chunk.targets))
            _add(found, chunk, gradient, rows, relations, ctx.message)
        return *found, None, None


class _Moments(torch.autograd.Function):
    """Sum, sum of squares, highest and lowest of the messages; -inf and inf where a node hears nothing."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, relations: Tensor, chunks: Sequence[Chunk], message: Message
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        total, squares = torch.zeros_like(rows), torch.zeros_like(rows)
        highest, lowest = torch.full_like(rows, -torch.inf), torch.full_like(rows, torch.inf)
        for chunk in chunks:
            made = _made(chunk, rows, relations, message)
            total.index_add_(0, chunk.targets, _summed(chunk.heard, made))
            squares.index_add_(0, chunk.targets, _summed(chunk.heard, made.square()))
            each = made.index_select(0, chunk.heard.sources)
            ends = chunk.targets[chunk.heard.targets].view(-1, *[1] * (rows.ndim - 1)).expand_as(each)
            highest.scatter_reduce_(0, ends, each, "amax")
            lowest.scatter_reduce_(0, ends, each, "amin")
        ctx.chunks, ctx.message = chunks, message
        ctx.save_for_backward(rows, relations, highest, lowest)
        return total, squares, highest, lowest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Of the highest and the lowest the gradient goes to every message that is as high or low, as in the paper's code."""
        rows, relations, highest, lowest = ctx.saved_tensors
        of_total, of_squares, of_highest, of_lowest = gradients
        found = torch.zeros_like(rows), torch.zeros_like(relations)
        for chunk in ctx.chunks:
            made = _made(chunk, rows, relations, ctx.message)
            gradient = _summed(chunk.told, of_squares.index_select(0, chunk.targets)).mul_(made).mul_(2)
            gradient.add_(_summed(chunk.told, of_total.index_select(0, chunk.targets)))
            each, ends = made.index_select(0, chunk.heard.sources), chunk.targets[chunk.heard.targets]
            chosen = of_highest.index_select(0, ends).mul_(each == highest.index_select(0, ends))
            chosen.add_(of_lowest.index_select(0, ends).mul_(each == lowest.index_select(0, ends)))
            gradient.add_(_summed(chunk.of_edges, chosen))
            _add(found, chunk, gradient, rows, relations, ctx.message)
        return *found, None, None


def relational_sum(
    rows: Float[Tensor, "nodes queries width"],
    relations: Float[Tensor, "relations queries width"],
    chunks: Sequence[Chunk],
    message: Message,
) -> Float[Tensor, "nodes queries width"]:
    """Sum of the messages at every node; zero where there is none."""
    return _Sum.apply(rows, relations, chunks, message)  # type: ignore[no-untyped-call]


def relational_moments(
    rows: Float[Tensor, "nodes queries width"],
    relations: Float[Tensor, "relations queries width"],
    chunks: Sequence[Chunk],
    message: Message,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sum, sum of squares, highest (-inf without messages) and lowest (inf) of the messages at every node, each as ``rows``."""
    return _Moments.apply(rows, relations, chunks, message)  # type: ignore[no-untyped-call]


def _made(chunk: Chunk, rows: Tensor, relations: Tensor, message: Message) -> Tensor:
    return message.make(rows.index_select(0, chunk.source), relations.index_select(0, chunk.relation))


def _summed(adjacency: Any, rows: Tensor) -> Tensor:
    return copy_sum(adjacency, rows.flatten(1)).view(-1, *rows.shape[1:])


def _add(
    found: tuple[Tensor, Tensor], chunk: Chunk, gradient: Tensor, rows: Tensor, relations: Tensor, message: Message
) -> None:
    """Add what the gradient of a chunk's pairs gives to the nodes' and the relations'."""
    h, r = rows.index_select(0, chunk.source), relations.index_select(0, chunk.relation)
    of_rows, of_relations = message.back(gradient, h, r)
    nodes, pairs_of_node = chunk.of_sources
    found[0].index_add_(0, nodes, _summed(pairs_of_node, of_rows))
    numbers, pairs_of_relation = chunk.of_relations
    found[1].index_add_(0, numbers, _summed(pairs_of_relation, of_relations))
