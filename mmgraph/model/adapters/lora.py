"""Updates of low rank to the linear maps of the encoder's last blocks, by peft; all else is frozen."""

import warnings

from jaxtyping import Float
from torch import Tensor

from mmgraph.encode.memory import linear_maps
from mmgraph.encode.tuning import Top
from mmgraph.errors import SettingsError
from mmgraph.model.adapters.contract import Adaptation
from mmgraph.model.adapters.pieces import in_pieces
from mmgraph.sample.batch import ModalityInput


class Lora(Adaptation):
    """W + (alpha / rank) B A beside each linear map W of the blocks, alpha = 2 rank (Hu et al. 2021, arXiv 2106.09685). B starts at
    zero. Dropout stays off. Raises SettingsError where the blocks have no linear map.
    """

    def __init__(self, top: Top, rank: int, learning_rate: float | None = None) -> None:
        super().__init__()
        import peft  # here, as it is an extra, and slow to import

        names = [name for name, _ in linear_maps(top)]
        if not names:
            raise SettingsError(
                "lora: the last blocks have no linear map that it could update", todo="use method: last_blocks"
            )
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peft.inject_adapter_in_model(config, top)
        for name, parameter in top.named_parameters():
            parameter.requires_grad_("lora_" in name)
        self.top = top
        self.learning_rate = learning_rate or 1e-3

    def train(self, mode: bool = True) -> "Lora":
        """The top stays in evaluation mode."""
        super().train(mode)
        self.top.eval()
        return self

    def forward(self, given: ModalityInput) -> Float[Tensor, "items width"]:
        """See Adaptation."""
        return in_pieces(self.top, given)
