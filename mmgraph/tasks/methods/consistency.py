"""Several draws of an item must agree."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mmgraph.errors import SettingsError
from mmgraph.sample.batch import LabelBatch
from mmgraph.split.contract import LabelSplit
from mmgraph.tasks.method import LabelMethod


class Consistency(LabelMethod):
    """weight * mean over draws and items of |p - sharpened mean of the draws' p|^2, labelled or not; the sharpened mean takes no gradient.

    Feng et al. 2020 (GRAND, arXiv 2005.11079, section 3.2, equations 3 to 5), with the layer ``grand``; dropout alone makes draws differ as
    well. draws: S in the paper; temperature: below 1 the mean is made more certain.
    """

    def __init__(self, split: LabelSplit, *, draws: int = 4, temperature: float = 0.5, weight: float = 1.0) -> None:
        super().__init__()
        if draws < 2 or temperature <= 0:
            given = f"draws {draws}, temperature {temperature}"
            raise SettingsError("consistency compares draws", given=given, todo="2 draws at least, a temperature above 0")
        self.draws, self.temperature, self.weight = draws, temperature, weight

    def forward(self, logits: Sequence[Float[Tensor, "items classes"]], labelled: LabelBatch) -> Float[Tensor, ""]:
        """See LabelMethod."""
        drawn = torch.softmax(torch.stack(list(logits)), -1)
        with torch.no_grad():
            mean = drawn.mean(0) ** (1 / self.temperature)
            agreed = mean / mean.sum(-1, keepdim=True)
        return self.weight * ((drawn - agreed) ** 2).sum(-1).mean()
