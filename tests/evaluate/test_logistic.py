"""A regression on what an item, or what is linked with it, looks and reads like tells its partner."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmgraph.evaluate.baselines.links.logistic import Logistic
from mmgraph.evaluate.ranking import ranks
from mmgraph.graph.contract import Edges, Features, Graph
from mmgraph.types import Relation

from .made import ids, link_question

WORKS, TELLS = Relation("exercise", "works", "muscle"), Relation("text", "tells", "exercise")
COUNT, MUSCLES = 90, 3


def question(turned=False, links=COUNT):
    """Exercise i works muscle i % 3; its text says so, and it has no vector of its own."""
    rng = np.random.default_rng(3)
    muscle = np.arange(COUNT) % MUSCLES
    vectors = (3 * np.eye(MUSCLES)[muscle] + rng.normal(size=(COUNT, MUSCLES))).astype(np.float32)
    own = np.arange(COUNT)
    graph = Graph(
        {"exercise": ids("e", COUNT), "muscle": ids("m", MUSCLES), "text": ids("t", COUNT)},
        {TELLS: Edges(TELLS, own, own)},
        {
            ("text", "text"): Features(vectors, np.ones(COUNT, bool)),
            ("muscle", "text"): Features(np.full((MUSCLES, MUSCLES), 7, np.float32), np.zeros(MUSCLES, bool)),
        },
    )
    parts = np.repeat([0, 1, 2], COUNT // 3)[:links]
    pairs = np.stack([own, muscle], 1)[:links]
    relation = Relation("muscle", "worked_by", "exercise") if turned else WORKS
    return link_question(relation, {}, pairs[:, ::-1] if turned else pairs, parts, graph=graph), vectors, muscle


@pytest.mark.parametrize("turned", [False, True])
def test_it_is_the_regression_on_linked_vectors(turned):
    asked, vectors, muscle = question(turned)
    (method,) = Logistic(strengths=(1.0,)).fit(asked)
    train = np.arange(COUNT // 3)
    scaled = (vectors - vectors.mean(0)) / vectors.std(0)
    slow = LogisticRegression(C=1.0, max_iter=100).fit(scaled[train], muscle[train]).predict_log_proba(scaled)
    forward, backward = ("source", "target") if turned else ("target", "source")
    np.testing.assert_allclose(method.scores(np.arange(COUNT), forward), slow, atol=1e-3)
    np.testing.assert_array_equal(method.scores(np.arange(MUSCLES), backward), method.scores(np.arange(COUNT), forward).T)
    mrr = (1 / ranks(method, asked, asked.split.test, forward).rank).mean()
    assert mrr > 0.85


def test_a_link_describes_no_item_with_the_partner_that_it_is_to_tell():
    asked, _, _ = question()
    muscles = Features(np.eye(MUSCLES, dtype=np.float32) * 9, np.ones(MUSCLES, bool))
    told = replace(asked, graph=replace(asked.graph, features={**asked.graph.features, ("muscle", "text"): muscles}))
    (with_vectors,), (without,) = Logistic().fit(told), Logistic().fit(asked)
    np.testing.assert_array_equal(with_vectors.scores(np.arange(9), "target"), without.scores(np.arange(9), "target"))


def test_where_it_does_not_apply():
    asked, _, _ = question()
    assert Logistic(most=2).fit(asked) == []
    assert Logistic(least=11).fit(asked) == []  # ten visible links a muscle
    assert Logistic().fit(replace(asked, graph=replace(asked.graph, features={}))) == []
    within = link_question(Relation("a", "r", "a"), {"a": 40}, [(i, (i + 1) % 4) for i in range(40)], np.arange(40) % 3)
    assert Logistic().fit(within) == []
