"""Class imbalance, by hand."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from graph_made import made
from sklearn.metrics import label_ranking_average_precision_score

from mmgraph.errors import SettingsError, SplitError
from mmgraph.sample.batch import Batch, Inputs, LabelBatch
from mmgraph.settings import ModelSettings
from mmgraph.tasks.heads import LabelHead
from mmgraph.tasks.kinds.categories import Categories
from mmgraph.tasks.label_loss import LabelLoss, SeveralLoss, figure_of
from mmgraph.tasks.several import SeveralHead, lrap

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
    head = LabelHead(shown, 4, 1.0, LabelLoss.of(shown, "weights"), figure=figure_of("auto", "weights"))
    rows = torch.randn(100, 4)
    called = head.probabilities({"segment": rows}).argmax(1).numpy()[shown.valid]
    true, each = shown.labels.values[shown.valid], []
    for one in range(3):
        right, said, real = ((called == one) & (true == one)).sum(), (called == one).sum(), (true == one).sum()
        if said + real:
            each.append(2 * right / (said + real))
    assert head.validate({"segment": rows})["macro_f1"] == pytest.approx(np.mean(each))


HAS = torch.tensor([[True, True, False], [False, True, False], [True, False, True]])


def test_each_balance_of_several_values_by_hand():
    counts, items = np.array([6, 3, 1]), 9
    odds = [6 / 3, 3 / 6, 1 / 8]
    for balance, shift, factor in (
        ("none", [0, 0, 0], [1, 1, 1]),
        ("weights", [0, 0, 0], [1 / one for one in odds]),
        ("logit_adjustment", [2 * math.log(one) for one in odds], [1, 1, 1]),
    ):
        total = 0.0
        for row, has in zip(LOGITS.tolist(), HAS.tolist(), strict=True):
            for logit, true, more, weight in zip(row, has, shift, factor, strict=True):
                p = 1 / (1 + math.exp(-(logit + more)))
                total -= weight * math.log(p) if true else math.log(1 - p)
        found = SeveralLoss(counts, items, balance, tau=2.0)(LOGITS, HAS)
        assert float(found) == pytest.approx(total / 9, rel=1e-5)
    smooth = SeveralLoss(counts, items, label_smoothing=1.0)(torch.zeros(2, 3), HAS[:2])
    assert float(smooth) == pytest.approx(math.log(2), rel=1e-6)
    for count in (0, 9):
        assert math.isfinite(float(SeveralLoss(np.full(3, count), items, "weights")(LOGITS, HAS)))


def test_a_head_for_several_values_learns_what_there_is_to_learn():
    _, split = made()
    shown = split.labels["segment.category"]
    has = np.zeros((100, 3), bool)
    has[np.arange(100), shown.labels.values] = True
    has[:, 2] |= np.arange(100) % 2 == 0
    labels = dataclasses.replace(shown.labels, values=has.argmax(1), several=has)
    split = dataclasses.replace(split, labels={"segment.category": dataclasses.replace(shown, labels=labels)})
    task = Categories(field="category")
    head = task.heads(split, ModelSettings(width=3))[0]
    assert isinstance(head, SeveralHead)
    asked = task.asked_labels(split)[0]
    assert (asked.classes == has[shown.train]).all()
    rows = {"segment": torch.from_numpy(has.astype(np.float32))}
    batch = Batch(
        Inputs({}, {}), (), labels={head.name: LabelBatch(torch.from_numpy(asked.items), torch.from_numpy(asked.classes))}
    )
    descent = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(80):
        descent.zero_grad()
        head.loss(rows, batch).backward()
        descent.step()
    found = head.validate(rows)
    assert next(iter(found)) == head.figure == "lrap"
    assert found["lrap"] == 1.0
    assert ((head.probabilities(rows).numpy() >= 0.5) == has).mean() > 0.97
    scores = torch.randn(100, 3).round(decimals=1)
    assert lrap(scores, torch.from_numpy(has)) == pytest.approx(label_ranking_average_precision_score(has, scores.numpy()))
    with pytest.raises(SettingsError, match="are for fields of one value an item; given: segment.category, which has several"):
        Categories(field="category", methods=["consistency"]).heads(split, ModelSettings(width=3))


def test_multi_may_be_said():
    graph, split = made()
    assert Categories(field="category").prepared(graph) is not None
    several = Categories(field="category", multi=True).prepared(graph).labels["segment", "category"]
    assert (several.several.argmax(1) == several.values).all()
    assert (several.several.sum(1) == 1).all()
    labels = dataclasses.replace(several, several=several.several | (np.arange(100) == 4)[:, None])
    wrong = (
        "labels contradict each other: an item has several values of segment.category, and multi is false; given: s4: x, y, z"
    )
    with pytest.raises(SplitError, match=wrong):
        Categories(field="category", multi=False).prepared(
            dataclasses.replace(graph, labels={("segment", "category"): labels})
        )
    assert split.labels["segment.category"].labels.several is None
