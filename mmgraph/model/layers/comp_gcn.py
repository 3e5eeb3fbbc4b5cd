"""Relations as vectors that are composed with the neighbours'."""

from typing import Literal

import torch
from torch import Tensor, nn

from mmgraph.model.contract import Layer
from mmgraph.model.messages import copy_mean
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class CompGcn(Layer):
    """W_self (h * z_self) + sum over relations of W_direction mean(h of the neighbours composed with z_r).

    Vashishth et al. 2020 (arXiv 1911.03082, equation 2); direction: stated or reverse. compose: ``subtract`` h - z, ``multiply``
    h z, ``correlate`` their circular correlation (section 4.2). All three are linear in h, so the neighbours are summed first. Each
    layer learns its own z; the paper maps them from layer to layer.
    """

    def __init__(
        self,
        relations: list[Relation],
        kinds: list[str],
        width: int,
        *,
        compose: Literal["subtract", "multiply", "correlate"] = "multiply",
    ) -> None:
        super().__init__()
        self.compose = compose
        self.turned = {r.reverse for r in relations} & set(relations)
        self.number = {relation: place for place, relation in enumerate(relations)}
        self.relation = nn.Parameter(torch.randn(len(relations) + 1, width) * width**-0.5 + (compose == "multiply"))
        self.maps = nn.ModuleDict({name: nn.Linear(width, width, bias=False) for name in ("stated", "reverse")})
        self.itself = nn.Linear(width, width)

    def forward(self, rows: dict[str, Tensor], block: Block) -> dict[str, Tensor]:
        """See Layer."""
        loop = self.relation[-1]
        out = {kind: self.itself(self._composed(rows[kind][:count], loop)) for kind, count in block.num_targets.items()}
        for relation, adjacency in block.relations.items():
            mean = copy_mean(adjacency, rows[relation.source])
            heard = self._composed(mean, self.relation[self.number[relation]])
            if self.compose == "subtract":
                heard = heard * (adjacency.degree > 0)[:, None]
            way = "reverse" if relation in self.turned else "stated"
            out[relation.target] = out[relation.target] + self.maps[way](heard)
        return out

    def _composed(self, rows: Tensor, vector: Tensor) -> Tensor:
        if self.compose == "subtract":
            return rows - vector
        return rows * vector if self.compose == "multiply" else correlation(rows, vector)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Circular correlation, sum over i of a_i b_(i + k), by Fourier transform (Nickel et al. 2016, arXiv 1510.04935, section 3).

    >>> correlation(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 5.0]))
    tensor([[13., 11.]])
    """
    transformed = torch.fft.rfft(a, dim=-1).conj() * torch.fft.rfft(b, dim=-1)
    return torch.fft.irfft(transformed, n=a.shape[-1], dim=-1)
