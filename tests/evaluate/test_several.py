"""Fields whose items may have several values: metrics, baselines and their combination, against slow computations."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn.metrics import average_precision_score, f1_score, label_ranking_average_precision_score

from mmgraph.evaluate import pool
from mmgraph.evaluate.evaluate import evaluate_labels, fit_label_baselines
from mmgraph.evaluate.evidence import combine_labels
from mmgraph.evaluate.open_classes import open_rows
from mmgraph.evaluate.pool import SeveralPool, fit_pool
from mmgraph.evaluate.rightness import called, ranking_precisions
from mmgraph.evaluate.several import mean_average_precisions
from mmgraph.evaluate.unknown import label_trust, unknown_rows
from mmgraph.settings import EvaluateSettings

from .made import label_question

FEW = EvaluateSettings(bootstrap=100, label_precision=0.8)


def several(seed=0, items=120, classes=4):
    """Every item has its class, and some have the next one as well, which one of the features shows."""
    question = label_question(seed, items=items, classes=classes, train=40, valid=40)
    rng = np.random.default_rng(seed)
    has = question.split.labels.has(np.arange(items))
    has |= np.roll(has, 1, axis=1) & (rng.random(items) < 0.4)[:, None]
    features = {
        key: dataclasses.replace(
            one, vectors=(2 * has + rng.normal(size=has.shape)).astype(np.float32), present=np.ones(items, bool)
        )
        for key, one in question.graph.features.items()
    }
    labels = dataclasses.replace(question.split.labels, values=has.argmax(1), several=has)
    graph = dataclasses.replace(question.graph, features=features)
    return dataclasses.replace(question, graph=graph, split=dataclasses.replace(question.split, labels=labels))


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(2, 5))
@example_settings(max_examples=40, deadline=None)
def test_rankings_are_those_of_scikit_learn(seed, items, classes):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (items, classes)) / 3
    has = rng.random((items, classes)) < 0.5
    has[np.arange(items), rng.integers(0, classes, items)] = True
    assert ranking_precisions(scores, has).mean() == pytest.approx(label_ranking_average_precision_score(has, scores))
    weight = rng.integers(0, 3, (3, items)).astype(float)
    for found, times in zip(mean_average_precisions(scores, has, weight), weight.astype(int), strict=True):
        drawn, true = np.repeat(scores, times, axis=0), np.repeat(has, times, axis=0)
        each = [average_precision_score(true[:, c], drawn[:, c]) for c in range(classes) if len(true) and true[:, c].any()]
        assert np.isnan(found) if not each else found == pytest.approx(np.mean(each))


def test_rows_by_hand():
    question = several()
    predictions = {"mmgraph": fit_label_baselines(question, ("majority", "logistic_regression"))["logistic:image"]}
    predictions["even"] = np.full((120, 4), 0.3, np.float32)
    rows, verdict = evaluate_labels(question, predictions, FEW)
    got = {row.metric: row for row in rows if (row.method, row.split) == ("mmgraph", "test")}
    assert set(got) == {"lrap", "map", "micro_f1", "macro_f1", "subset_accuracy", "ece"}
    test, has = question.split.test, question.split.labels.several[question.split.test]
    p = predictions["mmgraph"][test]
    said = p >= 0.5
    for row, one in zip(said, p, strict=True):
        row[one.argmax()] = True
    assert (called(p) == said).all()
    assert got["lrap"].value == pytest.approx(label_ranking_average_precision_score(has, p))
    assert got["map"].value == pytest.approx(average_precision_score(has, p, average="macro"))
    assert got["micro_f1"].value == pytest.approx(f1_score(has, said, average="micro"))
    assert got["macro_f1"].value == pytest.approx(f1_score(has, said, average="macro"))
    assert got["subset_accuracy"].value == pytest.approx((said == has).all(1).mean())
    slow = 0.0
    for low in range(15):
        inside = (p.astype(float) > low / 15) & (p.astype(float) <= (low + 1) / 15)
        slow += abs((p.astype(float)[inside] - has[inside]).sum()) / has.size
    assert got["ece"].value == pytest.approx(slow, abs=1e-6)
    assert all(row.low <= row.value <= row.high for row in got.values())
    assert {row.n for row in got.values()} == {len(test)}
    assert (verdict.metric, verdict.baseline) == ("lrap", "even")
    assert verdict.difference > 0.1


def test_baselines_answer_each_class_by_itself():
    question = several()
    labels, train = question.split.labels, question.split.train
    found = fit_label_baselines(question)
    assert {"majority", "nearest_labelled", "label_propagation", "logistic:image", "logistic:all"} <= set(found)
    assert all(one.shape == (120, 4) and one.min() >= 0 and one.max() <= 1 + 1e-6 for one in found.values())
    assert (found["logistic:image"].sum(1) > 1.2).any()
    np.testing.assert_allclose(found["majority"][7], labels.several[question.split.valid].mean(0), rtol=1e-6)
    even = label_ranking_average_precision_score(labels.several[question.split.test], found["majority"][question.split.test])
    for name in ("nearest_labelled", "label_propagation", "logistic:all"):
        assert (
            label_ranking_average_precision_score(labels.several[question.split.test], found[name][question.split.test]) > even
        )
    nothing = labels.shown(train).several.copy()
    nothing[:, 3] = False
    one = dataclasses.replace(
        question, split=dataclasses.replace(question.split, labels=dataclasses.replace(labels, several=nothing))
    )
    assert (fit_label_baselines(one, ("logistic_regression",))["logistic:image"][:, 3] == 0).all()


def test_propagation_says_which_share_of_the_labels_near_an_item_have_a_class():
    """Two train items reach the third alike: both have class a, one of them class b as well."""
    question = label_question(0, items=3, classes=2, train=2, valid=0)
    has = np.array([[True, False], [True, True], [True, False]])
    labels = dataclasses.replace(question.split.labels, values=np.zeros(3, np.int64), several=has)
    relation = next(iter(question.graph.edges))
    edges = dataclasses.replace(question.graph.edges[relation], source=np.array([0, 1]), target=np.array([2, 2]))
    split = dataclasses.replace(question.split, labels=labels, train=np.array([0, 1]), test=np.array([2]))
    one = dataclasses.replace(question, graph=question.graph.with_edges({relation: edges}), split=split)
    np.testing.assert_allclose(fit_label_baselines(one, ("label_propagation",))["label_propagation"][2], [1.0, 0.5], atol=1e-5)


def test_the_pool_is_the_minimum_and_its_slope_is_right():
    rng = np.random.default_rng(0)
    has = rng.random((30, 3)) < 0.4
    stack = np.clip(0.6 * has + 0.4 * rng.random((2, 30, 3)), 0.01, 0.99).astype(np.float32)
    found = fit_pool(stack, has)
    assert isinstance(found, SeveralPool)

    def loss(at):
        joint = np.tensordot(at[:-1], pool._odds(stack), axes=1) + at[-1]
        return (np.log1p(np.exp(joint)) - has * joint).sum() + (at @ at) / 2 / 9

    best = np.append(found.weights, found.intercept)
    inside = np.append(found.weights > 1e-6, True)
    assert np.abs(approx_fprime(best, loss, 1e-6)[inside]).max() < 0.1
    for _ in range(20):
        assert loss(np.abs(best + rng.normal(size=3) / 10) * np.array([1, 1, np.sign(best[2])])) >= loss(best) - 1e-4


def test_what_is_handed_out_is_chosen_calibrated_and_called_unknown_where_it_should_be():
    question = several()
    has, rng = question.split.labels.several, np.random.default_rng(1)
    sure = np.where((has ^ (rng.random(has.shape) < 0.2)), 0.999, 0.001).astype(np.float32)
    noise = rng.random(has.shape).astype(np.float32)
    ours, report = combine_labels(question, {"gnn": noise, "sure": sure}, 7)
    assert report.metric == "lrap"
    assert report.pieces[1].value > report.pieces[0].value
    test = question.split.test
    rows = {row.metric: row.value for row in evaluate_labels(question, {"mmgraph": ours}, FEW)[0] if row.split == "test"}
    before = {row.metric: row.value for row in evaluate_labels(question, {"mmgraph": sure}, FEW)[0] if row.split == "test"}
    assert rows["ece"] < before["ece"] - 0.05
    trust = label_trust(question, ours, EvaluateSettings(bootstrap=100, label_precision=0.6))
    assert trust.threshold > 0.2
    said = called(ours[test])
    p, right = ours[test][said], has[test][said]
    known = p >= trust.threshold
    found = {row.metric: row for row in unknown_rows(question, ours, trust, FEW)}
    assert found["share/answered"].value == pytest.approx(known.mean())
    assert found["accuracy/answered"].value == pytest.approx(right[known].mean())
    assert found["share/answered"].n == said.sum()
    opened = dataclasses.replace(question, split=dataclasses.replace(question.split, open=question.split.train))
    assert open_rows(opened, {"mmgraph": ours}, FEW)[0].n == len(test) + len(question.split.train)
