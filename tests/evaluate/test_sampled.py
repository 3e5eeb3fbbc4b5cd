"""AUC and AP among sampled pairs: scikit-learn's numbers, and pairs that are no known link."""

import numpy as np
import pytest
from facts_made import RELATIONS, facts
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mmgraph.evaluate.evaluate import evaluate_links
from mmgraph.evaluate.family import FamilyQuestion
from mmgraph.evaluate.sampled import auc_ap, pair_scores, sampled_rows, unlinked
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Relation

from .made import Given, link_question, random_question, truth_matrix

FEW = EvaluateSettings(bootstrap=50)


def measured(question, *matrices, settings=FEW):
    methods, ranked = [Given(matrix, f"m{i}") for i, matrix in enumerate(matrices)], []
    evaluate_links(question, methods, settings, ranked)
    return methods, ranked


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 12), st.integers(1, 12))
def test_equals_scikit_learn_with_ties_and_weights(seed, levels, positives, negatives):
    generator = np.random.default_rng(seed)
    scores = [generator.integers(levels, size=n).astype(np.float32) for n in (positives, negatives)]
    weights = [generator.integers(0, 4, size=(3, n)).astype(np.float64) for n in (positives, negatives)]
    for one in weights:
        one[:, 0] += 1.0
    auc, ap = auc_ap(*scores, *weights)
    truth = np.repeat([1, 0], [positives, negatives])
    for draw in range(3):
        weight = np.concatenate([one[draw] for one in weights])
        assert auc[draw] == pytest.approx(roc_auc_score(truth, np.concatenate(scores), sample_weight=weight))
        assert ap[draw] == pytest.approx(average_precision_score(truth, np.concatenate(scores), sample_weight=weight))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_pairs_are_different_and_no_links(seed, same):
    question = random_question(seed, same)
    edges = question.split.edges
    query, answer = unlinked(question, edges_of(question), np.random.default_rng(seed))
    pairs = list(zip(query.tolist(), answer.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) == len(edges)
    assert not set(pairs) & set(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert not same or (query != answer).all()


def edges_of(question):
    return np.arange(len(question.split.edges))


def test_pairs_of_facts_are_of_the_relations_of_the_links():
    question = FamilyQuestion.of("n/*/n", facts(40)[1], RELATIONS, 7)
    edges = np.flatnonzero(question.asks_target(edges_of(question), "target"))
    query, answer = unlinked(question, edges, np.random.default_rng(0))
    assert len(query) == len(edges)
    np.testing.assert_array_equal(np.sort(query // 40), np.sort(question.number_of(edges)))
    known = set(zip(question.split.edges.source.tolist(), question.split.edges.target.tolist(), strict=True))
    assert not known & set(zip(query.tolist(), answer.tolist(), strict=True))


def test_rows_by_hand():
    question = random_question(5, links=80)
    truth, noise = truth_matrix(question), np.random.default_rng(0).normal(size=(12, 15)).astype(np.float32)
    methods, ranked = measured(question, truth, noise)
    rows = {(row.method, row.metric): row for row in sampled_rows(methods, ranked, FEW)}
    assert rows["m0", "auc/sampled"].value == rows["m0", "ap/sampled"].value == 1.0
    test = question.split.test
    generator = np.random.default_rng([7, 0x5A41])
    generator.permutation(len(test))
    query, answer = unlinked(question, test, generator)
    edges = question.split.edges.take(test)
    scores = np.concatenate([noise[edges.source, edges.target], noise[query, answer]])
    known = np.repeat([1, 0], len(test))
    assert rows["m1", "auc/sampled"].value == pytest.approx(roc_auc_score(known, scores))
    assert rows["m1", "ap/sampled"].value == pytest.approx(average_precision_score(known, scores))
    assert {row.n for row in rows.values()} == {len(test)}
    assert rows["m1", "ap/sampled"].low < rows["m1", "ap/sampled"].value < rows["m1", "ap/sampled"].high
    assert sampled_rows(methods, ranked, FEW) == list(rows.values())


def test_of_facts_only_one_reading_counts():
    question = FamilyQuestion.of("n/*/n", facts(40)[1], RELATIONS, 7)
    matrix = np.zeros((question.count("source"), question.count("target")), np.float32)
    matrix[question.split.edges.source, question.split.edges.target] = 1.0
    methods, ranked = measured(question, matrix)
    rows = sampled_rows(methods, ranked, FEW)
    assert [(row.metric, row.value, row.n) for row in rows] == [
        ("auc/sampled", 1.0, len(question.split.test) // 2),
        ("ap/sampled", 1.0, len(question.split.test) // 2),
    ]


def test_few_of_many_links_none_and_nothing_unlinked():
    question = random_question(5, links=80)
    methods, ranked = measured(question, truth_matrix(question))
    few = EvaluateSettings(bootstrap=0, sampled=4)
    assert [(row.n, row.low) for row in sampled_rows(methods, ranked, few)] == [(4, None), (4, None)]
    assert sampled_rows(methods, ranked, EvaluateSettings(sampled=0)) == []
    assert sampled_rows([], [], FEW) == []
    full = link_question(Relation("a", "r", "b"), {"a": 2, "b": 2}, [(0, 0), (0, 1), (1, 0), (1, 1)], [0, 1, 2, 2])
    assert sampled_rows(*measured(full, np.eye(2)), FEW) == []


def test_scores_of_pairs_block_by_block():
    question = random_question(3)
    matrix = np.random.default_rng(1).normal(size=(12, 15)).astype(np.float32)
    query, answer = np.array([3, 0, 3, 11, 0]), np.array([0, 14, 2, 3, 14])
    for block in (1, 2, 100):
        np.testing.assert_array_equal(pair_scores(Given(matrix), question, query, answer, block), matrix[query, answer])
