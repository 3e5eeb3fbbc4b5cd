"""Any items, which is what asking is measured against."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.evaluate.asking import AskQuestion, Strategy
from mmgraph.types import Ints


@dataclass(frozen=True, kw_only=True)
class Random(Strategy):
    """Every item with the same chance, whatever its group."""

    by_group: ClassVar[bool] = False

    def _pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        return np.random.default_rng([seed, 0xA5C]).permutation(len(question))[:n]
