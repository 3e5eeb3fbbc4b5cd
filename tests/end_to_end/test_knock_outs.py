"""``mmgraph ablate``: which fits are made, that each lacks what it should, and what is written and shown."""

import dataclasses
import json

import msgspec
import numpy as np
import pytest
from graph_made import CONTAINS, FOLLOWS, made
from runs_made import QUICK, Asked

from mmgraph import registry
from mmgraph.cli import main
from mmgraph.graph.contract import Edges, Features
from mmgraph.knock_outs import at_random, variants_of, without_modality
from mmgraph.settings import AdaptationSettings, AdaptSettings, Component, Settings
from mmgraph.types import Relation

LINKS = Component(class_path="Links", init_args={"relation": str(FOLLOWS)})
LABELS = Component(class_path="Categories", init_args={"field": "category"})
ALIKE = Relation("segment", "similar_image", "segment")


def several(*tasks, each_relation=False):
    _, split = made(videos=4)
    graph = split.visible
    sound = Features(np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) < 15)
    edges = {**graph.edges, ALIKE: Edges(ALIKE, np.array([0]), np.array([7]), built_by="similar")}
    graph = dataclasses.replace(graph, edges=edges, features={**graph.features, ("segment", "audio"): sound})
    split = dataclasses.replace(split, visible=graph)
    created = [registry.create("task", one) for one in tasks]
    return list(variants_of(0, split, created, each_relation)), split


def test_every_fit_lacks_one_thing():
    variants, split = several(LINKS, LABELS, each_relation=True)
    named = [(one.what, one.name) for one in variants]
    assert named == [
        ("links", "links"), ("links", "messages and other links"), ("modality", "audio"), ("random", "audio"),
        ("modality", "image"), ("random", "image"), ("relation", str(CONTAINS)), ("relation", str(ALIKE)), ("joint", "joint"),
        ("joint", "joint"),
    ]  # fmt: skip
    by = dict(zip(named, variants, strict=True))
    links = by["links", "links"]
    assert not links.split.visible.edges
    assert [type(task).__name__ for task in links.tasks] == ["Categories"]
    assert links.change(Settings(catalogue="tables").model).layers == 0
    messages = by["links", "messages and other links"]
    assert set(messages.split.visible.edges) == {FOLLOWS}
    assert [type(task).__name__ for task in messages.tasks] == ["Links"]
    image = by["modality", "image"].split.visible
    assert ("segment", "image") not in image.features
    assert set(image.edges) == {FOLLOWS, CONTAINS}  # what was built of the images is gone as well
    assert set(by["modality", "audio"].split.visible.edges) == {FOLLOWS, CONTAINS, ALIKE}
    assert set(by["relation", str(CONTAINS)].split.visible.edges) == {FOLLOWS, ALIKE}
    assert [[type(task).__name__ for task in one.tasks] for one in variants[-2:]] == [["Links"], ["Categories"]]
    for one in variants:
        assert one.split.links is split.links
        assert one.split.labels is split.labels


def test_one_task_without_layers_has_little_to_lose():
    assert [one.what for one in several(LABELS)[0]] == ["links", "modality", "random", "modality", "random"]
    _, split = made(videos=4)
    graph = split.visible
    alone = dataclasses.replace(split, visible=graph.with_edges({FOLLOWS: graph.edges[FOLLOWS]}))
    task = registry.create("task", LINKS)
    assert [one.what for one in variants_of(0, alone, [task], layers=True)] == ["links", "modality", "random"]
    assert [one.what for one in variants_of(0, alone, [task], layers=False)] == ["modality", "random"]


def test_without_any_features_nothing_is_masked():
    _, split = made(videos=4)
    tasks = [registry.create("task", Component(class_path="Masked")), registry.create("task", LABELS)]
    gone = {one.name: one for one in variants_of(0, split, tasks) if one.what == "modality"}["image"]
    assert not gone.split.visible.features
    assert [type(task).__name__ for task in gone.tasks] == ["Categories"]
    assert all(task.heads(gone.split, gone.change(Settings(catalogue="tables").model)) for task in gone.tasks)


def test_a_whole_keeps_its_parts():
    task = Component(class_path="GraphCategories", init_args={"field": "category", "kind": "video", "over": "segment"})
    graph, split = made(videos=4)
    graph = dataclasses.replace(split.visible, parent={}, labels={("video", "category"): graph.labels["segment", "category"]})
    split = dataclasses.replace(split, visible=graph)
    first = next(variants_of(0, split, [registry.create("task", task)]))
    assert set(first.split.visible.edges) == {CONTAINS}


def test_random_features_are_those_of_other_items():
    graph, _ = made(videos=20)
    one = graph.features["segment", "image"]
    with_activations = dataclasses.replace(one, activations=one.vectors * 2)
    graph = dataclasses.replace(graph, features={("segment", "image"): with_activations, ("video", "text"): one})
    dealt = at_random(graph, "image", 7).features["segment", "image"]
    np.testing.assert_array_equal(dealt.present, one.present)
    np.testing.assert_array_equal(dealt.vectors[~one.present], one.vectors[~one.present])
    assert sorted(map(tuple, dealt.vectors)) == sorted(map(tuple, one.vectors))
    assert (dealt.vectors[one.present] != one.vectors[one.present]).any(1).mean() > 0.9
    np.testing.assert_array_equal(dealt.activations, dealt.vectors * 2)
    np.testing.assert_array_equal(at_random(graph, "image", 7).features["segment", "image"].vectors, dealt.vectors)
    assert at_random(graph, "image", 7).features["video", "text"] is one
    assert list(without_modality(graph, "image").features) == [("video", "text")]


def test_what_is_gone_is_not_adapted():
    model = msgspec.structs.replace(
        Settings(catalogue="tables").model, adaptation=AdaptationSettings(image=AdaptSettings(method="adapter"))
    )
    variants, _ = several(LABELS)
    assert {
        one.change(model).adaptation.image.method for one in variants if one.what == "modality" and one.name == "image"
    } == {"frozen"}
    assert {one.change(model).adaptation.image.method for one in variants if one.name == "audio"} == {"adapter"}


def test_a_run_says_what_adds_what(tmp_path, capsys):
    asked = Asked(tmp_path, capsys)
    fast = (*QUICK, "--evaluate.baselines", "[popularity, majority]", "--trainer.max_epochs", "1")
    assert asked(*fast)[0] == 0
    before = asked.run.joinpath("metrics.json").read_bytes()
    assert "What adds what" not in (asked.run / "report" / "index.html").read_text()
    assert main(["ablate", str(asked.run), "--relations"]) == 0
    shown = capsys.readouterr().out
    found = json.loads((asked.run / "knock_outs.json").read_text())
    assert asked.run.joinpath("metrics.json").read_bytes() == before
    assert {(one["what"], one["name"]) for one in found} >= {
        ("links", "links"), ("links", "messages and other links"), ("modality", "text"), ("random", "text"),
        ("relation", "user/likes/text"), ("joint", "joint"), ("baseline", "majority"), ("baseline", "popularity"),
    }  # fmt: skip
    metrics = {
        (r["target"], r["method"], r["metric"]): r["value"]
        for r in json.loads(before)
        if r["split"] == "test" and not r["group"]
    }
    for one in found:
        assert one["whole"] == pytest.approx(metrics[one["target"], one["method"], one["metric"]])
        assert one["difference"] == pytest.approx(one["whole"] - one["without"])
        assert one["low"] <= one["high"]
    report = (asked.run / "report" / "index.html").read_text()
    for text in ("without links", "random features for text", "trained for this alone", "without user/likes/text"):
        assert all(word in shown for word in text.split()), text  # in a narrow terminal it is folded
        assert text in report
    assert "What adds what" in report
