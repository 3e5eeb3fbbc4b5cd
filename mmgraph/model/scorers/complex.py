"""Diagonal bilinear over the complex numbers."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Scorer, of_relation


class ComplEx(Scorer):
    """Re <h, r, conj(h')> with a learned complex vector r a relation (Trouillon et al. 2016, arXiv 1606.06357, equation 11).

    The first half of a vector is its real part, the second its imaginary part, so the width must be even; the score is then the
    inner product of h r and h', half by half.
    """

    def __init__(self, width: int, relations: int = 1) -> None:
        super().__init__()
        even(width, "complex")
        self.relation = nn.Parameter(torch.randn(relations, width) * width**-0.5)

    def source(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None = None) -> Float[Tensor, "n width"]:
        """See Scorer: h * r."""
        return product(rows, of_relation(self.relation, relation))

    def inverse(self, rows: Float[Tensor, "n width"], relation: Int[Tensor, "n"]) -> Float[Tensor, "n width"]:
        """See Scorer: h' * conj(r)."""
        return product(rows, conjugate(of_relation(self.relation, relation)))

    def factors(
        self, source: Float[Tensor, "n width"], relation: Int[Tensor, "n"] | None, target: Float[Tensor, "n width"]
    ) -> tuple[Float[Tensor, "n any"], ...]:
        """See Scorer: moduli, as in Lacroix et al. 2018 (arXiv 1806.07297, section 3.2)."""
        return modulus(source), modulus(of_relation(self.relation, relation)), modulus(target)


def even(width: int, name: str) -> None:
    """Raise SettingsError where a width has no two halves."""
    if width % 2:
        todo = "choose an even width: half of it are imaginary parts"
        raise SettingsError(f"model.width does not suit the scorer {name}", given=width, todo=todo)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Complex product of rows that hold real parts, then imaginary parts.

    >>> product(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]]))  # (1 + 2i)(3 - i)
    tensor([[5., 5.]])
    """
    (a_re, a_im), (b_re, b_im) = a.chunk(2, -1), b.chunk(2, -1)
    return torch.cat([a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re], -1)


def conjugate(a: Tensor) -> Tensor:
    """The same real parts, the opposite imaginary parts."""
    real, imaginary = a.chunk(2, -1)
    return torch.cat([real, -imaginary], -1)


def modulus(a: Tensor) -> Tensor:
    """[n, width / 2]; its gradient is finite at zero."""
    real, imaginary = a.chunk(2, -1)
    return (real.square() + imaginary.square() + 1e-12).sqrt()
