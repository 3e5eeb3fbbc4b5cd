"""Training learns, stops, resumes to the same numbers, and gives the same numbers for the same seed."""

import dataclasses

import lightning
import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made

from mmgraph import registry
from mmgraph.errors import RunError, SettingsError
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, check_trainer, train
from mmgraph.sample.asked import Asked
from mmgraph.settings import BatchSettings, Component, ModelSettings

GRAPH, SPLIT = made()


def run(folder, epochs=40, trainer=None, split=SPLIT, scorer="dot", **settings):
    model = ModelSettings(**{"width": 32, "patience": 100, "learning_rate": 1e-2, **settings})
    links = Component(class_path="Links", init_args={"relation": str(FOLLOWS), "scorer": scorer})
    tasks = [
        registry.create("task", links),
        registry.create("task", Component(class_path="Categories", init_args={"field": "category"})),
    ]
    torch.manual_seed(3)
    module = build(split.visible, [h for t in tasks for h in t.heads(split, model)], model, seed=3)
    asked = Asked([a for t in tasks for a in t.asked_links(split)], [a for t in tasks for a in t.asked_labels(split)])
    data = GraphData(split.visible, asked, model, 0.3, seed=3)
    arguments = {"max_epochs": epochs, "accelerator": "cpu", **(trainer or {})}
    return train(module, data, arguments, folder / "checkpoints", model)


def curve(trained, name):
    return [value for _, what, value in trained.curves if what == name]


# They smooth what they are given: made for categories, too alike for what follows; and vectors of one length.
LESS = {"appnp": 1.1, "grand": 1.1, "sgc": 1.1, "light_gcn_pp": 1.8}


@pytest.mark.parametrize("layer", registry.discover("layer"))
def test_both_tasks_are_learnt(tmp_path, layer):
    trained = run(tmp_path, layer=layer)
    assert max(curve(trained, "valid/segment.category/accuracy")) > 0.8
    mrr = curve(trained, "valid/segment/follows/segment/mrr")
    assert max(mrr) > LESS.get(layer, 3) * mrr[0]
    assert trained.embeddings["segment"].shape == (100, 32)
    assert torch.isfinite(trained.embeddings["video"]).all()


def test_neighbour_batches_learn_as_well(tmp_path):
    trained = run(tmp_path, epochs=20, batches=BatchSettings(mode="neighbours", fanouts=(5, 5), size=16))
    assert max(curve(trained, "valid/segment.category/accuracy")) > 0.8
    assert max(curve(trained, "valid/segment/follows/segment/mrr")) > 0.25


def test_the_optimiser_is_as_asked(tmp_path):
    model = ModelSettings(width=8, optimizer="adagrad", learning_rate=0.05)
    made = build(SPLIT.visible, [], model, seed=3).configure_optimizers()
    assert isinstance(made, torch.optim.Adagrad)
    assert {group["lr"] for group in made.param_groups} == {0.05}
    trained = run(tmp_path, optimizer="adagrad", learning_rate=0.05)
    assert max(curve(trained, "valid/segment/follows/segment/mrr")) > 0.25


class Stop(lightning.Callback):
    """Dies in the middle, as a killed run does."""

    def __init__(self, epoch=12):
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("killed")


@pytest.mark.parametrize(
    "batches", [BatchSettings(), BatchSettings(mode="neighbours", fanouts=(3, 3), size=32)], ids=["full", "sampled"]
)
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, batches):
    whole = run(tmp_path / "whole", epochs=20, batches=batches)
    monkeypatch.setattr(registry, "import_and_build", lambda component: Stop())
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path / "cut", epochs=20, batches=batches, trainer={"callbacks": [{"class_path": "Stop"}]})
    assert (tmp_path / "cut" / "checkpoints" / "last.ckpt").exists()
    resumed = run(tmp_path / "cut", epochs=20, batches=batches)
    assert resumed.curves == whole.curves
    torch.testing.assert_close(resumed.embeddings["segment"], whole.embeddings["segment"], atol=0, rtol=0)


def test_early_stopping_keeps_the_best_epoch(tmp_path):
    trained = run(tmp_path, epochs=300, patience=5)
    scores = curve(trained, "valid/score")
    assert len(scores) < 300
    assert len(scores) - 1 - int(np.argmax(scores)) == 5
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert state["epoch"] == int(np.argmax(scores))


def test_every_task_is_at_its_own_best_epoch(tmp_path):
    trained = run(tmp_path, epochs=30)
    for one in trained.heads:
        name = f"valid/{one.head.name}/{one.head.figure}"
        assert one.head.validate(one.embeddings)[one.head.figure] == pytest.approx(max(curve(trained, name)), abs=1e-6)


def test_without_validation_data_the_training_loss_chooses(tmp_path):
    nothing = np.zeros(0, np.int64)
    links = {FOLLOWS: dataclasses.replace(SPLIT.links[FOLLOWS], valid=nothing)}
    labels = {"segment.category": dataclasses.replace(SPLIT.labels["segment.category"], valid=nothing)}
    split = dataclasses.replace(SPLIT, links=links, labels=labels)
    trained = run(tmp_path, epochs=15, trainer={"limit_val_batches": 0}, split=split)
    assert not curve(trained, "valid/score")
    assert len(curve(trained, "train/loss")) == 15
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert state["epoch"] == int(np.argmin(curve(trained, "train/loss")))


def test_lightnings_own_arguments_and_loggers(tmp_path):
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(tmp_path), "name": "csv"}}
    run(tmp_path, epochs=2, trainer={"precision": "bf16-mixed", "accumulate_grad_batches": 2, "logger": logger})
    assert list(tmp_path.glob("csv/*/metrics.csv"))


def test_unknown_trainer_argument_is_named(tmp_path):
    with pytest.raises(SettingsError, match="trainer.max_epoch is not an argument"):
        run(tmp_path, trainer={"max_epoch": 3})
    with pytest.raises(SettingsError, match="Lightning refuses"):
        run(tmp_path, trainer={"accelerator": "abacus"})


@pytest.mark.parametrize(("given", "told"), [
    ({"max_epochs": -3}, "Lightning refuses these arguments; given: .*non-negative integer"),
    ({"accelerator": "abacus"}, "Lightning refuses these arguments; given: .*invalid accelerator name"),
    ({"accelerator": "tpu"}, "Lightning refuses these arguments"),
    ({"precision": "9-false"}, "Lightning refuses these arguments; given: .*Precision '9-false' is invalid"),
    ({"max_epoch": 3}, "trainer.max_epoch is not an argument"),
    ({"logger": {"class_path": "lightning.pytorch.loggers.CVSLogger"}}, "loggers.CVSLogger cannot be built"),
    ({"callbacks": [{"class_path": "lightning.Callback", "init_args": {"every": 3}}]}, "lightning.Callback cannot be built; .*'every'"),
    ({"fast_dev_run": True}, "trainer.fast_dev_run keeps no checkpoint"),
    ({"max_epochs": 0}, "trainer.max_epochs leaves no epoch"),
    ({"max_steps": 0}, "trainer.max_steps leaves no epoch"),
    ({"limit_train_batches": 0}, "trainer.limit_train_batches leaves no epoch"),
])  # fmt: skip
def test_trainer_arguments_are_looked_at_before_anything_is_encoded(given, told):
    with pytest.raises(SettingsError, match=told):
        check_trainer(given, ModelSettings())


def test_a_logger_is_not_begun_when_arguments_are_looked_at(tmp_path, recwarn):
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(tmp_path)}}
    check_trainer({"logger": logger, "accelerator": "cpu", "devices": 2}, ModelSettings())
    assert not list(tmp_path.iterdir())
    assert not recwarn.list


def test_encoders_need_not_be_deterministic_where_training_is():
    check_trainer({"deterministic": True, "accelerator": "cpu"}, ModelSettings())
    assert not torch.are_deterministic_algorithms_enabled()


def test_epochs_that_are_never_looked_at_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="trainer.limit_val_batches leaves no epoch"):
        run(tmp_path, trainer={"limit_val_batches": 0})
    for every in (0, 6):
        told = (
            f"no epoch would be looked at, .*check_val_every_n_epoch {every}, max_epochs 5; set check_val_every_n_epoch to 1"
        )
        with pytest.raises(SettingsError, match=told):
            run(tmp_path, epochs=5, trainer={"check_val_every_n_epoch": every})
    assert not list(tmp_path.iterdir())


def test_the_last_epoch_may_be_the_only_one_that_is_validated(tmp_path):
    assert len(curve(run(tmp_path, epochs=5, trainer={"check_val_every_n_epoch": 5}), "valid/score")) == 1


def test_training_that_ends_before_an_epoch_is_complete_says_so(tmp_path):
    with pytest.raises(RunError, match="ended before an epoch was complete and judged; given: .*give it more"):
        run(tmp_path, trainer={"max_time": "00:00:00:00"})


def test_fanouts_must_fit_the_depth(tmp_path):
    with pytest.raises(SettingsError, match="one number a layer"):
        run(tmp_path, batches=BatchSettings(mode="neighbours", fanouts=(3,)))


def test_heads_that_do_not_divide_the_width_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="must divide"):
        run(tmp_path, layer=Component(class_path="gat", init_args={"heads": 5}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu(tmp_path):
    trained = run(tmp_path, trainer={"accelerator": "cuda"})
    assert max(curve(trained, "valid/segment.category/accuracy")) > 0.8
