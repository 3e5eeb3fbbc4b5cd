from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph import registry
from mmgraph.errors import GraphError
from mmgraph.graph.build import build
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.graph.edges.attached import Attached
from mmgraph.graph.edges.co_occurrence import CoOccurrence
from mmgraph.graph.edges.contains import Contains
from mmgraph.graph.edges.follows import Follows
from mmgraph.graph.edges.item_graph import ItemGraph
from mmgraph.graph.edges.similar import Similar
from mmgraph.graph.edges.similar_where_few import SimilarWhereFew, links_of
from mmgraph.settings import Component
from mmgraph.types import Relation

FOLLOWS = Relation("segment", "follows", "segment")


def pairs(graph, relation):
    edges = graph.edges[relation]
    ends = graph.ids[relation.source][edges.source], graph.ids[relation.target][edges.target]
    return list(zip(*ends, strict=True))


def test_every_builder_is_found_by_name():
    every = {"attached": Attached(), "contains": Contains(), "follows": Follows(), "similar": Similar()}
    every |= {"similar_where_few": SimilarWhereFew(), "co_occurrence": CoOccurrence(), "item_graph": ItemGraph(kind="image")}
    given = {"item_graph": {"kind": "image"}}
    made = {name: Component(class_path=name, init_args=given.get(name, {})) for name in registry.discover("edge builder")}
    assert {name: registry.create("edge builder", one) for name, one in made.items()} == every


def test_nothing_to_link(catalogue):
    builders = [Follows(), Contains(), Attached(), Similar()]
    assert build(catalogue(), {}, builders).edges == {}
    assert build(catalogue([("v", "video"), ("i", "image")]), {}, builders).edges == {}
    one = build(catalogue([("v", "video"), ("s", "segment", "v", 0.0, 1.0)]), {}, builders)
    assert {str(relation): len(edges) for relation, edges in one.edges.items()} == {
        "segment/follows/segment": 0,
        "video/contains/segment": 1,
    }


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), unique=True, max_size=12))
@settings(max_examples=40, deadline=None)
def test_follows_is_the_next_of_the_same_parent(catalogue, cuts):
    items = [(f"v{i}", "video") for i in range(3)] + [(f"{v}:{s}", "segment", f"v{v}", float(s), s + 0.25) for v, s in cuts]
    graph = build(catalogue(items), {}, [Follows()])
    expected = {}
    for video in range(3):
        starts = sorted(start for v, start in cuts if v == video)
        expected.update({(f"{video}:{a}", f"{video}:{b}"): b - a - 0.25 for a, b in pairwise(starts)})
    found = (
        {}
        if FOLLOWS not in graph.edges
        else dict(zip(pairs(graph, FOLLOWS), graph.edges[FOLLOWS].gap_s.tolist(), strict=True))
    )
    assert found == expected


def test_follows_leaves_out_what_has_no_start_or_no_parent(catalogue):
    items = [
        ("v", "video"),
        ("a", "segment", "v", 1.0, None),
        ("b", "segment", "v"),
        ("c", "segment", None, 2.0),
        ("d", "segment", "v", 3.0),
    ]
    graph = build(catalogue(items), {}, [Follows()])
    assert pairs(graph, FOLLOWS) == [("a", "d")]
    assert np.isnan(graph.edges[FOLLOWS].gap_s).all()
    assert graph.edges[FOLLOWS].temporal


def test_follows_of_overlapping_windows_is_the_next_start_with_a_negative_gap(catalogue):
    items = [("v", "video"), ("a", "segment", "v", 0.0, 4.0), ("c", "segment", "v", 2.0, 6.0), ("b", "segment", "v", 2.0, 5.0)]
    graph = build(catalogue([*items, ("d", "segment", "v", 9.0, 10.0)]), {}, [Follows()])
    assert pairs(graph, FOLLOWS) == [("a", "c"), ("c", "b"), ("b", "d")]  # equal starts: catalogue order
    assert graph.edges[FOLLOWS].gap_s.tolist() == [-2.0, -4.0, 4.0]


def test_follows_of_another_kind_must_find_something(catalogue):
    with pytest.raises(GraphError, match=r"Follows has nothing to put in order; given: kind: photo; .* take a kind of: image"):
        build(catalogue([("i", "image")]), {}, [Follows(kind="photo")])


def test_contains_and_attached_share_the_children(catalogue):
    items = [
        ("f", "folder"),
        ("v", "video", "f"),
        ("s", "segment", "v", 0.0, 1.0),
        ("srt", "text", "v"),
        ("txt", "text", "f"),
        ("cue", "text", "v", 0.5, 0.7),
        ("i", "image"),
        ("alt", "text", "i"),
    ]
    graph = build(catalogue(items), {}, [Contains(), Attached()])
    assert {str(relation): pairs(graph, relation) for relation in graph.edges} == {
        "folder/contains/video": [("f", "v")],
        "video/contains/segment": [("v", "s")],
        "folder/contains/text": [("f", "txt")],
        "video/contains/text": [("v", "cue")],
        "text/attached_to/video": [("srt", "v")],
        "text/attached_to/image": [("alt", "i")],
    }


def graph_of(vectors, present=None, kind="image"):
    vectors = np.asarray(vectors, np.float32)
    present = np.ones(len(vectors), bool) if present is None else np.asarray(present, bool)
    ids = np.array([f"i{i}" for i in range(len(vectors))], dtype=object)
    return Graph({kind: ids}, {}, {(kind, "image"): Features(vectors, present)})


def nearest(graph, catalogue, **settings):
    return Similar(**settings).build(catalogue(), graph)[0]


@given(st.integers(0, 14), st.integers(1, 6), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_similar_is_the_slow_obvious_way(catalogue, count, k, seed):
    chance = np.random.default_rng(seed)
    vectors, present = chance.normal(size=(count, 5)).astype(np.float32), chance.random(count) < 0.8
    vectors[chance.random(count) < 0.1] = 0
    graph = graph_of(vectors, present)
    before = vectors.copy()
    edges = nearest(graph, catalogue, k=k, min_similarity=0.1)
    expected = {}
    for i in range(count):
        scored = []
        for j in range(count):
            length = np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j])
            if i != j and present[i] and present[j] and length > 0:
                scored.append((float(vectors[i] @ vectors[j] / length), j))
        expected.update({(i, j): score for score, j in sorted(scored, reverse=True)[:k] if score >= 0.1})
    found = dict(zip(zip(edges.source.tolist(), edges.target.tolist(), strict=True), edges.weight.tolist(), strict=True))
    assert found == pytest.approx(expected, abs=1e-5)
    assert (vectors == before).all()


def test_copies_are_neighbours_and_nothing_is_its_own(catalogue):
    edges = nearest(graph_of(np.ones((6, 3))), catalogue, k=2)
    assert np.bincount(edges.source).tolist() == [2] * 6
    assert (edges.source != edges.target).all()
    assert edges.weight.max() <= 1.0


def test_unlike_things_are_no_pair_unless_asked(catalogue):
    graph = graph_of([[1, 0], [0, 1], [-1, 0]])
    assert len(nearest(graph, catalogue)) == 0
    assert len(nearest(graph, catalogue, min_similarity=-1.0)) == 6


def test_similar_for_what_is_named(catalogue):
    graph = graph_of([[1.0, 0.0], [1.0, 0.1]])
    assert Similar(kind="image", modality="image").build(catalogue(), graph)[0].relation == Relation(
        "image", "similar_image", "image"
    )
    assert Similar().build(catalogue(), Graph({}, {})) == []
    with pytest.raises(GraphError, match=r"Similar finds no such features; given: image.text; there are: image.image"):
        Similar(kind="image", modality="text").build(catalogue(), graph)
    with pytest.raises(GraphError, match=r"Similar.k counts neighbours; given: 0"):
        Similar(k=0).build(catalogue(), graph)


@given(st.integers(1, 12), st.integers(1, 4), st.sampled_from(["ones", "cosine"]), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_item_graph_is_the_slow_obvious_sum_of_normalised_matrices(catalogue, count, k, entries, seed):
    chance = np.random.default_rng(seed)
    weights, features, expected = {"image": 3.0, "text": 1.0}, {}, np.zeros((count, count))
    for modality, weight in weights.items():
        vectors, present = chance.normal(size=(count, 4)).astype(np.float32), chance.random(count) < 0.8
        features["image", modality] = Features(np.where(present[:, None], vectors, 0), present)
        matrix = np.zeros((count, count))
        for i in range(count):
            scored = [
                (float(vectors[i] @ vectors[j] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j])), j)
                for j in range(count)
                if i != j and present[i] and present[j]
            ]
            for score, j in sorted(scored, reverse=True)[:k]:
                matrix[i, j] = max(score, 0) if entries == "cosine" else score > 0
        rows = matrix.sum(1)
        for i, j in zip(*np.nonzero(matrix), strict=True):
            if rows[j] > 0:
                expected[i, j] += weight / 4 * matrix[i, j] / np.sqrt(rows[i] * rows[j])
    graph = Graph({"image": np.array([f"i{n}" for n in range(count)])}, {}, features)
    (edges,) = ItemGraph(kind="image", k=k, weights=weights, entries=entries).build(catalogue(), graph)
    found = np.zeros((count, count))
    found[edges.target, edges.source] = edges.weight
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(edges) == len(set(zip(edges.source.tolist(), edges.target.tolist(), strict=True)))


def test_the_item_graph_of_what_is_named(catalogue):
    graph = graph_of([[1.0, 0.0], [1.0, 0.1]])
    for arguments, told in (
        ({"weights": {"text": 1.0}}, r"ItemGraph finds no such features; given: image.text; there are: image.image"),
        (
            {"weights": {"image": 0.0}},
            r"ItemGraph.weights are shares; given: image: 0.0; give numbers of 0 and more, not all 0",
        ),
        ({"k": 0}, "ItemGraph.k counts neighbours; given: 0"),
    ):
        with pytest.raises(GraphError, match=told):
            ItemGraph(kind="image", **arguments).build(catalogue(), graph)
    with pytest.raises(GraphError, match=r"no such features; given: video; there are: image.image"):
        ItemGraph(kind="video").build(catalogue(), graph)
    (edges,) = ItemGraph(kind="image").build(catalogue(), graph)
    assert str(edges.relation) == "image/alike/image" and edges.built_by == "item_graph" and not edges.derived_from


@pytest.mark.parametrize("builder", [Similar(), Similar(min_similarity=-1.0), ItemGraph(kind="image"), SimilarWhereFew()])
def test_vectors_that_are_not_encoded_yet_link_nothing(catalogue, builder):
    """``fit`` asks first with zeros: the relation is there, and has no links."""
    (edges,) = builder.build(catalogue(), replace(labelled([]), features=graph_of([[0.0]] * 6).features))
    assert edges.relation.source == "image"
    assert len(edges) == 0


def labelled(links):
    """Six photos with vectors and labels, six users with neither, and ``links`` (user, photo)."""
    users, photos = (np.array(one, np.int64) for one in zip(*links, strict=True)) if links else (np.zeros(0, np.int64),) * 2
    likes, vectors = Relation("user", "likes", "image"), np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    ids = {kind: np.array([f"{kind}{i}" for i in range(6)]) for kind in ("image", "user")}
    features = {("image", "image"): Features(vectors, np.ones(6, bool)), ("user", "text"): Features(vectors, np.ones(6, bool))}
    labels = {("image", "class"): Labels("image", "class", ("a", "b"), np.arange(6) % 2)}
    return Graph(ids, {likes: Edges(likes, users, photos)}, features, labels)


@pytest.mark.parametrize(
    ("links", "few"),
    [([], True), ([(0, 0), (1, 0), (0, 1), (1, 1), (2, 2)], True), ([(u, p) for u in range(2) for p in range(4)], False)],
    ids=["none", "two of six have two", "four of six have two"],
)
def test_the_nearest_are_linked_where_labelled_items_have_few_links(catalogue, caplog, links, few):
    graph = labelled(links)
    slow = [sum(photo == one for _, photo in links) for one in range(6)]
    assert links_of(graph, "image").tolist() == slow
    assert (sum(count < 2 for count in slow) >= 3) == few
    with caplog.at_level("INFO"):
        found = SimilarWhereFew(k=2).build(catalogue(), graph)
    wanted = Similar(kind="image", k=2).build(catalogue(), graph) if few else []
    assert [str(one.relation) for one in found] == ["image/similar_image/image"] * few
    assert [one.source.tolist() + one.target.tolist() for one in found] == [
        one.source.tolist() + one.target.tolist() for one in wanted
    ]
    assert ("have fewer than 2 links: the nearest are linked" in caplog.text) == few
