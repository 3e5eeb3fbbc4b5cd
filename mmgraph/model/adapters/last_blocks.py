"""The encoder's last blocks, trained as a whole."""

from jaxtyping import Float
from torch import Tensor

from mmgraph.encode.tuning import Top
from mmgraph.model.adapters.contract import Adaptation
from mmgraph.model.adapters.pieces import in_pieces
from mmgraph.sample.batch import ModalityInput


class LastBlocks(Adaptation):
    """A copy of the last blocks and of what follows them. 5e-5 unless set: what BERT is tuned with (Devlin et al. 2019,
    arXiv 1810.04805). Dropout stays off, so that a row's vector depends on the row and the weights alone.
    """

    def __init__(self, top: Top, learning_rate: float | None = None) -> None:
        super().__init__()
        self.top = top.requires_grad_(True)
        self.learning_rate = learning_rate or 5e-5

    def train(self, mode: bool = True) -> "LastBlocks":
        """The top stays in evaluation mode."""
        super().train(mode)
        self.top.eval()
        return self

    def forward(self, given: ModalityInput) -> Float[Tensor, "items width"]:
        """See Adaptation."""
        return in_pieces(self.top, given)
