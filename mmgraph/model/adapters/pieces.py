"""A top on many stored rows, some at a time, so that memory stays bounded forwards and backwards."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmgraph.encode.memory import KEPT_AT_MOST, PIECE_TOKENS
from mmgraph.encode.tuning import Top
from mmgraph.sample.batch import ModalityInput


def in_pieces(top: Top, given: ModalityInput) -> Float[Tensor, "items width"]:
    """Vectors of the rows that are present, zeros of the others.

    Rows of about one length make a piece, of up to 8192 tokens with padding. Activations stay where they are and go to the top's device
    piece by piece. Where the backward pass would keep more than 1 GiB of all pieces, each is computed again when its turn comes
    (Chen et al. 2016, arXiv 1604.06174): slower by a third, the same numbers.
    """
    stored = given.activations
    if stored is None:
        raise ValueError("tuning needs activations")
    rows = given.present.cpu().nonzero()[:, 0]
    counts = top.counts(stored)[rows]
    order = rows[torch.argsort(counts, stable=True)]
    device = next(top.parameters()).device
    again = torch.is_grad_enabled() and 4 * int(counts.sum()) * top.floats_kept() > KEPT_AT_MOST

    def piece(some: Tensor) -> Tensor:
        return top(stored[some].to(device))

    found = [
        checkpoint(piece, some, use_reentrant=False) if again else piece(some) for some in _pieces(order, counts.sort().values)
    ]
    vectors = torch.cat(found) if found else piece(order)
    every = vectors.new_zeros(len(stored), vectors.shape[1])
    return every.index_copy(0, order.to(device), vectors)


def _pieces(order: Tensor, counts: Tensor) -> list[Tensor]:
    """``order`` cut where the next row would pad a piece beyond PIECE_TOKENS; ``counts`` rise."""
    cuts, first = [], 0
    for position, longest in enumerate(counts.tolist()):
        if position > first and (position - first + 1) * longest > PIECE_TOKENS:
            cuts.append(position)
            first = position
    return [part for part in torch.tensor_split(order, cuts) if len(part)]
