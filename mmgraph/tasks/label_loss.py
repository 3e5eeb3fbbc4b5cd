"""The loss of labels, where some classes may be much rarer than others."""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mmgraph.errors import SettingsError
from mmgraph.split.contract import LabelSplit
from mmgraph.types import Ints

Balance = Literal["none", "weights", "logit_adjustment"]


class LabelLoss(nn.Module):
    """Cross-entropy of class logits; every class weighs as much as it has labels, unless ``balance`` says otherwise.

    ``weights``: a label of class c weighs items / (classes * items of c), so that all classes weigh the same. ``logit_adjustment``:
    tau * log(share of c) is added to its logit in training alone, so that the bare logits rank classes as if all were equally common
    (Menon et al. 2021, Long-tail learning via logit adjustment, arXiv 2007.07314, equation 10).

    counts: train labels of each class, int64 [classes]; one without any counts as having one. Raises SettingsError for an unknown
    balance.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, counts: Ints, balance: Balance = "none", tau: float = 1.0, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if balance not in ("none", "weights", "logit_adjustment"):
            raise SettingsError("no such balance of classes", given=balance, todo="none, weights or logit_adjustment")
        self.label_smoothing = label_smoothing
        factor, shift = balanced(counts, balance, tau)
        self.register_buffer("factor", torch.from_numpy(factor), persistent=False)
        self.register_buffer("shift", torch.from_numpy(shift), persistent=False)

    @classmethod
    def of(cls, split: LabelSplit, balance: Balance = "none", tau: float = 1.0, label_smoothing: float = 0.0) -> "LabelLoss":
        """Of a field's train labels."""
        counts = np.bincount(split.labels.values[split.train], minlength=len(split.labels.classes))
        return cls(counts, balance, tau, label_smoothing)

    def forward(self, logits: Float[Tensor, "items classes"], classes: Int[Tensor, "items"]) -> Float[Tensor, ""]:
        """Mean over the items, each by the weight of its class."""
        return F.cross_entropy(logits + self.shift, classes, self.factor, label_smoothing=self.label_smoothing)


class SeveralLoss(nn.Module):
    """Binary cross-entropy of every class by itself, where an item may have several.

    counts: train items of each class, int64 [classes], of ``items``. ``weights``: having class c weighs (items without) / (items with), so
    that both weigh the same. ``logit_adjustment``: tau * log of these odds is added to the logit in training alone (Menon et al. 2021,
    equation 10, for two classes). label_smoothing: that share of each answer is a half.
    """

    factor: Tensor
    shift: Tensor

    def __init__(
        self, counts: Ints, items: int, balance: Balance = "none", tau: float = 1.0, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        odds = np.clip(counts, 1, max(items - 1, 1)) / np.maximum(items - np.clip(counts, 1, max(items - 1, 1)), 1)
        factor = 1.0 / odds if balance == "weights" else np.ones(len(counts))
        shift = tau * np.log(odds) if balance == "logit_adjustment" else np.zeros(len(counts))
        self.register_buffer("factor", torch.from_numpy(factor.astype(np.float32)), persistent=False)
        self.register_buffer("shift", torch.from_numpy(shift.astype(np.float32)), persistent=False)

    @classmethod
    def of(cls, split: LabelSplit, balance: Balance = "none", tau: float = 1.0, label_smoothing: float = 0.0) -> "SeveralLoss":
        """Of a field's train labels."""
        return cls(split.labels.has(split.train).sum(0), len(split.train), balance, tau, label_smoothing)

    def forward(self, logits: Float[Tensor, "items classes"], has: Bool[Tensor, "items classes"]) -> Float[Tensor, ""]:
        """Mean over items and classes."""
        wanted = has.to(logits.dtype) * (1.0 - self.label_smoothing) + self.label_smoothing / 2.0
        return F.binary_cross_entropy_with_logits(logits + self.shift, wanted, pos_weight=self.factor)


def figure_of(choose_by: str, balance: Balance) -> str:
    """Which figure on validation chooses the epoch; ``auto``: macro-F1 where classes are balanced, else accuracy."""
    return choose_by if choose_by != "auto" else "accuracy" if balance == "none" else "macro_f1"


def balanced(counts: Ints, balance: Balance, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """What each class's loss is multiplied by, and what is added to its logit in training: float32 [classes] each.

    >>> balanced(np.array([6, 2]), "weights", 1.0)[0], balanced(np.array([6, 2]), "logit_adjustment", 2.0)[1].round(3)
    (array([0.6666667, 2.       ], dtype=float32), array([-0.575, -2.773], dtype=float32))
    """
    known = np.maximum(counts, 1).astype(np.float64)
    factor, shift = np.ones(len(known)), np.zeros(len(known))
    if balance == "weights":
        factor = known.sum() / (len(known) * known)
    elif balance == "logit_adjustment":
        shift = tau * np.log(known / known.sum())
    return factor.astype(np.float32), shift.astype(np.float32)
