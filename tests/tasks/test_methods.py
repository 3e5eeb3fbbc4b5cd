"""Each label method is its formula, item by item."""

import dataclasses

import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.model.contract import named
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.batch import LabelBatch
from mmgraph.settings import BatchSettings, Component, ModelSettings
from mmgraph.tasks.kinds.categories import Categories
from mmgraph.tasks.methods.consistency import Consistency
from mmgraph.tasks.methods.information import Information
from mmgraph.tasks.methods.self_training import SelfTraining

GRAPH, SPLIT = made()
SHOWN = SPLIT.labels["segment.category"]
SELF_TRAINING = {"class_path": "self_training", "init_args": {"after": 5, "precision": 0.8}}
ASKED = LabelBatch(torch.tensor([0]), torch.tensor([0]))


def test_consistency_is_the_distance_to_the_sharpened_mean():
    draws = [torch.randn(5, 3, requires_grad=True) for _ in range(4)]
    method = Consistency(SHOWN, draws=4, temperature=0.5, weight=2.0)
    found = method(draws, ASKED)
    total = 0.0
    for item in range(5):
        every = [torch.softmax(one[item], 0).detach().numpy().astype(float) for one in draws]
        mean = sum(every) / 4
        sharp = np.array([p**2 for p in mean]) / sum(p**2 for p in mean)
        total += sum(float(((p - sharp) ** 2).sum()) for p in every)
    assert found.item() == pytest.approx(2.0 * total / (4 * 5), rel=1e-5)
    found.backward()
    p = torch.softmax(draws[0].detach(), 1).requires_grad_()
    with torch.no_grad():
        mean = torch.stack([torch.softmax(one, 1) for one in draws]).mean(0) ** 2
    expected = 2.0 * (p - mean / mean.sum(1, keepdim=True)).square().sum() / 20  # the sharpened mean does not move
    (of_p,) = torch.autograd.grad(expected, p)
    of_logits = p * (of_p - (of_p * p).sum(1, keepdim=True))
    torch.testing.assert_close(draws[0].grad, of_logits.detach(), atol=1e-6, rtol=1e-4)


def test_draws_that_agree_and_are_certain_cost_nothing():
    certain = torch.eye(3) * 50
    assert Consistency(SHOWN)([certain] * 4, ASKED).item() == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("given", [{"draws": 1}, {"temperature": 0.0}])
def test_consistency_needs_draws_to_compare(given):
    with pytest.raises(SettingsError, match="consistency compares draws; given: draws .*, temperature .*; 2 draws at least"):
        Consistency(SHOWN, **given)


def test_information_is_the_entropy_of_each_less_the_entropy_of_all():
    draws = [3 * torch.randn(6, 4) for _ in range(2)]
    found = Information(SHOWN, weight=2.0, conditional=0.3)(draws, ASKED)
    total = 0.0
    for one in draws:
        every = [torch.softmax(row, 0).numpy().astype(float) for row in one]
        each = sum(-float((p * np.log(p)).sum()) for p in every) / 6
        mean = sum(every) / 6
        total += 0.3 * each + float((mean * np.log(mean)).sum())
    assert found.item() == pytest.approx(2.0 * total / 2, rel=1e-5)


def test_information_is_least_where_answers_are_sure_and_every_class_is_given_as_often():
    logits = torch.zeros(8, 4, requires_grad=True)
    method = Information(SHOWN, weight=1.0, conditional=1.0)
    assert method([logits], ASKED).item() == pytest.approx(0, abs=1e-6)  # nothing is known of any item
    sure = 60 * torch.eye(4).repeat(2, 1)
    assert method([sure], ASKED).item() == pytest.approx(-np.log(4), rel=1e-5)
    assert method([60 * torch.eye(4)[[0] * 8]], ASKED).item() == pytest.approx(0, abs=1e-6)  # sure of one class for all
    wide = (1000 * torch.eye(4)).requires_grad_()  # probabilities of zero, whose logarithm is left out of it
    method([wide], ASKED).backward()
    assert torch.isfinite(wide.grad).all()


@pytest.mark.parametrize("given", [{"weight": -1.0}, {"conditional": -0.1}])
def test_information_takes_no_negative_shares(given):
    with pytest.raises(
        SettingsError, match="information takes no negative shares; given: weight .*, conditional .*; 0 or more"
    ):
        Information(SHOWN, **given)


def heads(**arguments):
    return Categories(field="category", **arguments).heads(SPLIT, ModelSettings(width=8))


def test_a_head_adds_its_methods_to_the_mean_over_draws():
    (head,) = heads(methods=["consistency"])
    rows = [{"segment": torch.randn(100, 8)} for _ in range(4)]
    batch = type("Batch", (), {"labels": {"segment.category": LabelBatch(torch.tensor([3, 4]), torch.tensor([0, 1]))}})
    own = sum(head.loss(one, batch) for one in rows) / 4
    added = Consistency(SHOWN)([head.classify(one["segment"]) for one in rows], ASKED)
    assert head.draws == 4
    torch.testing.assert_close(head.loss_of(rows, batch), own + added)


def test_likelihood_is_the_geometric_mean_and_chooses_where_asked():
    (head,) = heads(choose_by="likelihood")
    rows = {"segment": torch.randn(100, 8)}
    p = head.probabilities(rows).numpy()[SHOWN.valid, SHOWN.labels.values[SHOWN.valid]]
    figures = head.validate(rows)
    assert next(iter(figures)) == head.figure == "likelihood"
    assert figures["likelihood"] == pytest.approx(np.prod(p.astype(float)) ** (1 / len(p)), rel=1e-4)


def trained(folder, methods, hidden=0.0, **settings):
    model = ModelSettings(**{"width": 16, "patience": 100, "learning_rate": 1e-2, **settings})
    links = Component(class_path="Links", init_args={"relation": str(FOLLOWS)})
    given = {"field": "category", "methods": methods, "labels_as_inputs": hidden}
    categories = Component(class_path="Categories", init_args=given)
    tasks = [registry.create("task", one) for one in (links, categories)]
    torch.manual_seed(3)
    module = build(SPLIT.visible, [h for t in tasks for h in t.heads(SPLIT, model)], model, seed=3)
    asked = Asked([a for t in tasks for a in t.asked_links(SPLIT)], [a for t in tasks for a in t.asked_labels(SPLIT)])
    data = GraphData(SPLIT.visible, asked, model, 0.3, seed=3)
    return train(module, data, {"max_epochs": 25, "accelerator": "cpu"}, folder / "checkpoints", model)


def test_self_training_takes_what_is_as_sure_as_validation_asks():
    method = SelfTraining(SHOWN, precision=0.8, weight=3.0, after=1)
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(100, 3)) * 2).float()
    truth = torch.from_numpy(SHOWN.labels.values)
    logits[torch.arange(100), truth] += 3
    before = method([logits], ASKED)
    assert before.item() == 0
    valid = torch.from_numpy(SHOWN.valid)
    method.validated(logits, valid, truth[valid])
    probability = torch.softmax(logits, 1).numpy()
    best, called = probability.max(1), probability.argmax(1)
    right = called == SHOWN.labels.values

    def precise(least):
        asked = [i for i in SHOWN.valid if best[i] >= least]
        return len(asked) >= 10 and np.mean(right[asked]) >= 0.8

    least = min(best[i] for i in SHOWN.valid if precise(best[i]))
    others = [i for i in range(100) if i not in SHOWN.train and i not in SHOWN.valid]
    expected = {i: called[i] for i in others if best[i] >= least}
    assert 5 < len(expected) < len(others)
    assert {i: int(c) for i, c in enumerate(method.classes) if c >= 0} == expected
    loss = 3.0 * np.mean([-np.log(probability[i, c]) for i, c in expected.items()])
    assert method([logits], ASKED).item() == pytest.approx(loss, rel=1e-4)


def test_self_training_waits_and_trusts_nobody_who_is_always_wrong():
    method, valid = SelfTraining(SHOWN, after=2), torch.from_numpy(SHOWN.valid)
    truth = torch.from_numpy(SHOWN.labels.values)
    certain = torch.eye(3)[truth] * 20
    method.validated(certain, valid, truth[valid])
    assert (method.classes < 0).all()
    method.validated(certain, valid, truth[valid])
    assert (method.classes >= 0).sum() == 100 - len(SHOWN.train) - len(SHOWN.valid)
    method.validated(certain, valid, (truth[valid] + 1) % 3)
    assert (method.classes < 0).all()


def test_self_training_says_what_it_cannot_do():
    with pytest.raises(
        SettingsError, match="self_training looks at all items in a step; given: 7 of them; set model.batches.mode"
    ):
        SelfTraining(SHOWN)([torch.zeros(7, 3)], ASKED)
    blind = dataclasses.replace(SHOWN, valid=np.zeros(0, np.int64))
    with pytest.raises(SettingsError, match="self_training needs validation labels of segment.category; given: none"):
        SelfTraining(blind)
    with pytest.raises(SettingsError, match="self_training.precision is a share; given: 0"):
        SelfTraining(SHOWN, precision=0)


@pytest.mark.parametrize("methods", [["consistency"], ["consistency", SELF_TRAINING]], ids=["consistency", "both"])
def test_a_method_trains_beside_links(tmp_path, methods):
    found = trained(tmp_path, methods, layer="grand" if len(methods) == 1 else "sage", depth=2)
    accuracy = [value for _, name, value in found.curves if name == "valid/segment.category/accuracy"]
    assert max(accuracy) > 0.8


def batches_of(mode):
    model = ModelSettings(width=8, batches=BatchSettings(mode=mode, fanouts=(3, 3), size=16))
    task = Categories(field="category", labels_as_inputs=0.4)
    return model, GraphData(SPLIT.visible, Asked(labels=task.asked_labels(SPLIT)), model, 0.3, seed=3), task


@pytest.mark.parametrize("mode", ["full", "steps", "neighbours"])
def test_a_label_is_asked_or_shown_and_never_both(mode):
    _, data, _ = batches_of(mode)
    name, values, train = "segment.category", SHOWN.labels.values, set(SHOWN.train.tolist())
    asked_ever = set()
    for epoch in range(6):
        data.batches.epoch = epoch
        for batch in data.batches:
            items = batch.inputs.items["segment"]
            shown = {int(i): int(c) for i, c in zip(items, batch.shown[name], strict=True) if c}
            asked = items[batch.labels[name].items].tolist()
            assert not set(asked) & set(shown)
            assert set(asked) <= train
            assert shown == {i: values[i] + 1 for i in items.tolist() if i in train and i not in asked}
            asked_ever |= set(asked)
            if mode == "full":
                assert len(asked) == round(0.4 * len(train))
    assert len(asked_ever) > 0.6 * len(train)
    everything = {i: int(c) for i, c in enumerate(data.whole.shown[name]) if c}
    assert everything == {i: values[i] + 1 for i in train}


def test_shown_labels_are_added_to_the_inputs_and_no_other_label_is():
    model, data, task = batches_of("full")
    module = build(SPLIT.visible, task.heads(SPLIT, model), model, seed=3).eval()
    network, whole = module.network, data.whole
    bare = network.inputs(whole.inputs)["segment"]
    network.layers, network.norms = torch.nn.ModuleList(), torch.nn.ModuleList()
    network.activation = "none"
    told = network(dataclasses.replace(whole, blocks=()))["segment"]
    table = network.labels[named("segment.category")].weight
    for item in range(100):
        added = table[SHOWN.labels.values[item] + 1] if item in SHOWN.train else torch.zeros(8)
        torch.testing.assert_close(told[item], bare[item] + added)


def test_labels_as_inputs_train(tmp_path):
    found = trained(tmp_path, [], hidden=0.4)
    accuracy = [value for _, name, value in found.curves if name == "valid/segment.category/accuracy"]
    assert max(accuracy) > 0.8
    with pytest.raises(SettingsError, match="labels_as_inputs is a share below 1; given: 1.0"):
        Categories(field="category", labels_as_inputs=1.0).asked_labels(SPLIT)
