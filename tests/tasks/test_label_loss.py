"""Class imbalance, by hand."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from graph_made import made

from mmgraph.errors import SettingsError
from mmgraph.sample.batch import Batch, Inputs, LabelBatch
from mmgraph.settings import ModelSettings
from mmgraph.tasks.heads import LabelHead
from mmgraph.tasks.kinds.categories import Categories
from mmgraph.tasks.label_loss import LabelLoss

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0], [0.0, 1.0, 3.0]])
CLASSES = torch.tensor([0, 1, 0])
COUNTS = np.array([6, 3, 1])


def slow(shift=(0.0, 0.0, 0.0), factor=(1.0, 1.0, 1.0)):
    """Item by item, class by class."""
    total, weight = 0.0, 0.0
    for row, true in zip(LOGITS.tolist(), CLASSES.tolist(), strict=True):
        moved = [logit + more for logit, more in zip(row, shift, strict=True)]
        log_p = moved[true] - math.log(sum(math.exp(logit) for logit in moved))
        total -= factor[true] * log_p
        weight += factor[true]
    return total / weight


def test_each_balance_by_hand():
    assert float(LabelLoss(COUNTS)(LOGITS, CLASSES)) == pytest.approx(slow(), rel=1e-6)
    weighted = LabelLoss(COUNTS, "weights")(LOGITS, CLASSES)
    assert float(weighted) == pytest.approx(slow(factor=(10 / 18, 10 / 9, 10 / 3)), rel=1e-6)
    adjusted = LabelLoss(COUNTS, "logit_adjustment", tau=1.5)(LOGITS, CLASSES)
    shares = [1.5 * math.log(share) for share in (0.6, 0.3, 0.1)]
    assert float(adjusted) == pytest.approx(slow(shift=shares), rel=1e-6)


def test_equal_classes_need_no_balance_and_an_empty_one_does_no_harm():
    even = [
        float(LabelLoss(np.array([4, 4, 4]), balance)(LOGITS, CLASSES)) for balance in ("none", "weights", "logit_adjustment")
    ]
    assert even == pytest.approx([even[0]] * 3, rel=1e-6)
    for balance in ("weights", "logit_adjustment"):
        assert math.isfinite(float(LabelLoss(np.array([4, 0, 4]), balance)(LOGITS, CLASSES)))


def test_an_unknown_balance_is_named():
    with pytest.raises(SettingsError, match="no such balance of classes; given: even; none, weights or logit_adjustment"):
        LabelLoss(COUNTS, "even")


@pytest.mark.parametrize("balance", ["none", "weights", "logit_adjustment"])
def test_the_rare_class_is_called_more_often_and_checkpoints_stay_as_they_are(balance):
    """One number tells nothing: what is called is decided by the classes' shares alone, unless they are balanced."""
    _, split = made()
    shown = split.labels["segment.category"]
    values = np.zeros(100, np.int64)
    values[shown.train[:4]] = 1
    labels = dataclasses.replace(shown.labels, classes=("common", "rare"), values=values)
    shown = dataclasses.replace(shown, labels=labels)
    split = dataclasses.replace(split, labels={"segment.category": shown})
    torch.manual_seed(0)
    task = Categories(field="category", balance=balance)
    head = task.heads(split, ModelSettings(width=1))[0]
    assert set(head.state_dict()) == {"classify.weight", "classify.bias"}
    assert head.figure == ("accuracy" if balance == "none" else "macro_f1")
    rows = {"segment": torch.zeros(100, 1)}
    asked = LabelBatch(torch.from_numpy(shown.train), torch.from_numpy(values[shown.train]))
    batch = Batch(Inputs({}, {}), (), labels={head.name: asked})
    descent = torch.optim.LBFGS(head.parameters(), max_iter=100)

    def closure():
        descent.zero_grad()
        loss = head.loss(rows, batch)
        loss.backward()
        return loss

    descent.step(closure)
    rare = float(head.probabilities(rows)[0, 1].detach())
    assert rare == pytest.approx(4 / 20 if balance == "none" else 0.5, abs=2e-3)
    assert isinstance(head, LabelHead)


def test_macro_f1_is_watched_where_classes_are_balanced():
    _, split = made()
    shown = split.labels["segment.category"]
    head = LabelHead(shown, 4, 1.0, 0.0, "weights")
    rows = torch.randn(100, 4)
    called = head.probabilities({"segment": rows}).argmax(1).numpy()[shown.valid]
    true, each = shown.labels.values[shown.valid], []
    for one in range(3):
        right, said, real = ((called == one) & (true == one)).sum(), (called == one).sum(), (true == one).sum()
        if said + real:
            each.append(2 * right / (said + real))
    assert head.validate({"segment": rows})["macro_f1"] == pytest.approx(np.mean(each))
