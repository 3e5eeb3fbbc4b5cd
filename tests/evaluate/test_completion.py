"""Item-kNN, EASE and what is recent, beside the slow way."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mmgraph.evaluate.baselines import choice, interactions, limits
from mmgraph.evaluate.baselines.links import item_knn as module
from mmgraph.evaluate.baselines.links.ease import Ease
from mmgraph.evaluate.baselines.links.item_knn import ItemKNN
from mmgraph.evaluate.baselines.links.recent import Recent
from mmgraph.evaluate.ranking import ranks
from mmgraph.types import Relation

from .made import link_question, random_question
from .test_baselines import with_links


def matrix(question):
    x = np.zeros((question.count("source"), question.count("target")))
    seen = question.visible
    x[seen.source, seen.target] = 1.0
    return x


def scores(method, question):
    sources, targets = np.arange(question.count("source")), np.arange(question.count("target"))
    return method.scores(sources, "target"), method.scores(targets, "source")


def slow_ease(x, ridge):
    p = np.linalg.inv(x.T @ x + ridge * np.eye(x.shape[1]))
    b = np.eye(len(p)) - p / np.diagonal(p)
    assert np.abs(np.diagonal(b)).max() < 1e-9
    return x @ b


@pytest.mark.parametrize(("sources", "targets"), [(12, 15), (30, 9)])
@pytest.mark.parametrize("same", [False, True])
def test_ease_by_either_side_is_the_regression_of_the_paper(sources, targets, same):
    question = random_question(3, same, sources, targets, links=70)
    seen = matrix(question)
    assert (seen.sum(0) == 0).any() or (seen.sum(1) == 0).any(), "some items have no link"
    for ridge in (0.5, 20.0):
        (method,) = Ease(lambdas=[ridge]).fit(question)
        slow = slow_ease(seen, ridge)
        forward, backward = scores(method, question)
        np.testing.assert_allclose(forward, slow, atol=1e-5)
        np.testing.assert_allclose(backward, slow.T, atol=1e-5)


def test_ease_takes_the_lambda_that_validation_likes_best(monkeypatch):
    question = random_question(5, sources=30, targets=40, links=400)
    monkeypatch.setattr(choice, "FEWEST", 5)
    valid = question.split.valid
    known = np.concatenate((question.split.train, valid))

    def mrr(method):
        return np.mean([(1 / ranks(method, question, valid, d, known=known).rank).mean() for d in question.directions])

    each = {ridge: Ease(lambdas=[ridge]).fit(question)[0] for ridge in (0.01, 3.0, 1000.0)}
    worth = {ridge: mrr(method) for ridge, method in each.items()}
    assert len(set(worth.values())) == 3
    best = max(worth, key=worth.__getitem__)
    (chosen,) = Ease(lambdas=list(each)).fit(question)
    np.testing.assert_array_equal(scores(chosen, question)[0], scores(each[best], question)[0])
    monkeypatch.setattr(choice, "FEWEST", 10_000)
    (middle,) = Ease(lambdas=list(each)).fit(question)
    np.testing.assert_array_equal(scores(middle, question)[0], scores(each[3.0], question)[0])


def slow_item_knn(x, k, shrinkage):
    count = x.shape[1]
    near = np.zeros((count, count))
    for i in range(count):
        cosine = []
        for j in range(count):
            together = float(x[:, i] @ x[:, j])
            if i != j and together:
                cosine.append((-together / (np.linalg.norm(x[:, i]) * np.linalg.norm(x[:, j]) + shrinkage), j))
        for negative, j in sorted(cosine)[:k]:
            near[i, j] = -negative
    return x @ near


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize(("k", "shrinkage"), [(3, 0.0), (3, 10.0), (100, 1.0), (None, 1.0)])
def test_item_knn_the_slow_way(k, shrinkage, same, monkeypatch):
    question = random_question(3, same, 20, 15, links=90)
    slow = slow_item_knn(matrix(question), k, shrinkage)
    assert slow.any()
    for pairs in (module._PAIRS, 7):
        monkeypatch.setattr(module, "_PAIRS", pairs)
        (method,) = ItemKNN(ks=[k], shrinkages=[shrinkage]).fit(question)
        forward, backward = scores(method, question)
        np.testing.assert_allclose(forward, slow, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(backward, slow.T, rtol=1e-5, atol=1e-6)


def test_item_knn_takes_the_neighbours_that_validation_likes_best(monkeypatch):
    question = random_question(5, sources=30, targets=40, links=400)
    monkeypatch.setattr(choice, "FEWEST", 5)
    valid, known = question.split.valid, np.concatenate((question.split.train, question.split.valid))

    def mrr(method):
        return np.mean([(1 / ranks(method, question, valid, d, known=known).rank).mean() for d in question.directions])

    each = {(k, s): ItemKNN(ks=[k], shrinkages=[s]).fit(question)[0] for k in (2, None) for s in (0.0, 5.0)}
    worth = {pair: mrr(method) for pair, method in each.items()}
    assert len(set(worth.values())) > 2
    best = max(worth, key=worth.__getitem__)
    (chosen,) = ItemKNN(ks=[2, None], shrinkages=[0.0, 5.0]).fit(question)
    np.testing.assert_array_equal(scores(chosen, question)[0], scores(each[best], question)[0])


@pytest.mark.parametrize("baseline", [ItemKNN(ks=[100], shrinkages=[10.0]), Ease(lambdas=[5.0])])
def test_weights_of_links_count_where_it_is_asked(baseline):
    question = random_question(3, links=90)
    weight = np.random.default_rng(0).integers(1, 500, len(question.split.edges)).astype(np.float32)
    weighted = with_links(question, weight=weight)
    (plain,), (same,) = baseline.fit(question), baseline.fit(weighted)
    np.testing.assert_array_equal(scores(plain, question)[0], scores(same, question)[0])
    by_log = dataclasses.replace(baseline, weights="log")
    (logged,) = by_log.fit(weighted)
    x = matrix(question)
    train = question.split.train
    x[question.split.edges.source[train], question.split.edges.target[train]] = np.log1p(weight[train])
    slow = slow_ease(x, 5.0) if isinstance(baseline, Ease) else slow_item_knn(x, 100, 10.0)
    np.testing.assert_allclose(scores(logged, weighted)[0], slow, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(scores(by_log.fit(question)[0], question)[0], scores(plain, question)[0])


@pytest.mark.parametrize("baseline", [ItemKNN(), Ease()])
def test_nothing_is_completed_where_no_two_targets_share_a_source(baseline):
    chain = link_question(Relation("a", "r", "a"), {"a": 6}, [(i, i + 1) for i in range(5)], [0] * 5)
    assert baseline.fit(chain) == []
    assert baseline.fit(random_question(3, same=True, temporal=True)) == []
    assert baseline.fit(link_question(Relation("a", "r", "b"), {"a": 3, "b": 2}, [(0, 0)], [2])) == []


@pytest.mark.parametrize(("baseline", "name"), [(ItemKNN(), "item_knn"), (Ease(), "ease")])
def test_too_much_memory_is_said(baseline, name, monkeypatch, caplog):
    monkeypatch.setattr(limits, "LIMIT_BYTES", 100)
    assert baseline.fit(random_question(3)) == []
    assert f"baseline {name} left out" in caplog.text


def test_what_is_left_out_of_the_matrix_are_items_without_links():
    question = random_question(3)
    seen = interactions.Interactions.of(question, "binary")
    whole = np.zeros(seen.shape)
    whole[np.ix_(seen.sources, seen.targets)] = seen.matrix.toarray()
    np.testing.assert_array_equal(whole, matrix(question))


def timed_question(time):
    pairs = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 2), (2, 2)]
    question = link_question(Relation("a", "r", "b"), {"a": 3, "b": 4}, pairs, [0, 0, 0, 0, 0, 2])
    return with_links(question, time=np.array(time))


def test_recent_links_count_more_the_slow_way():
    question = timed_question([0.0, 50.0, np.nan, 100.0, 90.0, 1000.0])
    (method,) = Recent(half_lives=[0.1]).fit(question)
    forward, backward = scores(method, question)
    fades = {0: 2.0**-10, 1: 2.0**-5, 2: 2.0**-10, 3: 1.0, 4: 0.5}
    np.testing.assert_allclose(forward, np.tile([fades[0] + fades[1] + fades[2], fades[3], fades[4], 0.0], (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(backward, np.tile([fades[0] + fades[3], fades[1] + fades[4], fades[2]], (4, 1)), rtol=1e-6)


@pytest.mark.parametrize("time", [[np.nan] * 6, [5.0] * 5 + [7.0]])
def test_nothing_is_recent_without_times_that_differ(time):
    assert Recent().fit(timed_question(time)) == []
    assert Recent().fit(random_question(3)) == []
    temporal = with_links(timed_question(np.arange(6.0)), temporal=True)
    assert Recent().fit(temporal) == []


def test_the_half_life_is_chosen_on_validation():
    """What is asked was last linked long ago: only a long half-life ranks it well."""
    pairs = [(i, 0) for i in range(30)] + [(i, 1) for i in range(30, 40)] + [(40 + i, 0) for i in range(25)]
    question = link_question(Relation("a", "r", "b"), {"a": 70, "b": 2}, pairs, [0] * 40 + [1] * 25)
    question = with_links(question, time=np.concatenate((np.arange(30.0), np.arange(70.0, 80.0), np.full(25, 99.0))))
    (method,) = Recent(half_lives=[0.01, 10.0]).fit(question)
    (long,) = Recent(half_lives=[10.0]).fit(question)
    np.testing.assert_array_equal(scores(method, question)[0], scores(long, question)[0])


def recall_and_ndcg(method, known, truth, k=20):
    """The table of issue 6: per user with a test link, known train and validation links left out."""
    recalls, gains = [], []
    for user, wanted in truth.items():
        row = np.array(method.scores(np.array([user]), "target")[0])
        row[known.get(user, [])] = -np.inf
        best = np.argsort(-row, kind="stable")[:k]
        hits = np.isin(best, wanted)
        recalls.append(hits.sum() / len(wanted))
        ideal = (1 / np.log2(np.arange(2, 2 + min(k, len(wanted))))).sum()
        gains.append((hits / np.log2(np.arange(2, 2 + len(best)))).sum() / ideal)
    return np.mean(recalls), np.mean(gains)


def lastfm(shared):
    links = pd.read_csv(shared / "data" / "lastfm" / "links.csv", dtype={"split": str})
    links = links[links["relation"] == "listens"]
    user, users = pd.factorize(links["source"], sort=True)
    artist, artists = pd.factorize(links["target"], sort=True)
    part = links["split"].map({"train": 0, "valid": 1, "test": 2}).to_numpy()
    pairs = np.stack((user, artist), axis=1)
    return link_question(Relation("user", "listens", "artist"), {"user": len(users), "artist": len(artists)}, pairs, part)


def by_user(question, parts):
    chosen = question.split.edges.take(np.concatenate([getattr(question.split, part) for part in parts]))
    found = {}
    for user, artist in zip(chosen.source.tolist(), chosen.target.tolist(), strict=True):
        found.setdefault(user, []).append(artist)
    return found


def test_item_knn_and_ease_on_lastfm_reach_what_they_are_known_for(shared):
    question = lastfm(shared)
    known, truth = by_user(question, ["train", "valid"]), by_user(question, ["test"])
    some = {user: truth[user] for user in list(truth)[:200]}
    for baseline, recall, ndcg in ((Ease(lambdas=[200.0]), 0.25, 0.2), (ItemKNN(ks=[None], shrinkages=[0.0]), 0.24, 0.2)):
        (method,) = baseline.fit(question)
        got = recall_and_ndcg(method, known, some)
        assert got[0] > recall and got[1] > ndcg, got
