"""Clusters are found where they are, named after what is in them, and measured as by hand."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from evaluate.made import ids
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.evaluate.agreement import agreement, matched_accuracy, mean_ari, stability
from mmgraph.evaluate.clustering import ClusterQuestion, by_size
from mmgraph.evaluate.clusters import FEATURES, MAJORITY, SHUFFLED, clustered, unseen
from mmgraph.evaluate.communities import community_graph
from mmgraph.evaluate.topics import class_tf_idf, words_of
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.split.contract import LabelSplit, Split
from mmgraph.types import Relation

LIKE, SHOWS = Relation("x", "like", "x"), Relation("text", "about", "x")
TOPICS = ("boats sail the sea", "a horse in the meadow", "rain upon mountains")


def blobs(per=20, groups=3, noise=0.1, seed=0):
    """A graph of three groups of items, whose vectors, links and texts all tell them apart."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), per)
    vectors = (np.eye(groups, 6)[group] + noise * rng.normal(size=(per * groups, 6))).astype(np.float32)
    pairs = rng.integers(per * groups, size=(12 * per, 2))
    pairs = np.unique(pairs[(group[pairs[:, 0]] == group[pairs[:, 1]]) & (pairs[:, 0] < pairs[:, 1])], axis=0)
    about = np.arange(groups * per)
    edges = {LIKE: Edges(LIKE, *pairs.T), SHOWS: Edges(SHOWS, group, about)}
    labels, other = Labels("x", "class", tuple("abc"), group), Labels("x", "other", ("p", "q"), group % 2)
    kinds = {"text": ids("text", groups), "x": ids("x", per * groups)}
    features = {("x", "image"): Features(vectors, np.ones(per * groups, bool))}
    order = rng.permutation(per * groups)
    shown = np.where(np.isin(np.arange(per * groups), order[:6]), group, -1)  # what stays visible of a field that is asked
    graph = Graph(kinds, edges, features, {("x", "class"): replace(labels, values=shown), ("x", "other"): other})
    split = LabelSplit(labels, *(np.sort(part) for part in np.split(order, [6, 12])))
    return Split({}, {"x.class": split}, graph), vectors, group


def made(name):
    if name == "leiden":
        pytest.importorskip("sknetwork")
    return registry.create("clustering", name)


@pytest.mark.parametrize("name", sorted(registry.discover("clustering")))
def test_every_method_finds_groups_that_are_far_apart(name):
    split, vectors, group = blobs()
    question = ClusterQuestion.of(split.visible, "x", vectors)
    found = made(name).find(question, None, 3)
    assert agreement(found.of, group).ari == 1
    assert np.array_equal(found.of, made(name).find(question, None, 3).of)  # the same seed
    assert found.tried or not made(name).random
    if name != "kmeans":
        with pytest.raises(SettingsError, match=f"{name} finds the number of clusters itself; given: 3"):
            made(name).find(question, 3, 3)


@pytest.mark.parametrize("name", sorted(registry.discover("clustering")))
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_few_items_and_equal_items_end_well(name, count):
    graph = Graph({"x": ids("x", count)}, {})
    for vectors in (np.ones((count, 4), np.float32), np.eye(count, 4, dtype=np.float32)):
        of = made(name).find(ClusterQuestion.of(graph, "x", vectors), None, 0).of
        assert of.shape == (count,)
        assert of.min() >= -1
        assert len(np.unique(of[of >= 0])) == of.max() + 1


def test_kmeans_takes_the_number_of_the_largest_silhouette_or_the_one_it_is_given():
    split, vectors, _ = blobs(noise=0.3)
    question = ClusterQuestion.of(split.visible, "x", vectors)
    found = made("kmeans").find(question, None, 0)
    best = max(found.tried, key=lambda one: one[1])
    assert best[0] == f"{found.count} clusters"
    assert made("kmeans").find(question, 7, 0).count == 7
    with pytest.raises(SettingsError, match="there cannot be so many clusters; given: 61; give 1 to 60"):
        made("kmeans").find(question, 61, 0)


def test_vectors_are_centred_and_of_length_one_and_what_is_given_is_left_alone():
    rng = np.random.default_rng(0)
    vectors = rng.normal(3, 2, size=(9, 4)).astype(np.float32)
    before = vectors.copy()
    question = ClusterQuestion.of(Graph({"x": ids("x", 9)}, {}), "x", vectors)
    expected = before - before.mean(0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(question.vectors, expected, atol=1e-5)
    assert np.array_equal(vectors, before)


def test_the_graph_of_communities_has_links_and_nearest_items_of_what_is_asked():
    split, vectors, _ = blobs(per=5)
    rows = np.array([0, 3, 7, 9, 14])
    question = ClusterQuestion.of(split.visible, "x", vectors).take(rows)
    links, items = community_graph(question, "links", 2)
    assert (items.start, items.stop) == (3, 8)  # three texts stand before them
    kept = {(int(a), int(b)) for a, b in zip(*np.nonzero(links[items, items].toarray()), strict=True)}
    edges = split.visible.edges[LIKE]
    place = {int(row): i for i, row in enumerate(rows)}
    expected = {
        (place[a], place[b])
        for s, t in zip(edges.source.tolist(), edges.target.tolist(), strict=True)
        for a, b in ((s, t), (t, s))
        if a in place and b in place
    }
    assert kept == expected
    near, _ = community_graph(question, "nearest", 2)
    cosine = question.vectors @ question.vectors.T
    np.fill_diagonal(cosine, -9)
    wanted = np.zeros((5, 5))
    for row in range(5):
        for other in np.argsort(-cosine[row])[:2]:
            if cosine[row, other] > 0:
                wanted[row, other] = wanted[other, row] = cosine[row, other]
    np.testing.assert_allclose(near[items, items].toarray(), wanted, atol=1e-5)
    both, _ = community_graph(question, "both", 2)
    np.testing.assert_allclose(both.toarray(), links.toarray() + near.toarray(), atol=1e-6)


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), min_size=1, max_size=10))
@settings(max_examples=40, deadline=None)
def test_matched_accuracy_is_that_of_the_best_of_all_ways_to_match(pairs):
    of, classes = np.array(pairs).T
    clusters = [c for c in np.unique(of) if c >= 0]
    names = [*np.unique(classes), *([-9] * len(clusters))]
    best = max(
        sum(dict(zip(clusters, way, strict=False)).get(c, -5) == k for c, k in pairs)
        for way in itertools.permutations(names, len(clusters))
    )
    assert matched_accuracy(of, classes) == pytest.approx(best / len(pairs))


@given(st.lists(st.integers(-1, 4), max_size=20))
def test_clusters_are_numbered_by_size(of):
    out = by_size(of)
    for one, two in itertools.combinations(range(len(of)), 2):
        assert (out[one] == out[two]) == (of[one] == of[two])
    counts = np.bincount(out[out >= 0]) if (out >= 0).any() else np.zeros(0)
    assert np.all(counts[:-1] >= counts[1:])


def test_stability_is_one_for_far_groups_and_low_for_none():
    split, vectors, _ = blobs()
    method = made("kmeans")
    far = stability(method, ClusterQuestion.of(split.visible, "x", vectors), 3, range(3))
    assert (far.seeds, far.items) == (1, 1)
    rng = np.random.default_rng(0)
    none = ClusterQuestion.of(split.visible, "x", rng.normal(size=(60, 6)).astype(np.float32))
    assert stability(method, none, 9, range(3)).items < 0.7
    assert stability(made("hdbscan"), none, None, range(2)).seeds is None
    one, two = np.array([0, 0, 1, -2]), np.array([-2, 5, 5, 5])
    assert mean_ari([one, two]) == agreement(one[1:3], two[1:3]).ari


def test_class_tf_idf_is_as_in_the_paper():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, size=(8, 5)).astype(float)
    of = np.array([0, 1, 2, 0, -1, 1, 1, 2])
    weights = class_tf_idf(counts, of, 3)
    total = sum(counts[i].sum() for i in range(8) if of[i] >= 0)
    for cluster, word in itertools.product(range(3), range(5)):
        tf = sum(counts[i, word] for i in range(8) if of[i] == cluster)
        often = sum(counts[i, word] for i in range(8) if of[i] >= 0)
        assert weights[cluster, word] == pytest.approx(tf * np.log(1 + total / 3 / often) if often else 0, rel=1e-5)


def test_words_are_an_items_own_or_those_of_what_it_is_linked_with():
    contains = Relation("video", "contains", "x")
    edges = {
        contains: Edges(contains, np.array([0, 0]), np.array([0, 1])),
        Relation("text", "of", "video"): Edges(Relation("text", "of", "video"), np.array([0, 1]), np.array([0, 0])),
    }
    graph = Graph({"video": ids("video", 1), "x": ids("x", 3), "text": ids("text", 2)}, edges)
    words = words_of(graph, "x", {"x": ["Long words", None, None], "text": ["sea sea", "the Meadow"]})
    assert words.names.tolist() == ["long", "meadow", "sea", "words"]
    assert words.hops.tolist() == [0, 2, -1]
    mean = [1 / 3, 1 / 3, 2 / 3, 1 / 3]  # of the video's two texts and its other part
    np.testing.assert_allclose(words.counts.toarray(), [[1, 0, 0, 1], mean, [0, 0, 0, 0]], atol=1e-6)
    nothing = words_of(graph, "x", {"text": ["the", "42"]})
    assert nothing.counts.shape == (3, 0)
    assert nothing.hops.tolist() == [-1, -1, -1]


def test_clusters_are_named_shown_and_measured_beside_baselines_on_labels_that_nothing_saw():
    split, vectors, group = blobs()
    question = ClusterQuestion.of(split.visible, "x", vectors)
    words = words_of(split.visible, "x", {"text": TOPICS})
    one = clustered(question, split, made("kmeans"), 3, words, range(2))
    names = {int(group[one.found.of == c.number][0]): c.name for c in one.clusters}
    assert names == {0: "boats, sail, sea", 1: "horse, meadow", 2: "mountains, rain"}
    for cluster in one.clusters:
        members = np.flatnonzero(one.found.of == cluster.number)
        mean = question.vectors[members].mean(0)
        cosine = question.vectors @ mean / np.linalg.norm(mean)
        assert list(cluster.central) == sorted(members, key=lambda i: -cosine[i])[:6]
        np.testing.assert_allclose(one.cosine[members], cosine[members], atol=1e-5)
    seen = np.concatenate((split.labels["x.class"].train, split.labels["x.class"].valid))
    (field, items, classes, _), (other, every, _, _) = unseen(split, "x")
    assert (field, other) == ("class", "other")
    assert set(items) == set(range(60)) - set(seen)
    assert np.array_equal(classes, group[items])
    assert len(every) == 60  # of a field that nothing was trained on
    rows = {(m.method, m.metric): m for m in one.measured if m.field == "class"}
    assert {method for method, _ in rows} == {"kmeans", FEATURES, SHUFFLED, MAJORITY}
    assert all(m.n == len(items) and m.classes == 3 for m in rows.values())
    assert rows["kmeans", "nmi"].value == rows["kmeans", "accuracy"].value == rows[FEATURES, "ari"].value == 1
    assert rows[MAJORITY, "accuracy"].value == np.bincount(group[items]).max() / len(items)
    assert rows[SHUFFLED, "ari"].value < 0.3
    assert rows[SHUFFLED, "ari"].low < rows[SHUFFLED, "ari"].high
