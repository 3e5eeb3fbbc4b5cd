"""Hard negatives are the best answers by the embeddings of the epoch that was looked at last, also in a resumed run."""

import copy

import lightning
import numpy as np
import pytest
import torch
from facts_made import facts
from graph_made import FOLLOWS, made
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.model.contract import Asking, searched_by
from mmgraph.model.data import GraphData
from mmgraph.model.mining import Index, Mining
from mmgraph.model.negatives.hard import Hard
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.negatives import Questions
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import BatchSettings, Component, ModelSettings
from mmgraph.tasks.heads import sampler_for
from mmgraph.types import Relation

GRAPH, SPLIT = made()


class Dense:
    """The best answers from a matrix of scores, by sorting."""

    def __init__(self, scores):
        self.scores = scores

    def search(self, item, relation, most):
        return np.argsort(-self.scores[item], axis=1, kind="stable")[:, :most]


def slow_pool(scores, known, items, near, skip):
    """Item by item: the best answers, without known ones, without the first."""
    pool = []
    for item in sorted(set(items)):
        best = np.argsort(-scores[item], kind="stable").tolist()[: 2 * (near + skip)]
        pool += [other for other in best if (item, other) not in known][skip : skip + near]
    return pool


@given(st.integers(0, 99), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=40)
def test_the_pool_is_the_best_unknown_answers_after_the_first(seed, near, skip):
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.permutation(6 * 10)[:15])
    source, target = pairs // 10, pairs % 10
    asked = AskedLinks("x", Relation("a", "r", "b"), source, target, 6, 10, Hard(num=6, near=near, skip=skip))
    sampler, scores = asked.samplers[0], rng.normal(size=(6, 10))
    sampler.near = Dense(scores)
    forward, _ = asked.questions(rng.permutation(15)[:7])
    known = set(zip(source.tolist(), target.tolist(), strict=True))
    expected = slow_pool(scores, known, forward.item.tolist(), near, skip)
    assert sorted(sampler._pool(forward, 10).tolist()) == sorted(expected)
    found = sampler.candidates(forward, 10, np.random.default_rng(1))
    assert len(set(found)) == len(found)
    assert len(set(found) & set(expected)) >= min(3, len(set(expected)))
    np.testing.assert_array_equal(found, sampler.candidates(forward, 10, np.random.default_rng(1)))


def test_the_item_itself_is_no_hard_negative_of_itself():
    asked = AskedLinks("x", FOLLOWS, np.array([0, 1]), np.array([1, 2]), 5, 5, Hard(num=2, near=5, skip=0, share=1.0))
    asked.samplers[0].near = Dense(np.eye(5) + 1)
    forward, _ = asked.questions(np.array([0, 1]))
    pool = asked.samplers[0]._pool(forward, 5)
    assert sorted(pool.tolist()) == [0, 2, 3, 3, 4, 4]  # of 0 without 0 and 1, of 1 without 1 and 2


def test_shares_and_numbers():
    asked = AskedLinks("x", Relation("a", "r", "b"), np.arange(50), np.arange(50), 50, 500, Hard(num=40, near=9, share=0.75))
    sampler, rng = asked.samplers[0], np.random.default_rng(0)
    scores = np.zeros((50, 500))
    scores[:, :200] = 1 + rng.random((50, 200))
    sampler.near = Dense(scores)
    forward, _ = asked.questions(np.arange(50))
    pool = set(sampler._pool(forward, 500).tolist())
    found = set(sampler.candidates(forward, 500, rng).tolist())
    assert len(pool) > 30
    assert 30 <= len(found & pool) <= 40
    assert len(found) <= 40
    for wrong, match in (({"every": 0}, r"hard.every is too small; given: 0; give at least 1"), ({"share": 2.0}, "a share")):
        with pytest.raises(SettingsError, match=match):
            Hard(**wrong)


@pytest.mark.parametrize("metric", ["inner", "distance"])
def test_the_index_is_exact_for_few_answers(metric):
    rng = np.random.default_rng(0)
    asked, answers = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=(30, 4)).astype(np.float32)
    index = Index(Asking(lambda item, _: torch.from_numpy(asked)[item], torch.from_numpy(answers), metric))
    score = asked @ answers.T if metric == "inner" else -((asked[:, None] - answers[None]) ** 2).sum(-1)
    item = np.array([3, 0, 6])
    np.testing.assert_array_equal(index.search(item, item, 5), np.argsort(-score[item], axis=1)[:, :5])
    assert index.search(item[:0], item[:0], 5).shape == (0, 5)
    assert (index.search(item, item, 40)[:, 30:] == -1).all()


def test_cells_find_most_of_many_answers():
    rng = np.random.default_rng(0)
    answers = rng.normal(size=(21_000, 4)).astype(np.float32)
    index = Index(Asking(lambda item, _: torch.from_numpy(answers)[item], torch.from_numpy(answers), "inner"))
    item = np.arange(50)
    found, exact = index.search(item, item, 10), np.argsort(-(answers[item] @ answers.T), axis=1)[:, :10]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert recall > 0.8


def parts(task, split, scorer, model, **arguments):
    given = {"scorer": scorer, "negatives": Component(class_path="hard", init_args={"num": 20, "near": 6, **arguments})}
    given |= {"relation": str(FOLLOWS)} if task == "Links" else {"kind": "n"}
    made = registry.create("task", Component(class_path=task, init_args=given))
    torch.manual_seed(3)
    module = build(split.visible, made.heads(split, model), model, seed=3)
    data = GraphData(split.visible, Asked(made.asked_links(split), (), made.asked_triples(split)), model, 0.3, 3)
    return module, data


def model_of(**more):
    return ModelSettings(**{"width": 16, "patience": 100, "learning_rate": 1e-2, "depth": 1, **more})


@pytest.mark.parametrize("scorer", [s for s, e in registry.discover("scorer").items() if searched_by(e.load()) == "inner"])
@pytest.mark.parametrize("task", ["Links", "Facts"])
def test_what_the_index_finds_is_what_the_head_scores_best(task, scorer):
    if task == "Facts" and scorer in ("dot", "cosine"):
        return  # scorers of one relation
    split = SPLIT if task == "Links" else facts(count=30)[1]
    module, data = parts(task, split, scorer, model_of(), every=1)
    module.eval()
    data.mining.refresh(module, data.whole, 1)
    with torch.no_grad():
        rows, (head,) = module.network(data.whole), module.all_heads
        if task == "Facts":
            item, relation = np.arange(30), np.arange(30) % 4
            scores = {"target": head.scores(rows, item, relation)}
            samplers = [data.batches.triples[0].sampler]
        else:
            item, relation = np.arange(100), np.zeros(100, np.int64)
            sources, targets = head.scorer.source(rows["segment"]), head.scorer.target(rows["segment"])
            matrix = head.scorer.matrix(sources, targets)
            scores = {"target": matrix, "source": matrix.T}
            samplers = data.batches.links[0].samplers
    for (_, matrix), sampler in zip(scores.items(), samplers, strict=True):
        found = torch.from_numpy(sampler.near.search(item, relation, 5))
        torch.testing.assert_close(matrix.gather(1, found), matrix.topk(5, dim=1).values, atol=1e-4, rtol=1e-4)


def test_later_training_does_not_change_what_was_indexed():
    module, data = parts("Facts", facts(count=30)[1], "complex", model_of(), every=1)
    data.mining.refresh(module, data.whole, 1)
    near, item = data.batches.triples[0].sampler.near, np.arange(30)
    before = near.search(item, item % 4, 5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    np.testing.assert_array_equal(near.search(item, item % 4, 5), before)


def test_looking_leaves_training_as_it_was():
    module, data = parts("Links", SPLIT, "dot", model_of(norm="batch"), every=1)
    module.train()
    module.network.layers[0].eval()
    flags, state = [one.training for one in module.modules()], copy.deepcopy(module.state_dict())
    data.mining.refresh(module, data.whole, 3)
    assert [one.training for one in module.modules()] == flags
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


class Watch(lightning.Callback):
    """By epoch, the weights of which the index is, told by what it holds."""

    seen: dict

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        near = trainer.datamodule.batches.links[0].samplers[0].near
        self.seen[trainer.current_epoch] = None if near is None else near.search(np.arange(100), np.zeros(100, np.int64), 3)


class Stop(lightning.Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 6:
            raise RuntimeError("killed")


MODES = {
    "full": BatchSettings(),
    "sampled": BatchSettings(mode="neighbours", fanouts=(3,), size=64),
    "steps": BatchSettings(mode="steps", size=64),
}


@pytest.mark.parametrize(("mode", "every"), [("full", 1), ("full", 3), ("sampled", 3), ("steps", 3)])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, mode, every):
    def run(folder, epochs=7, callback=None):
        model = model_of(batches=MODES[mode])
        module, data = parts("Links", SPLIT, "dot", model, every=every)
        monkeypatch.setattr(registry, "import_and_build", lambda component: callback)
        arguments = {"max_epochs": epochs, "accelerator": "cpu"} | ({"callbacks": [{"class_path": "x"}]} if callback else {})
        return train(module, data, arguments, folder, model)

    watch = Watch()
    watch.seen = {}
    whole = run(tmp_path / "whole", callback=watch)
    assert [epoch for epoch, found in watch.seen.items() if found is None] == list(range(every))
    for epoch in range(every + 1, 7):
        same = np.array_equal(watch.seen[epoch], watch.seen[epoch - 1])
        assert same == (epoch % every != 0), epoch
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path / "cut", callback=Stop())
    resumed = run(tmp_path / "cut")  # from the checkpoint after epoch 4: the look at epoch 3 is repeated
    assert resumed.curves == whole.curves
    torch.testing.assert_close(resumed.embeddings["segment"], whole.embeddings["segment"], atol=0, rtol=0)


def test_facts_train_with_hard_negatives(tmp_path):
    split = facts(count=30)[1]
    for scorer in ("complex", "rotate"):
        model = model_of(layer="none", id_embedding="all")
        module, data = parts("Facts", split, scorer, model, every=2)
        trained = train(module, data, {"max_epochs": 5, "accelerator": "cpu"}, tmp_path / scorer, model)
        assert data.batches.triples[0].sampler.near is not None
        assert all(np.isfinite(value) for _, _, value in trained.curves)


def test_no_sampler_that_looks_no_mining():
    train_edges = SPLIT.visible.edges[FOLLOWS]
    links = AskedLinks(
        "f", FOLLOWS, train_edges.source, train_edges.target, 100, 100, registry.create("negative sampler", "uniform")
    )
    assert not Mining([links], []).active


def test_what_cannot_be_mined_is_refused():
    with pytest.raises(
        SettingsError, match=r"no index finds the best answers of this scorer.*; given: MLP; take another scorer"
    ):
        sampler_for("hard", "info_nce", "mlp")
    assert sampler_for("uniform", "info_nce", "mlp")
    model = model_of(batches=BatchSettings(mode="neighbours", fanouts=(3,), workers=2))
    with pytest.raises(SettingsError, match=r"model.batches.workers: mined negatives .*; given: 2; set it to 0"):
        parts("Links", SPLIT, "dot", model)


def test_before_the_first_look_candidates_are_even():
    asked = AskedLinks("x", FOLLOWS, np.array([0, 1]), np.array([1, 2]), 50, 50, Hard(num=7))
    questions = Questions(np.array([0]), np.array([0]), np.array([1]), 1)
    assert len(asked.samplers[0].candidates(questions, 50, np.random.default_rng(0))) == 7
