"""A small residual network on the stored vectors of a modality; no encoder is needed."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.model.adapters.contract import Adaptation
from mmgraph.sample.batch import ModalityInput


class Adapter(Adaptation):
    """v + deviation * up(gelu(down((v - mean) / deviation))), a bottleneck (Houlsby et al. 2019, arXiv 1902.00751) on the
    vectors as in CLIP-Adapter (Gao et al. 2021, arXiv 2110.04544). ``up`` starts at zero, so that it starts as the identity.

    mean, deviation: of each component, float32 [width]; a component that never varies stays as it is.
    """

    mean: Tensor
    deviation: Tensor
    inverse: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, bottleneck: int, learning_rate: float | None) -> None:
        super().__init__()
        varies = deviation > 1e-6
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", torch.where(varies, deviation, torch.zeros_like(deviation)))
        self.register_buffer("inverse", torch.where(varies, 1 / deviation.clamp(min=1e-6), torch.zeros_like(deviation)))
        self.down = nn.Linear(len(mean), bottleneck)
        self.up = nn.Linear(bottleneck, len(mean))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.learning_rate = learning_rate

    def forward(self, given: ModalityInput) -> Float[Tensor, "items width"]:
        """See Adaptation."""
        standard = ((given.vectors - self.mean) * self.inverse).clamp(-10, 10)
        return given.vectors + self.deviation * self.up(nn.functional.gelu(self.down(standard)))
