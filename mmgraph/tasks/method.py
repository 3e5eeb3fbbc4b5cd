"""The contract of label methods: what is learnt from items without a label."""

import abc
from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.sample.batch import LabelBatch


class LabelMethod(nn.Module, abc.ABC):
    """A term beside the labels' own loss, one file in ``methods/``; built as ``Method(split, **settings)`` by ``Categories.methods``.

    draws: how often a step passes over the network, with other chance each time.
    """

    draws: int = 1

    @abc.abstractmethod
    def forward(self, logits: Sequence[Float[Tensor, "items classes"]], labelled: LabelBatch) -> Float[Tensor, ""]:
        """What is added to the loss: ``logits`` of all output items of a step, one table a draw."""

    def validated(
        self, logits: Float[Tensor, "items classes"], items: Int[Tensor, "valid"], classes: Int[Tensor, "valid"]
    ) -> None:
        """What a method learns from validation after an epoch, from ``logits`` of all items, without dropout; nothing by default."""
        return
