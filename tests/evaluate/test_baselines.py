import dataclasses
import logging

import numpy as np
import pytest

from mmgraph import registry
from mmgraph.evaluate.baselines import limits
from mmgraph.evaluate.baselines.labels.correct_and_smooth import CorrectAndSmooth
from mmgraph.evaluate.baselines.labels.label_propagation import LabelPropagation
from mmgraph.evaluate.baselines.labels.logistic_regression import LogisticRegression
from mmgraph.evaluate.baselines.labels.smoothed_regression import SmoothedRegression, heard_by
from mmgraph.evaluate.baselines.links.next_in_time import NextInTime
from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.evaluate import fit_label_baselines, fit_link_baselines
from mmgraph.evaluate.ranking import DIRECTIONS
from mmgraph.graph.contract import Edges, Features, Graph
from mmgraph.settings import Component
from mmgraph.types import Relation

from .made import ids, label_question, link_question, random_question

LINKS = sorted(registry.discover("link baseline"))
LABELS = sorted(registry.discover("label baseline"))


def test_the_baselines_are_all_found():
    neighbours = {"adamic_adar", "common_neighbours", "resource_allocation"}
    assert set(LINKS) == neighbours | {
        "ease", "fast_rp", "item_knn", "logistic", "nearest", "next_in_time", "popularity", "recent",
    }  # fmt: skip
    assert LABELS == [
        "correct_and_smooth", "label_propagation", "logistic_regression", "majority", "nearest_labelled", "smoothed_regression",
    ]  # fmt: skip


def all_scores(question, name):
    few = {"least": 1} if name == "logistic" else {}  # links a partner
    methods = registry.create("link baseline", Component(class_path=name, init_args=few)).fit(question)
    return {
        (method.name, direction): method.scores(
            np.arange(question.count("source" if direction == "target" else "target")), direction
        )
        for method in methods
        for direction in DIRECTIONS
    }


def timed(question):
    """The same question, whose links have times."""
    edges = question.split.edges
    time = np.random.default_rng(0).permutation(len(edges)).astype(np.float64)
    return with_links(question, time=time)


def with_links(question, **data):
    """The same question, whose links have other data."""
    edges = dataclasses.replace(question.split.edges, **data)
    graph = question.graph.with_edges({**question.graph.edges, question.relation: edges.take(question.split.train)})
    return dataclasses.replace(question, graph=graph, split=dataclasses.replace(question.split, edges=edges))


CHOOSING = {"ease", "recent"}  # a setting of theirs is chosen on validation


def altered(question, name):
    """The same question with other held-out links: test alone where validation may be read to choose."""
    split, edges = question.split, question.split.edges
    held = split.test if name in CHOOSING else np.concatenate((split.valid, split.test))
    source, target = edges.source.copy(), edges.target.copy()
    source[held], target[held] = (source[held] + 1) % question.count("source"), (target[held] + 2) % question.count("target")
    other = dataclasses.replace(edges, source=source, target=target)
    return dataclasses.replace(question, split=dataclasses.replace(split, edges=other))


def applies(name, same):
    """To the questions of the next test, where links within one kind are temporal, and all have times."""
    return same if name == "next_in_time" else not same if name in ("ease", "item_knn", "logistic", "recent") else True


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("name", LINKS)
def test_link_baseline_contract(name, same):
    question = timed(random_question(1, same, temporal=same))
    scores = all_scores(question, name)
    assert bool(scores) == applies(name, same)
    for (method, direction), got in scores.items():
        assert method
        assert got.shape == (question.count("source" if direction == "target" else "target"), question.count(direction))
        assert got.dtype == np.float32
        assert np.isfinite(got).all()
    for other in (all_scores(question, name), all_scores(altered(question, name), name)):
        assert scores.keys() == other.keys()
        for key, got in scores.items():
            np.testing.assert_array_equal(got, other[key])


@pytest.mark.parametrize("temporal", [False, True])
@pytest.mark.parametrize("name", LINKS)
def test_link_baselines_score_each_query_by_itself(name, temporal):
    question = timed(random_question(1, same=True, temporal=temporal))
    for method in registry.create("link baseline", name).fit(question):
        whole = method.scores(np.arange(12), "target")
        np.testing.assert_allclose(method.scores(np.array([5, 2]), "target"), whole[[5, 2]], rtol=1e-5, atol=1e-6)
        assert method.scores(np.zeros(0, np.int64), "target").shape == (0, 12)


@pytest.mark.parametrize("name", LINKS)
def test_link_baselines_take_a_graph_without_any_link(name):
    relation = Relation("a", "r", "a")
    question = link_question(relation, {"a": 1}, np.zeros((0, 2)), [], temporal=True)
    question = LinkQuestion(question.graph.with_edges({}), question.split)
    for method in registry.create("link baseline", name).fit(question):
        assert np.isfinite(method.scores(np.array([0]), "target")).all()


def slow_neighbours(question, weight):
    """Score of every pair by walking over sets."""
    near = {}
    for relation, edges in question.graph.edges.items():
        for s, t in zip(edges.source.tolist(), edges.target.tolist(), strict=True):
            if (relation.source, s) != (relation.target, t):
                near.setdefault((relation.source, s), set()).add((relation.target, t))
                near.setdefault((relation.target, t), set()).add((relation.source, s))
    relation = question.relation
    return [
        [
            sum(weight(len(near[x])) for x in near.get((relation.source, s), set()) & near.get((relation.target, t), set()))
            for t in range(question.count("target"))
        ]
        for s in range(question.count("source"))
    ]


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("common_neighbours", lambda d: 1.0),
        ("adamic_adar", lambda d: 1 / np.log(max(d, 2))),
        ("resource_allocation", lambda d: 1 / d),
    ],
)
def test_neighbour_scores_the_slow_way(name, weight, same):
    question = random_question(4, same)
    slow = np.array(slow_neighbours(question, weight))
    scores = all_scores(question, name)
    np.testing.assert_allclose(scores[name, "target"], slow, rtol=1e-5)
    np.testing.assert_allclose(scores[name, "source"], slow.T, rtol=1e-5)
    assert slow.any()


def test_popularity_counts_train_links_only():
    question = link_question(Relation("a", "r", "b"), {"a": 3, "b": 3}, [(0, 1), (1, 1), (0, 0), (2, 2)], [0, 0, 0, 2])
    scores = all_scores(question, "popularity")
    assert scores["popularity", "target"][2].tolist() == [1.0, 2.0, 0.0]
    assert scores["popularity", "source"][0].tolist() == [2.0, 1.0, 0.0]


def test_nearest_is_cosine_and_the_missing_come_last():
    question = random_question(2)
    source, target = question.graph.features["a", "image"], question.graph.features["b", "image"]
    scores = all_scores(question, "nearest")["nearest:image", "target"]
    for s in range(12):
        for t in range(15):
            if source.present[s] and target.present[t]:
                x, y = source.vectors[s], target.vectors[t]
                assert scores[s, t] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), abs=1e-5)
    have = np.flatnonzero(source.present)
    assert (~target.present).any()
    assert (scores[have][:, ~target.present].max(1) < scores[have][:, target.present].min(1)).all()
    assert (scores[~source.present] == 0).all()


@pytest.mark.parametrize("other", [Features(np.ones((15, 5), np.float32), np.ones(15, bool)), None])
def test_nearest_does_not_compare_other_widths_or_encoders(other):
    question = random_question(2)
    one = question.graph.features["b", "image"]
    features = {**question.graph.features, ("b", "image"): other or dataclasses.replace(one, encoder="another")}
    question = dataclasses.replace(question, graph=dataclasses.replace(question.graph, features=features))
    assert [method.name for method in registry.create("link baseline", "nearest").fit(question)] == ["nearest:text"]


def chain_question(parent=None, extra=()):
    """Two videos of four segments: 0-1-2-3 and 4-5-6-7; 1->2 is held out."""
    relation = Relation("segment", "follows", "segment")
    graph = Graph(
        {"segment": ids("segment", 8), "video": ids("video", 2)}, {e.relation: e for e in extra}, parent=parent or {}
    )
    pairs = [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7)]
    return link_question(relation, {}, pairs, [0, 2, 0, 0, 0, 0], graph=graph, temporal=True)


CONTAINS = Relation("video", "contains", "segment")


@pytest.mark.parametrize(
    "question",
    [
        chain_question(parent={"segment": np.repeat([0, 1], 4)}),
        chain_question(extra=[Edges(CONTAINS, np.repeat([0, 1], 4), np.arange(8))]),
    ],
)
def test_next_in_time_closes_the_gap(question):
    (method,) = NextInTime().fit(question)
    assert method.scores(np.array([1]), "target").tolist() == [[1, 1, 2, 1, 0, 0, 0, 0]]
    assert method.scores(np.array([2]), "source").tolist() == [[1, 2, 1, 1, 0, 0, 0, 0]]


def test_next_in_time_without_groups_has_one_group_and_items_without_parent_are_alone():
    (method,) = NextInTime().fit(chain_question())
    assert method.scores(np.array([1]), "target").tolist() == [[1, 1, 2, 1, 2, 1, 1, 1]]
    (method,) = NextInTime().fit(chain_question(parent={"segment": np.array([0, 0, 0, 0, -1, -1, -1, -1])}))
    assert method.scores(np.array([4]), "target").tolist() == [[0, 0, 0, 0, 1, 0, 0, 0]]


def test_next_in_time_asks_for_a_relation_in_time():
    assert NextInTime().fit(random_question(0, same=True)) == []


def test_fastrp_brings_linked_items_near():
    relation = Relation("a", "r", "a")
    halves = [(i, j) for half in (range(10), range(10, 20)) for i in half for j in half if i < j]
    question = link_question(relation, {"a": 20}, halves, [0] * len(halves))
    scores = all_scores(question, "fast_rp")["fastrp+knn", "target"]
    assert scores[:10, :10].min() > scores[:10, 10:].max()


def test_too_much_memory_is_left_out_and_said(monkeypatch, caplog):
    monkeypatch.setattr(limits, "LIMIT_BYTES", 10)
    with caplog.at_level(logging.WARNING):
        left = {method.name for method in fit_link_baselines(random_question(1, same=True, temporal=True))}
        assert left == {"popularity", "next_in_time"}
        assert set(fit_label_baselines(label_question())) == {"majority"}
    for name in (
        "common_neighbours",
        "fastrp+knn",
        "nearest:image",
        "logistic:image",
        "label_propagation",
        "nearest_labelled",
        "correct_and_smooth",
        "smoothed_regression",
    ):
        assert f"baseline {name} left out" in caplog.text


@pytest.mark.parametrize("name", LABELS)
def test_label_baseline_contract(name):
    question = label_question(1)
    made = registry.create("label baseline", name).fit(question)
    again = registry.create("label baseline", name).fit(question)
    values = question.split.labels.values.copy()
    values[question.split.test] = (values[question.split.test] + 1) % 3
    split = dataclasses.replace(question.split, labels=dataclasses.replace(question.split.labels, values=values))
    other = registry.create("label baseline", name).fit(dataclasses.replace(question, split=split))
    assert made
    for key, probabilities in made.items():
        assert probabilities.shape == (60, 3)
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-5)
        assert (probabilities >= 0).all()
        np.testing.assert_array_equal(probabilities, again[key])
        np.testing.assert_array_equal(probabilities, other[key])


def test_label_baselines_learn():
    question = label_question(1)
    made = fit_label_baselines(question)
    truth, test = question.split.labels.values, question.split.test
    right = {name: float((p[test].argmax(1) == truth[test]).mean()) for name, p in made.items()}
    assert set(right) == {
        "majority",
        "logistic:image",
        "logistic:audio",
        "logistic:all",
        "nearest_labelled",
        "label_propagation",
        "correct_and_smooth",
        "smoothed_regression",
    }
    assert right["label_propagation"] > 0.9
    assert right["logistic:audio"] > right["majority"] + 0.2
    assert right["correct_and_smooth"] > right["logistic:all"]
    assert right["smoothed_regression"] > right["logistic:all"]


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("train", [0, 1])
def test_label_baselines_with_hardly_any_label(name, train):
    question = label_question(1)
    split = dataclasses.replace(question.split, train=question.split.train[:train], valid=np.zeros(0, np.int64))
    for probabilities in registry.create("label baseline", name).fit(dataclasses.replace(question, split=split)).values():
        np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-5)
        assert train


def test_label_baselines_without_features_or_links():
    question = label_question(1)
    bare = dataclasses.replace(question, graph=dataclasses.replace(question.graph, features={}, edges={}))
    assert set(fit_label_baselines(bare)) == {"majority"}


def test_a_class_without_training_label_gets_nothing_from_logistic_regression():
    question = label_question(1)
    train = question.split.train[question.split.labels.values[question.split.train] != 2]
    split = dataclasses.replace(question.split, train=train)
    made = LogisticRegression().fit(dataclasses.replace(question, split=split))
    assert (made["logistic:image"][:, 2] == 0).all()


def test_label_propagation_the_slow_way():
    question = label_question(2, items=20, valid=0)
    (got,) = LabelPropagation(alphas=[0.7], steps=2000).fit(question).values()
    (edges,) = question.graph.edges.values()
    A = np.zeros((20, 20))
    A[edges.source, edges.target] = A[edges.target, edges.source] = 1.0
    root = np.diag(1 / np.sqrt(np.maximum(A.sum(1), 1)))
    Y = np.zeros((20, 3))
    Y[question.split.train, question.split.labels.values[question.split.train]] = 1.0
    F = 0.3 * np.linalg.solve(np.eye(20) - 0.7 * root @ A @ root, Y)
    reached = F.sum(1) > 1e-12
    np.testing.assert_allclose(got[reached], (F / np.maximum(F.sum(1, keepdims=True), 1e-12))[reached], atol=1e-4)


def matrix_of(question, loops):
    """Every visible link both ways, by the roots of the degrees."""
    (edges,) = question.graph.edges.values()
    A = np.eye(20) * loops
    for s, t in zip(edges.source, edges.target, strict=True):
        A[s, t] = A[t, s] = 1.0
    root = np.diag(1 / np.sqrt(np.maximum(A.sum(1), 1)))
    return root @ A @ root


def test_correct_and_smooth_the_slow_way():
    question = label_question(2, items=20, valid=0)
    labels, train = question.split.labels, question.split.train
    base = list(LogisticRegression().fit(question).values())[-1].astype(float)
    S, truth = matrix_of(question, 0), np.eye(3)[labels.values]
    errors = np.zeros((20, 3))
    errors[train] = truth[train] - base[train]
    spread = 0.4 * np.linalg.solve(np.eye(20) - 0.6 * S, errors)
    size = np.mean([np.abs(errors[i]).sum() for i in train])
    corrected = base.copy()
    for i in range(20):
        if np.abs(spread[i]).sum() > 0:
            corrected[i] += size * spread[i] / np.abs(spread[i]).sum()
    corrected[train] = truth[train]
    smooth = np.maximum(0.3 * np.linalg.solve(np.eye(20) - 0.7 * S, corrected), 1e-9)
    (got,) = CorrectAndSmooth(corrections=[0.6], smoothings=[0.7], steps=2000).fit(question).values()
    np.testing.assert_allclose(got, smooth / smooth.sum(1, keepdims=True), atol=1e-4)


def test_smoothed_regression_the_slow_way():
    question = label_question(2, items=20, valid=0)
    S = matrix_of(question, 1)
    columns = []
    for modality in ("audio", "image"):
        features = question.graph.features["x", modality]
        rows = [v / np.linalg.norm(v) if there else 0 * v for v, there in zip(features.vectors, features.present, strict=True)]
        columns.append(S @ S @ np.array(rows))
    columns = np.concatenate(columns, 1)
    columns = (columns - columns.mean(0)) / columns.std(0)
    expected = LogisticRegression().probabilities(question, columns.astype(np.float32), 0.1)
    (got,) = SmoothedRegression(powers=[2], strengths=[0.1]).fit(question).values()
    np.testing.assert_allclose(got, expected, atol=1e-3)  # as near as L-BFGS ends


def test_a_kind_without_vectors_hears_those_of_its_neighbours():
    question = random_question(1)
    graph = dataclasses.replace(
        question.graph, features={key: f for key, f in question.graph.features.items() if key[0] == "a"}
    )
    image, text = heard_by(graph, "b")
    np.testing.assert_allclose(np.linalg.norm(image[:12], axis=1), graph.features["a", "image"].present, atol=1e-6)
    assert not image[12:].any()
    assert not text[12:].any()


def test_shares_of_validation_mend_labels_shown_k_a_class():
    """Nine of ten items are of class 0, training shows as many of each: without features that say much, 0 is the best call."""
    question = label_question(0, items=400, classes=2, train=20, valid=100)
    generator = np.random.default_rng(0)
    values = (generator.random(400) < 0.1).astype(np.int64)
    values[question.split.train] = np.arange(20) % 2
    vectors = (0.5 * values[:, None] + generator.normal(size=(400, 1))).astype(np.float32)
    graph = dataclasses.replace(question.graph, features={("x", "image"): Features(vectors, np.ones(400, bool))}, edges={})
    labels = dataclasses.replace(question.split.labels, values=values)
    question = dataclasses.replace(question, graph=graph, split=dataclasses.replace(question.split, labels=labels))
    made = fit_label_baselines(question)
    test = question.split.test
    assert made["majority"][0, 0] == pytest.approx((values[question.split.valid] == 0).mean())
    for name, probabilities in made.items():
        assert (probabilities[test].argmax(1) == values[test]).mean() > 0.8, name
        np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-5)
    without = dataclasses.replace(question.split, valid=np.zeros(0, np.int64))
    (shares,) = {tuple(row) for row in fit_label_baselines(dataclasses.replace(question, split=without))["majority"].tolist()}
    assert shares == (0.5, 0.5)
