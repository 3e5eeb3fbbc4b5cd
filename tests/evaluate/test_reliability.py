"""Thresholds, calibration errors and groups against slow computations."""

import dataclasses
import json

import numpy as np
import pytest

from mmgraph.evaluate import reliability
from mmgraph.evaluate.calibrate import Isotonic, calibrate
from mmgraph.evaluate.reliability import (
    Trust,
    as_record,
    best,
    from_record,
    groups,
    lowest_threshold,
    trust,
    validated_groups,
)
from mmgraph.graph.contract import Edges, Features, Graph
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Relation

from .made import Given, ids, link_question, random_question

FEW = EvaluateSettings(bootstrap=100)
NONE = np.zeros(0, np.float32)


def slow_threshold(probability, right, precision):
    found = [
        t
        for t in sorted(set(probability.tolist()))
        if (probability >= t).sum() >= reliability.FEWEST and right[probability >= t].mean() >= precision
    ]
    return min(found) if found else None


@pytest.mark.parametrize("seed", range(12))
def test_the_threshold_is_the_lowest_that_keeps_the_precision(seed):
    generator = np.random.default_rng(seed)
    probability = (generator.integers(1, 9, 60) / 10).astype(np.float32)  # many are equal
    right = generator.random(60) < probability
    for precision in (0.0, 0.3, 0.5, 0.7, 1.0):
        assert lowest_threshold(probability, right, precision) == slow_threshold(probability, right, precision)


def test_no_threshold_of_nothing_or_of_few():
    assert lowest_threshold(NONE, NONE.astype(bool), 0.5) is None
    few = reliability.FEWEST - 1
    assert lowest_threshold(np.ones(few, np.float32), np.ones(few, bool), 0.5) is None


def test_best_is_what_sorting_every_row_gives():
    question = random_question(3, same=True, sources=25)
    matrix = np.random.default_rng(1).normal(size=(25, 25))
    split = question.split
    found = best(question, Given(matrix), split.test, split.train, seed=7)
    edges = split.edges
    known = {(int(edges.source[i]), int(edges.target[i])) for i in split.train}
    true = {(int(edges.source[i]), int(edges.target[i])) for i in split.test}
    wanted = set()
    for source in {s for s, _ in true}:
        free = [t for t in range(25) if t != source and (source, t) not in known]
        for target in sorted(free, key=lambda t: -matrix[source, t])[: reliability.TOP]:
            wanted.add((source, float(np.float32(matrix[source, target])), (source, target) in true))
    assert set(zip(found.query.tolist(), found.score.tolist(), found.right.tolist(), strict=True)) == wanted
    assert len(found.query) == len(wanted)


def test_best_of_nothing_and_of_one():
    empty = link_question(Relation("a", "r", "b"), {"a": 0, "b": 0}, [], [])
    assert len(best(empty, Given(np.zeros((0, 0))), empty.split.test, empty.split.train, 7).query) == 0
    one = link_question(Relation("a", "r", "b"), {"a": 1, "b": 1}, [(0, 0)], [2])
    assert best(one, Given([[3.0]]), one.split.test, one.split.train, 7).right.tolist() == [True]


def made(seed=0, sources=150, targets=60):
    """Each source has two links, the likelier the higher the score."""
    generator = np.random.default_rng(seed)
    score = generator.normal(size=(sources, targets))
    noisy = score * 2.5 + generator.gumbel(size=score.shape)
    pairs = np.concatenate([np.stack([np.arange(sources), column], 1) for column in np.argsort(-noisy, axis=1)[:, :2].T])
    return link_question(
        Relation("a", "r", "b"), {"a": sources, "b": targets}, pairs, generator.integers(3, size=len(pairs))
    ), score


@pytest.mark.parametrize("shape", ["platt", "isotonic"])
def test_probabilities_of_what_is_handed_out_hold_on_test(shape):
    question, score = made()
    found = trust(question, Given(score), EvaluateSettings(bootstrap=100, calibration=shape), 7, ("linked",))
    seen = found.reliability
    assert seen.n == sum(one.n for one in seen.bins)
    by_hand = sum(one.n * abs(one.probability - one.right) for one in seen.bins) / seen.n
    assert seen.ece == pytest.approx(by_hand, abs=1e-6)
    assert seen.low <= seen.ece <= seen.high
    assert seen.ece < 0.08
    assert found.threshold is not None


def test_worse_probabilities_have_a_worse_error(monkeypatch):
    question, score = made()
    right = trust(question, Given(score), FEW, 7).reliability.ece
    true = reliability.calibrate
    monkeypatch.setattr(reliability, "calibrate", lambda *a, **b: dataclasses.replace(true(*a, **b), intercept=3.0))
    assert trust(question, Given(score), FEW, 7).reliability.ece > right + 0.3


def test_without_validation_or_test_links_it_abstains_from_all():
    question, score = made()
    empty = np.zeros(0, np.int64)
    bare = dataclasses.replace(question, split=dataclasses.replace(question.split, valid=empty, test=empty))
    found = trust(bare, Given(score), FEW, 7, validated_groups(bare))
    assert (found.threshold, found.validated, found.reliability) == (None, (), None)
    assert found.abstains(found.unlike(bare)[[0, 1]], np.ones(2, np.float32)).all()


def test_test_links_choose_nothing():
    question, score = made()
    fewer = dataclasses.replace(question, split=dataclasses.replace(question.split, test=np.zeros(0, np.int64)))
    first, second = (trust(one, Given(score), FEW, 7) for one in (question, fewer))
    assert first.threshold == second.threshold
    assert first.calibration == second.calibration


def test_groups_are_links_and_modalities():
    relation = Relation("a", "r", "b")
    has = [np.array(mask, bool) for mask in ((1, 1, 0, 0), (1, 0, 1, 0))]
    features = {
        ("a", name): Features(np.zeros((4, 2), np.float32), mask) for name, mask in zip(("image", "audio"), has, strict=True)
    }
    graph = Graph({"a": ids("a", 4), "b": ids("b", 2)}, {relation: Edges(relation, np.array([0]), np.array([1]))}, features)
    assert groups(graph, "a").tolist() == [
        "linked, with audio and image", "unlinked, with image", "unlinked, with audio", "unlinked",
    ]  # fmt: skip
    assert groups(graph, "b").tolist() == ["unlinked", "linked"]
    assert groups(Graph({"a": ids("a", 0)}, {}), "a").tolist() == []


def test_abstains_where_improbable_or_unlike():
    question = link_question(Relation("a", "r", "b"), {"a": 3, "b": 3}, [(0, 0), (0, 1), (2, 2)], [0, 1, 2])
    assert validated_groups(question) == ("linked",)
    one = Trust(Isotonic((0.0, 1.0), (0.0, 1.0)), 0.5, 0.4, ("linked",), None)
    unlike = one.unlike(question)
    assert unlike.tolist() == [False, True, True]  # the test link of the third is not visible
    sources = np.array([0, 0, 1])
    assert one.abstains(unlike[sources], np.array([0.4, 0.39, 0.9], np.float32)).tolist() == [False, True, True]


@pytest.mark.parametrize("shape", ["platt", "isotonic"])
def test_a_record_gives_it_back(shape):
    question, score = made(sources=40)
    found = trust(question, Given(score), EvaluateSettings(bootstrap=20, calibration=shape), 7, ("linked",))
    again = from_record(json.loads(json.dumps(as_record(found), allow_nan=False)))
    assert again == found


def test_isotonic_never_falls_and_is_what_pooling_gives():
    question, score = made()
    found = calibrate(question, Given(score), 7, shape="isotonic")
    chances = found.probability(np.linspace(-9, 9, 500, dtype=np.float32))
    assert chances.dtype == np.float32
    assert (np.diff(chances) >= 0).all()
    assert ((chances >= 0) & (chances <= 1)).all()
    against = calibrate(question, Given(-score), 7, shape="isotonic")
    assert len(set(against.probabilities)) <= len(set(found.probabilities))
    one = link_question(Relation("a", "r", "b"), {"a": 1, "b": 1}, [(0, 0)], [1])
    assert np.isfinite(calibrate(one, Given([[2.0]]), 7, shape="isotonic").probability(np.zeros(1, np.float32))).all()
