import dataclasses

import numpy as np
import pytest

from mmgraph.evaluate.calibrate import Calibration, calibrate
from mmgraph.types import Relation

from .made import Given, link_question


def made(seed=0, size=150, links=3000):
    """Pairs are links with probability of a logistic function of the score."""
    generator = np.random.default_rng(seed)
    score = generator.normal(size=(size, 2 * size))
    pairs = np.argwhere(generator.random(score.shape) < 1 / (1 + np.exp(-(2 * score - 5))))
    parts = np.where(generator.random(len(pairs)) < 0.5, 0, 1)
    return link_question(Relation("a", "r", "b"), {"a": size, "b": 2 * size}, pairs, parts), score


def test_probabilities_count_pairs():
    """Half of the links are known and are no candidates, so the rest has about half the odds."""
    question, score = made()
    calibration = calibrate(question, Given(score), seed=7)
    unknown = np.ones(score.shape, bool)
    train = question.split.edges.take(question.split.train)
    valid = question.split.edges.take(question.split.valid)
    unknown[train.source, train.target] = False
    linked = np.zeros(score.shape, bool)
    linked[valid.source, valid.target] = True
    probability = calibration.probability(score.astype(np.float32))
    assert probability.dtype == np.float32
    assert probability[unknown].sum() == pytest.approx(linked.sum(), rel=0.5)
    sure = unknown & (probability > 0.2)
    assert linked[sure].mean() == pytest.approx(probability[sure].mean(), abs=0.1)


def test_higher_scores_are_never_less_probable_even_where_validation_says_so():
    question, score = made()
    for matrix in (score, -score, np.zeros_like(score)):
        calibration = calibrate(question, Given(matrix), seed=7)
        made_of = calibration.probability(np.linspace(-5, 5, 50, dtype=np.float32))
        assert calibration.slope > 0
        assert (np.diff(made_of) >= 0).all()
        assert ((made_of > 0) & (made_of < 1)).all()


def test_same_seed_same_calibration_and_test_links_do_not_matter():
    question, score = made()
    assert calibrate(question, Given(score), seed=7) == calibrate(question, Given(score), seed=7)
    assert calibrate(question, Given(score), seed=7) != calibrate(question, Given(score), seed=8)


def test_without_validation_or_any_links():
    question, score = made()
    empty = np.zeros(0, np.int64)
    by_train = dataclasses.replace(question, split=dataclasses.replace(question.split, valid=empty))
    assert calibrate(by_train, Given(score), seed=7).slope > 0.1
    nothing = dataclasses.replace(question, split=dataclasses.replace(question.split, train=empty, valid=empty))
    assert calibrate(nothing, Given(score), seed=7) == Calibration(0.0, 1.0, 1.0, 0.0)


def test_one_candidate_alone():
    question = link_question(Relation("a", "r", "b"), {"a": 1, "b": 1}, [(0, 0)], [1])
    calibration = calibrate(question, Given([[2.0]]), seed=7)
    assert np.isfinite(calibration.probability(np.array([2.0], np.float32))).all()
    assert calibration.probability(np.array([[2.0]], np.float32)).shape == (1, 1)
