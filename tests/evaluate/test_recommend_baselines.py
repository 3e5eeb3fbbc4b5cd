"""Baselines of recommendations, beside the slow way."""

import dataclasses
import importlib.util
import math

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import ElasticNet

from mmgraph.evaluate.baselines import limits
from mmgraph.evaluate.baselines.recommend import slim as slim_module
from mmgraph.evaluate.baselines.recommend.content_knn import ContentKNN, nearest_rows
from mmgraph.evaluate.baselines.recommend.ials import IALS
from mmgraph.evaluate.baselines.recommend.similar_users import SimilarUsers
from mmgraph.evaluate.baselines.recommend.slim import Slim
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.graph.contract import Edges
from mmgraph.types import Relation

from .made import random_question
from .test_completion import matrix, scores


def asked(seed=0, **more):
    plain = random_question(seed, **more)
    return RecommendQuestion(plain.graph, plain.split, plain.seed, at=3)


def unit(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def slow_near(rows, among, k):
    cosine = unit(rows) @ unit(rows).T
    near = np.zeros_like(cosine)
    for item in range(len(rows)):
        others = sorted((j for j in among if j != item and cosine[item, j] > 1e-6), key=lambda j: -cosine[item, j])
        for other in others[:k]:
            near[item, other] = cosine[item, other]
    return near


@pytest.mark.parametrize("k", [1, 3, 50])
def test_content_is_the_sum_of_cosines_with_the_nearest_that_are_liked(k):
    question = asked(3, links=60)
    methods = {method.name: method for method in ContentKNN(k=k).fit(question)}
    assert set(methods) == {"content:image", "content:text", "content:b"}
    liked = matrix(question)
    active = np.flatnonzero(liked.any(0))
    assert 0 < len(active) < question.count("target"), "some items have no link"
    for modality in ("image", "text"):
        features = question.graph.features["b", modality]
        slow = liked @ slow_near(features.vectors.astype(np.float64), active, k).T
        forward, backward = scores(methods[f"content:{modality}"], question)
        np.testing.assert_allclose(forward, slow, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(backward, slow.T, rtol=1e-4, atol=1e-5)


def test_a_linked_kind_that_is_called_as_a_modality_has_a_name_of_its_own():
    plain, shown = asked(3, links=60), Relation("b", "shown_in", "image")
    items = np.arange(plain.graph.count("b"))
    ids = {**plain.graph.ids, "image": np.array(["x", "y"])}
    graph = dataclasses.replace(plain.graph, ids=ids, edges={**plain.graph.edges, shown: Edges(shown, items, items % 2)})
    names = [method.name for method in ContentKNN().fit(RecommendQuestion(graph, plain.split, plain.seed, at=3))]
    assert sorted(names) == ["content:b", "content:image", "content:linked image", "content:text"]


def test_an_item_is_the_bag_of_what_it_is_linked_with():
    question = asked(3, links=60)
    (method,) = (one for one in ContentKNN(k=50).fit(question) if one.name == "content:b")
    like, count = Relation("b", "like", "b"), question.count("target")
    bag = np.zeros((count, count))
    bag[question.graph.edges[like].source, question.graph.edges[like].target] = 1.0
    bag *= [math.log((1 + count) / (1 + having)) for having in bag.sum(0)]
    liked = matrix(question)
    slow = liked @ slow_near(bag, np.flatnonzero(liked.any(0)), 50).T
    assert slow.any()
    np.testing.assert_allclose(scores(method, question)[0], slow, rtol=1e-4, atol=1e-5)


def test_the_nearest_rows_are_found_block_by_block(monkeypatch):
    rows = unit(np.random.default_rng(0).normal(size=(20, 4))).astype(np.float32)
    among = np.array([1, 3, 4, 8, 15])
    whole = nearest_rows(rows, among, 2)
    np.testing.assert_allclose(whole.toarray(), slow_near(rows, among, 2), rtol=1e-4)
    sparse = nearest_rows(scipy.sparse.csr_matrix(rows), among, 2)
    np.testing.assert_allclose(sparse.toarray(), whole.toarray(), rtol=1e-4)
    monkeypatch.setattr("mmgraph.evaluate.baselines.recommend.content_knn._CELLS", 12)
    np.testing.assert_array_equal(nearest_rows(rows, among, 2).toarray(), whole.toarray())


@pytest.mark.parametrize("cells", [2**24, 500])
@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.5), (0.5, 2.0)])
def test_slim_solves_the_regression_of_the_paper(l1, l2, cells, monkeypatch):
    monkeypatch.setattr(slim_module, "_CELLS", cells)
    question = asked(3, sources=30, targets=9, links=150)
    (method,) = Slim(k=50, l1s=[l1], l2s=[l2], sweeps=200).fit(question)
    x = matrix(question)
    slow = np.zeros((9, 9))
    for item in range(9):
        others = [
            j for j in range(9) if j != item and x[:, j] @ x[:, item]
        ]  # what was never chosen together has no weight at best
        alpha = (l1 + l2) / len(x)
        net = ElasticNet(alpha=alpha, l1_ratio=l1 / (l1 + l2), positive=True, fit_intercept=False, max_iter=10_000, tol=1e-8)
        if others:
            slow[others, item] = net.fit(x[:, others], x[:, item]).coef_
    forward, backward = scores(method, question)
    assert slow.any()
    np.testing.assert_allclose(forward, x @ slow, atol=1e-4)
    np.testing.assert_allclose(backward, (x @ slow).T, atol=1e-4)


def test_slim_keeps_to_the_nearest():
    question = asked(3, sources=30, targets=20, links=300)
    (method,) = Slim(k=3, l1s=[0.1], l2s=[0.1]).fit(question)
    assert (np.diff(method._weights.tocsc().indptr) <= 3).all()
    assert method._weights.diagonal().max() == 0


def test_similar_users_pass_on_what_they_like():
    question = asked(5, sources=30, targets=20, links=300)
    (method,) = SimilarUsers(width=32, k=4).fit(question)
    forward, backward = scores(method, question)
    np.testing.assert_array_equal(forward, backward.T)
    np.testing.assert_array_equal(forward, scores(SimilarUsers(width=32, k=4).fit(question)[0], question)[0])
    x, active = matrix(question), np.flatnonzero(matrix(question).any(1))
    both = np.block([[np.zeros((30, 30)), x], [x.T, np.zeros((20, 20))]])
    linked = both.any(1)
    both, users = both[np.ix_(linked, linked)], len(active)
    thirds = np.random.default_rng([question.seed, 0xFA57]).integers(6, size=(len(both), 32), dtype=np.int8)
    current = np.sqrt(3.0) * ((thirds == 0).astype(float) - (thirds == 1))
    walk, total = both / both.sum(1, keepdims=True), 0.0
    for weight in (0.8, 1.0, 1.0, 1.0):
        current = walk @ current
        total = total + weight * unit(current)
    near = slow_near(total[:users], np.arange(users), 4)
    np.testing.assert_allclose(forward[active], near @ x[active], rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(importlib.util.find_spec("implicit") is None, reason="needs the extra recommend")
def test_ials_ranks_what_is_chosen_together():
    question = asked(5, sources=30, targets=20, links=300)
    (method,) = IALS(factors=8, alphas=[5.0], regularizations=[0.1]).fit(question)
    forward, backward = scores(method, question)
    np.testing.assert_allclose(forward, backward.T, rtol=1e-5, atol=1e-6)
    x = matrix(question)
    assert forward[x > 0].mean() > forward[x == 0].mean() + 0.3


def test_without_the_package_ials_is_left_out(monkeypatch, caplog):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with caplog.at_level("INFO"):
        assert IALS().fit(asked(5, sources=30, targets=20, links=300)) == []
    assert "the package implicit is not installed (extra recommend)" in caplog.text


@pytest.mark.parametrize(
    ("baseline", "name"),
    [(Slim(), "slim"), (SimilarUsers(), "fastrp+similar_users"), (IALS(), "ials"), (ContentKNN(), "content:image")],
)
def test_too_much_memory_is_said(baseline, name, monkeypatch, caplog):
    monkeypatch.setattr(limits, "LIMIT_BYTES", 100)
    assert baseline.fit(asked(3)) == []
    assert f"baseline {name} left out" in caplog.text


@pytest.mark.parametrize("baseline", [Slim(), SimilarUsers(), IALS(), ContentKNN()])
def test_what_comes_next_is_no_like(baseline):
    assert baseline.fit(asked(3, same=True, temporal=True)) == []
