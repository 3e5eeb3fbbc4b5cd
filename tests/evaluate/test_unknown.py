"""Which classes are called unknown, and whether items of classes that were never seen are."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mmgraph.evaluate.contract import LabelQuestion
from mmgraph.evaluate.evaluate import fit_label_baselines
from mmgraph.evaluate.evidence import combine_labels
from mmgraph.evaluate.metrics import ece
from mmgraph.evaluate.open_classes import aurocs, open_rows
from mmgraph.evaluate.unknown import as_record, label_trust, unknown_rows
from mmgraph.graph.contract import Features
from mmgraph.settings import EvaluateSettings, LabelSplitSettings, SplitSettings
from mmgraph.split.make import make

from .made import label_question

FEW = EvaluateSettings(bootstrap=100, label_precision=0.8)
STRICT = EvaluateSettings(bootstrap=100, label_precision=0.98)


def asked(seed=0, classes=6, **more):
    """A question of six classes, two of which nobody has ever labelled."""
    whole = label_question(seed, items=300, classes=classes)
    values = whole.split.labels.values
    vectors = 2.5 * np.eye(classes)[values] + np.random.default_rng(seed).normal(size=(300, classes))
    features = {("x", "image"): Features(vectors.astype(np.float32), np.ones(300, bool))}
    graph = dataclasses.replace(whole.graph, features=features, labels={("x", "class"): whole.split.labels})
    split = make(graph, [], [("x", "class")], SplitSettings(labels=LabelSplitSettings(k=10, **more)), seed)
    return LabelQuestion(split.visible, split.labels["x.class"], seed)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30), st.integers(0, 5))
@example_settings(max_examples=40, deadline=None)
def test_the_area_is_that_of_scikit_learn_on_every_draw(items, seed):
    score, positive = (np.array(one) for one in zip(*items, strict=True))
    weight = np.random.default_rng(seed).integers(0, 3, (4, len(items))).astype(float)
    found = aurocs(score.astype(np.float32), positive, weight)
    for area, times in zip(found, weight.astype(int), strict=True):
        repeated, truth = np.repeat(score, times), np.repeat(positive, times)
        if truth.all() or not truth.any():
            assert np.isnan(area)
        else:
            assert area == pytest.approx(roc_auc_score(truth, repeated))


def test_two_classes_that_were_never_seen_are_called_unknown_more_often():
    known, never = [], []
    for seed in range(3):
        question = asked(seed, open=2)
        assert len(question.split.labels.classes) == 4
        predictions = fit_label_baselines(question, ("logistic_regression",))
        ours, _ = combine_labels(question, predictions, seed)
        trust = label_trust(question, ours, STRICT)
        unknown = trust.unknown(ours.max(1))
        known.append(unknown[question.split.test].mean())
        never.append(unknown[question.split.open].mean())
        rows = open_rows(question, {"mmgraph": ours, **predictions}, STRICT)
        assert [row.method for row in rows] == ["mmgraph", *predictions]
        assert (rows[0].metric, rows[0].split, rows[0].target) == ("auroc/open", "test", "x.class")
        assert 0.5 < rows[0].low <= rows[0].value <= rows[0].high
        assert rows[0].value > 0.65
        items = np.concatenate((question.split.test, question.split.open))
        assert rows[0].n == len(items)
        assert rows[0].value == pytest.approx(roc_auc_score(np.isin(items, question.split.test), ours[items].max(1)))
        by_metric = {row.metric: row for row in unknown_rows(question, ours, trust, STRICT)}
        assert by_metric["share/answered"].value == pytest.approx(1 - known[-1])
        assert by_metric["share/answered_open"].value == pytest.approx(1 - never[-1])
        assert by_metric["share/answered_open"].n == len(question.split.open)
    assert np.mean(never) > np.mean(known) + 0.2


def test_without_open_classes_or_test_items_nothing_is_measured_of_them():
    question = asked()
    even = np.full((300, 6), 1 / 6, np.float32)
    assert open_rows(question, {"even": even}, FEW) == []
    assert {row.metric for row in unknown_rows(question, even, label_trust(question, even, FEW), FEW)} == {"share/answered"}
    nothing = dataclasses.replace(question, split=dataclasses.replace(question.split, test=np.zeros(0, np.int64)))
    trust = label_trust(nothing, even, FEW)
    assert trust.reliability is None
    assert unknown_rows(nothing, even, trust, FEW) == []


def test_the_threshold_is_the_lowest_that_is_right_often_enough():
    question = asked()
    split, truth = question.split, question.split.labels.values
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1.0, 300).round(2)
    right = rng.random(300) < confidence
    called = np.where(right, truth, (truth + 1) % 6)
    probabilities = np.full((300, 6), 0.0) + (1 - confidence[:, None]) / 5
    probabilities[np.arange(300), called] = confidence
    probabilities = probabilities.astype(np.float32)
    trust = label_trust(question, probabilities, FEW)
    valid = split.valid
    fine = []
    for one in np.unique(probabilities[valid].max(1)):
        above = valid[probabilities[valid].max(1) >= one]
        if len(above) >= 10 and (probabilities[above].argmax(1) == truth[above]).mean() >= 0.8:
            fine.append(one)
    assert trust.threshold == pytest.approx(min(fine))
    test = split.test
    answered = test[probabilities[test].max(1) >= trust.threshold]
    rows = {row.metric: row for row in unknown_rows(question, probabilities, trust, FEW)}
    assert rows["share/answered"].value == pytest.approx(len(answered) / len(test))
    assert rows["accuracy/answered"].value == pytest.approx((probabilities[answered].argmax(1) == truth[answered]).mean())
    assert rows["accuracy/answered"].n == len(answered)
    assert rows["accuracy/answered"].low <= rows["accuracy/answered"].value <= rows["accuracy/answered"].high
    assert trust.reliability.ece == pytest.approx(ece(probabilities[test], truth[test]), abs=1e-6)
    record = as_record(question, trust)
    assert (record["field"], record["precision"], record["validated"]) == ("x.class", 0.8, [])
    assert record["calibration"] == {"shape": "log-linear pool"}
    lenient = label_trust(question, probabilities, EvaluateSettings(bootstrap=0, precision=0.0))
    assert not lenient.unknown(probabilities[valid].max(1)).any()


def test_without_validation_nothing_can_be_promised_and_all_is_unknown():
    question = asked(valid=0.0)
    even = np.full((300, 6), 1 / 6, np.float32)
    trust = label_trust(question, even, FEW)
    assert trust.threshold is None
    assert trust.unknown(even.max(1)).all()
    assert as_record(question, trust)["calibration"] == {"shape": "none"}


def test_a_single_method_that_is_too_sure_is_calibrated_on_validation():
    """Its probabilities become what they say, though nothing is combined."""
    question = asked()
    truth = question.split.labels.values
    rng = np.random.default_rng(0)
    called = np.where(rng.random(300) < 0.6, truth, rng.integers(0, 6, 300))
    sure = np.full((300, 6), 0.001 / 5, np.float32)
    sure[np.arange(300), called] = 0.999
    ours, report = combine_labels(question, {"gnn": sure}, 7)
    assert report.chosen == "gnn"
    assert (ours.argmax(1) == called).all()
    test = question.split.test
    assert ece(sure[test], truth[test]) > 0.25
    assert ece(ours[test], truth[test]) < 0.12
