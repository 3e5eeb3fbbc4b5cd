"""The contract of what is trained of an encoder, or on top of it."""

import abc

from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.sample.batch import ModalityInput


class Adaptation(nn.Module, abc.ABC):
    """Stored vectors, or stored activations -> vectors of the encoder's width.

    At the start it gives what the encoder gave. learning_rate: of its parameters; None for the model's. Only parameters that
    require a gradient are trained.
    """

    learning_rate: float | None

    @abc.abstractmethod
    def forward(self, given: ModalityInput) -> Float[Tensor, "items width"]:
        """Rows that are not ``present`` may hold anything finite."""

    def trained(self) -> int:
        """How many numbers it trains."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)
