"""Every block of docs/extending.md is a real component: found in its folder, built by class_path, and run."""

import importlib
import re
import sys
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made
from PIL import Image

from mmgraph import registry
from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame
from mmgraph.encode.choose import choose
from mmgraph.evaluate.asking import AskQuestion
from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.evaluate.contract import Asked, LabelQuestion, LinkQuestion
from mmgraph.evaluate.evaluate import fit_label_baselines, fit_link_baselines, fit_recommend_baselines
from mmgraph.evaluate.ratings.evaluate import fit_rating_baselines
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.asked import Asked as ToDraw
from mmgraph.settings import Component, ModelSettings
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.testing import awkward_clips, check_encoder

from .blocks import ROOT, blocks

BLOCKS = {block.heading: block.text for block in blocks(ROOT / "docs" / "extending.md", "python")}
GROUP = {heading: heading.lower() for heading in BLOCKS}
NAMES = {heading: re.search(r"^class ([A-Z]\w+)", text, re.MULTILINE)[1] for heading, text in BLOCKS.items()}
ARGUMENTS = {"Edge builder": {"kind": "segment"}, "Scorer": {"scale": 2.0}, "Loss": {"margin": 0.5}}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A package ``mine`` with one folder a contract, each with the file of its block, as a person would write them."""
    top = tmp_path_factory.mktemp("extending")
    for heading, text in BLOCKS.items():
        folder = top / "mine" / _stem(heading)
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / f"{registry.snake(NAMES[heading])}.py").write_text('"""From the documentation."""\n\n' + text)
    (top / "mine" / "__init__.py").write_text("")
    sys.path.insert(0, str(top))
    importlib.invalidate_caches()
    yield "mine"
    sys.path.remove(str(top))
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


def _stem(heading):
    return heading.lower().replace(" ", "_")


def _component(heading, **arguments):
    path = f"mine.{_stem(heading)}.{registry.snake(NAMES[heading])}.{NAMES[heading]}"
    return Component(class_path=path, init_args={**ARGUMENTS.get(heading, {}), **arguments})


def test_every_contract_has_its_section():
    assert set(GROUP.values()) == {*registry.GROUPS, "encoder"}


@pytest.mark.parametrize("heading", [heading for heading in BLOCKS if heading != "Encoder"])
def test_a_file_in_the_folder_is_found_by_its_short_name(mine, heading, monkeypatch):
    monkeypatch.setattr(registry, "discover", registry.discover.__wrapped__)
    monkeypatch.setitem(registry.GROUPS, GROUP[heading], f"mine.{_stem(heading)}")
    assert list(registry.discover(GROUP[heading])) == [registry.snake(NAMES[heading])]
    entry = registry.find(GROUP[heading], NAMES[heading])
    assert entry.load().__name__ == NAMES[heading]
    assert entry.load().__mro__[1].__module__.startswith("mmgraph")


def test_encoder(mine):
    encoder = choose("text", [_component("Encoder")], "error", "cpu").encoder()
    check_encoder(encoder, awkward_clips("text"))


def test_importer(mine, tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "a.jpg", "deep/a.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    read = registry.create("importer", _component("Importer", root=str(tmp_path))).read()
    assert read.items["id"].tolist() == ["b.png", "deep/a.png"]
    assert read.items["path"].tolist() == [str(tmp_path / "b.png"), str(tmp_path / "deep" / "a.png")]
    read = registry.create("importer", _component("Importer", root=str(tmp_path), ending="jpg")).read()
    assert read.kinds() == {"image": 1}


def test_edge_builder(mine):
    graph, _ = made(videos=3)
    empty = Catalogue(items_frame([]), links_frame([]), labels_frame([]))
    (edges,) = registry.create("edge builder", _component("Edge builder")).build(empty, graph)
    pairs = set(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert pairs == {(i, i + 1) for i in range(14) if i % 5 != 4}


def test_scorer(mine):
    scorer = registry.create("scorer", _component("Scorer"), 3)
    source, target = torch.tensor([[0.0, 0, 0], [1, 0, 0]]), torch.tensor([[3.0, 4, 0], [1, 0, 2]])
    torch.testing.assert_close(scorer.pairs(source, target), torch.tensor([-2.5, -1.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(scorer.matrix(source, target).diagonal(), scorer.pairs(source, target), atol=1e-4, rtol=0)


def test_loss(mine):
    loss = registry.create("loss", _component("Loss"))
    positive, negative = torch.tensor([1.0, 0.0]), torch.tensor([[0.75, 9.0], [0.0, 0.0]])
    use = torch.tensor([[True, False], [False, False]])
    assert loss(positive, negative, use).item() == pytest.approx(0.25)


def test_regulariser(mine):
    regulariser = registry.create("regulariser", _component("Regulariser", weight=0.5))
    assert regulariser((torch.tensor([[1.0, 3.0], [2.0, 0.0]]),)).item() == pytest.approx(1.25)


def test_readout(mine):
    readout = registry.create("readout", _component("Readout", least=0.25), 1)
    members = Adjacency(torch.tensor([0, 2, 2]), torch.tensor([0, 2]), 3)
    found = readout(torch.tensor([[1.0], [9.0], [5.0]]), members)
    torch.testing.assert_close(found, torch.tensor([[3.0, 2.0], [0.0, 0.5]]))


def test_negative_sampler(mine):
    sampler = registry.create("negative sampler", _component("Negative sampler"))
    assert sampler.others(np.array([0, 7]), 8, np.random.default_rng(0)).tolist() == [0, 1, 6, 7]


def test_layer_scorer_loss_negatives_and_tasks_train_together(mine, tmp_path):
    _, split = made()
    model = ModelSettings(width=16, depth=1, layer=_component("Layer"), learning_rate=1e-2)
    asked = {"scorer": "Scorer", "loss": "Loss", "negatives": "Negative sampler", "regulariser": "Regulariser"}
    links = {key: _component(heading) for key, heading in asked.items()}
    tasks = [
        registry.create("task", Component(class_path="Links", init_args={"relation": str(FOLLOWS), **links})),
        registry.create("task", _component("Task", weight=2.0)),
    ]
    lightning.seed_everything(1, verbose=False)
    module = build(split.visible, [head for task in tasks for head in task.heads(split, model)], model, seed=1)
    to_draw = ToDraw([a for t in tasks for a in t.asked_links(split)], [a for t in tasks for a in t.asked_labels(split)])
    data = GraphData(split.visible, to_draw, model, 0.3, seed=1)
    trained = train(module, data, {"max_epochs": 15, "accelerator": "cpu"}, tmp_path, model)
    curve = {name: [v for _, n, v in trained.curves if n == name] for _, name, _ in trained.curves}
    assert max(curve["valid/segment.category/accuracy"]) > 0.6
    losses = curve[f"train/{FOLLOWS}"]
    assert np.mean(losses[-3:]) < 0.9 * losses[0], losses
    assert len(curve[f"valid/{FOLLOWS}/mrr"]) == 15


def test_label_method(mine):
    _, split = made(videos=4)
    method = registry.create("label method", _component("Label method", weight=0.5), split.labels["segment.category"])
    even = method([torch.tensor([[0.0, 0.0], [50.0, 0.0]])], None)
    assert even.item() == pytest.approx(0.5 * np.log(2) / 2, rel=1e-5)


def test_baselines(mine, monkeypatch):
    monkeypatch.setattr(registry, "discover", registry.discover.__wrapped__)
    for heading in ("Link baseline", "Label baseline"):
        monkeypatch.setitem(registry.GROUPS, GROUP[heading], f"mine.{_stem(heading)}")
    _, split = made(videos=4)
    (method,) = fit_link_baselines(LinkQuestion(split.visible, split.links[FOLLOWS]), ("earliest",))
    scores = method.scores(np.array([3, 5]), "target")
    assert method.name == "earliest"
    assert scores.shape == (2, 20)
    assert scores.argmax(1).tolist() == [0, 0]
    (even,) = fit_label_baselines(LabelQuestion(split.visible, split.labels["segment.category"]), ("even",)).values()
    np.testing.assert_allclose(even, np.full((20, 3), 1 / 3), rtol=1e-6)


def test_grouping(mine):
    _, split = made(videos=4)
    question = LinkQuestion(split.visible, split.links[FOLLOWS])
    asked = Asked.of(question, split.links[FOLLOWS].test)
    groups = registry.find("grouping", _component("Grouping").class_path).load()().groups(asked)
    answer = np.where(asked.to_target, asked.target, asked.source)
    assert groups.tolist() == ["first" if item < 10 else "second" for item in answer]


def test_clustering(mine):
    _, split = made(videos=4)
    vectors = split.visible.features["segment", "image"].vectors
    question = ClusterQuestion.of(split.visible, "segment", vectors)
    found = registry.create("clustering", _component("Clustering")).find(question, None, 7)
    positive = vectors[:, 0] > vectors[:, 0].mean()
    assert found.count == 2
    larger = positive if positive.sum() > (~positive).sum() else ~positive
    assert np.array_equal(found.of == 0, larger) or positive.sum() == (~positive).sum()


def test_recommend_baseline(mine, monkeypatch):
    monkeypatch.setattr(registry, "discover", registry.discover.__wrapped__)
    monkeypatch.setitem(registry.GROUPS, "recommend baseline", f"mine.{_stem('Recommend baseline')}")
    _, split = made()
    question = LinkQuestion(split.visible, split.links[FOLLOWS])
    assert fit_link_baselines(question, ["unpopular"]) == []
    (method,) = fit_recommend_baselines(question, ["unpopular"])
    links = np.bincount(question.visible.target, minlength=100)
    np.testing.assert_array_equal(method.scores(np.array([0, 4]), "target"), [-links, -links])


def test_rating_baseline(mine, monkeypatch):
    monkeypatch.setattr(registry, "discover", registry.discover.__wrapped__)
    monkeypatch.setitem(registry.GROUPS, "rating baseline", f"mine.{_stem('Rating baseline')}")
    _, split = made()
    links = split.links[FOLLOWS]
    rated = replace(links, edges=replace(links.edges, weight=np.arange(len(links.edges), dtype=np.float32)))
    (method,) = fit_rating_baselines(RatingQuestion(split.visible, rated, (0.0, 100.0)), ["median", "popularity"])
    assert method.ratings(np.array([0, 1]), np.array([5, 5])).tolist() == [np.median(links.train)] * 2


def test_strategy(mine):
    asked = np.float32([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.6, 0.4]])
    question = AskQuestion(asked, np.zeros((4, 2), np.float32), np.zeros((0, 2), np.float32), np.array([0, 1, 2, 1]))
    assert registry.create("strategy", _component("Strategy")).pick(question, 3, 0).tolist() == [1, 2, 0]
