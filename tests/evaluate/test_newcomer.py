"""What methods say of a source who is not there: what they say of one who is, and has the same links."""

import dataclasses

import numpy as np
import pytest

from mmgraph.evaluate.baselines.links.adamic_adar import AdamicAdar
from mmgraph.evaluate.baselines.links.common_neighbours import CommonNeighbours
from mmgraph.evaluate.baselines.links.ease import Ease
from mmgraph.evaluate.baselines.links.fast_rp import FastRP
from mmgraph.evaluate.baselines.links.item_knn import ItemKNN
from mmgraph.evaluate.baselines.links.nearest import Nearest
from mmgraph.evaluate.baselines.links.popularity import Popularity
from mmgraph.evaluate.baselines.links.resource_allocation import ResourceAllocation
from mmgraph.evaluate.baselines.recommend.content_knn import ContentKNN
from mmgraph.evaluate.baselines.recommend.ials import IALS
from mmgraph.evaluate.baselines.recommend.similar_users import SimilarUsers
from mmgraph.evaluate.baselines.recommend.slim import Slim
from mmgraph.evaluate.contract import Newcomer
from mmgraph.evaluate.fusion import Combined, Context
from mmgraph.evaluate.gnn import GNN, Named, ScorerLinks
from mmgraph.types import Relation

from .made import random_question
from .test_completion import matrix


def asked(seed=3, **more):
    """Sources have no other links than those of the question."""
    question = random_question(seed, links=70, **more)
    edges = {r: e for r, e in question.graph.edges.items() if r.name != "other"}
    return dataclasses.replace(question, graph=question.graph.with_edges(edges))


def newcomer(question, source, network=None):
    liked = np.flatnonzero(matrix(question)[source])
    return Newcomer(liked, np.zeros((1, question.count("target")), np.float32) if network is None else network)


BASELINES = [
    Popularity(), FastRP(width=16), Ease(lambdas=[5.0]), ItemKNN(), Slim(), ContentKNN(), CommonNeighbours(), AdamicAdar(),
    ResourceAllocation(),
]  # fmt: skip


@pytest.mark.parametrize("sources", [12, 40])
@pytest.mark.parametrize("baseline", BASELINES, ids=lambda one: type(one).__name__)
def test_a_newcomer_with_the_links_of_somebody_gets_their_scores(baseline, sources):
    question = asked(sources=sources)
    methods = baseline.fit(question)
    assert methods
    for method in methods:
        told = 0
        for source in range(sources):
            one = newcomer(question, source)
            if not len(one.liked):
                continue
            scores = method.scores(np.array([source]), "target")
            told += len(np.unique(scores)) > 1
            np.testing.assert_allclose(method.of_newcomer(one), scores, atol=1e-5)
            (part,) = method.parts_of_newcomer(one)
            np.testing.assert_array_equal(part.share, method.of_newcomer(one))
        assert told > 3, "scores that tell targets apart"


def test_who_likes_nothing_that_is_known_gets_nothing_of_the_linear_methods():
    question = asked()
    unseen = np.flatnonzero(~matrix(question).any(0))[:1]
    assert len(unseen)
    for baseline in (Ease(lambdas=[5.0]), ItemKNN(), Slim()):
        (method,) = baseline.fit(question)
        assert not method.of_newcomer(Newcomer(unseen, np.zeros((1, question.count("target")), np.float32))).any()


def test_similar_users_of_a_newcomer_are_those_of_their_twin_and_the_twin():
    question, k = asked(sources=40), 4
    (method,) = SimilarUsers(width=32, k=k, weights="binary").fit(question)
    (more,) = SimilarUsers(width=32, k=k - 1, weights="binary").fit(question)
    for source in np.unique(question.visible.source):
        one = newcomer(question, source)
        twin = matrix(question)[source]  # nobody is nearer than who has the same links
        np.testing.assert_allclose(method.of_newcomer(one), more.scores(np.array([source]), "target") + twin, atol=1e-4)


def test_ials_solves_for_the_row_as_for_every_other():
    pytest.importorskip("implicit")
    question = asked()
    (method,) = IALS(factors=6, alphas=[5.0], regularizations=[0.3], iterations=3).fit(question)
    items, seen = method._items.astype(np.float64), matrix(question)
    source = int(seen.sum(1).argmax())
    likes = seen[source][seen.any(0)]
    confidence = np.where(likes > 0, 5.0, 1.0)
    factor = np.linalg.solve(items.T @ np.diag(confidence) @ items + 0.3 * np.eye(6), items.T @ (confidence * likes))
    found = method.of_newcomer(newcomer(question, source))[0]
    np.testing.assert_allclose(found[seen.any(0)], items @ factor, atol=1e-4)
    assert not found[~seen.any(0)].any()


def test_a_combination_is_the_sum_of_what_its_pieces_say_and_leaves_out_the_silent():
    question = asked()
    network = np.random.default_rng(0).normal(size=(question.count("source"), question.count("target"))).astype(np.float32)
    gnn = ScorerLinks(GNN, lambda queries, _: network[queries])
    (ease,), (silent, *_) = Ease(lambdas=[5.0]).fit(question), Nearest().fit(question)
    edges = {"target": question.split.valid}
    for methods, weights in (([gnn, ease], [0.5, 0.25, 1.0, 0.0]), ([gnn, silent, ease], [0.5, 0.25, 2.0, 0.5, 1.0, 0.0])):
        combined = Combined(Context.of(question, methods, edges), {"target": np.array(weights)})
        one = newcomer(question, 5, network[5:6])
        assert [part.piece for part in combined.parts_of_newcomer(one)] == [GNN, "ease"]
        whole = Combined(Context.of(question, [gnn, ease], edges), {"target": np.array([0.5, 0.25, 1.0, 0.0])})
        np.testing.assert_allclose(combined.of_newcomer(one), whole.scores(np.array([5]), "target"), atol=1e-4)
        np.testing.assert_array_equal(Named("mmgraph", combined).of_newcomer(one), combined.of_newcomer(one))
        assert len(Named("mmgraph", combined).parts_of_newcomer(one)) == 2
    alone = Combined(Context.of(question, [silent], edges), {"target": np.array([1.0, 0.0])})
    assert alone.of_newcomer(one) is None and question.relation == Relation("a", "r", "b")
