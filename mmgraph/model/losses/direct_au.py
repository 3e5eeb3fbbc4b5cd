"""Alignment and uniformity."""

import math
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmgraph.errors import SettingsError
from mmgraph.model.contract import LinkLoss


class DirectAU(LinkLoss):
    """Squared distance of a link's two ends, and ``gamma`` times how far from evenly each side lies on the sphere.

    Wang et al. 2022 (arXiv 2206.12811, section 4): |s - t|^2, mean over links; and the mean of both sides' log of the mean of
    exp(-2 |x - y|^2) over pairs of different links. No negatives are drawn. ``sample``: links, by chance, whose pairs are taken where a
    step has more, since pairs take the square in memory; the paper's batches are 256 to 2,048.
    """

    cosines: ClassVar[bool] = True
    negatives: ClassVar[bool] = False

    def __init__(self, *, gamma: float = 1.0, sample: int = 1024) -> None:
        super().__init__()
        if sample < 2:
            raise SettingsError(
                "loss.sample is how many links are compared with each other", given=sample, todo="give 2 or more"
            )
        self.gamma, self.sample = gamma, sample

    def forward(
        self, positive: Float[Tensor, "n"], negative: Float[Tensor, "n m"], use: Bool[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        """The first term: |s - t|^2 = 2 - 2 cos."""
        return (2 - 2 * positive).mean()

    def spread(self, source: Float[Tensor, "n width"], target: Float[Tensor, "n width"]) -> Float[Tensor, ""]:
        """See LinkLoss: the second term."""
        if len(source) > self.sample:
            chosen = torch.randperm(len(source), device=source.device)[: self.sample]
            source, target = source[chosen], target[chosen]
        return self.gamma * (uniformity(source) + uniformity(target)) / 2


def uniformity(rows: Float[Tensor, "n width"]) -> Float[Tensor, ""]:
    """log of the mean of exp(-2 |x - y|^2) over pairs of rows of length 1; 0, the most, where there are none.

    >>> round(float(uniformity(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))), 4)
    -4.0
    """
    count = len(rows)
    if count < 2:
        return rows.new_zeros(())
    itself = torch.eye(count, dtype=torch.bool, device=rows.device)
    logits = (4 * (rows @ rows.T - 1)).masked_fill(itself, -torch.inf)  # -2 |x - y|^2
    return torch.logsumexp(logits.flatten(), 0) - math.log(count * (count - 1))
