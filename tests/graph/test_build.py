import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.errors import GraphError
from mmgraph.graph.build import build
from mmgraph.graph.contract import EdgeBuilder, Edges, Features
from mmgraph.graph.edges.follows import Follows
from mmgraph.types import Relation

LIKES = Relation("user", "likes", "video")
USERS = [("ann", "user"), ("v1", "video"), ("bob", "user"), ("v2", "video")]


def test_nothing_and_one_item(catalogue):
    empty = build(catalogue(), {}, [])
    assert (empty.ids, empty.edges, empty.labels, empty.parent) == ({}, {}, {}, {})
    one = build(catalogue([("v", "video")]), {}, [])
    assert (one.ids["video"].tolist(), one.edges) == (["v"], {})


def test_links_become_edges_by_kinds(catalogue):
    made = catalogue(USERS, [("bob", "likes", "v2"), ("v1", "likes", "v2"), ("ann", "likes", "v2"), ("v1", "next", "v2")])
    before = made.links.copy()
    graph = build(made, {}, [])
    assert list(map(str, graph.edges)) == ["user/likes/video", "video/likes/video", "video/next/video"]
    likes = graph.edges[LIKES]
    assert (likes.source.tolist(), likes.target.tolist()) == ([1, 0], [1, 1])
    assert (likes.time, likes.weight, likes.split, likes.built_by, likes.temporal) == (None, None, None, "tables", False)
    assert graph.edges[Relation("video", "next", "video")].temporal
    assert made.links.equals(before)


def test_repeated_links_are_one_edge(catalogue):
    def like(user, video, **data):
        return {"source": user, "relation": "likes", "target": video, **data}

    links = [
        like("bob", "v1", time=5.0, split="test"),
        like("ann", "v1", time=9.0),
        like("bob", "v1", time=3.0, split="train", weight=2.0),
        like("bob", "v1"),
        like("ann", "v1", split="valid"),
    ]
    edges = build(catalogue(USERS, links), {}, []).edges[LIKES]
    assert (edges.source.tolist(), edges.target.tolist()) == ([1, 0], [0, 0])
    assert (edges.time.tolist(), edges.weight.tolist(), edges.split.tolist()) == ([3.0, 9.0], [4.0, 2.0], [0, 1])
    assert (edges.time.dtype, edges.weight.dtype, edges.split.dtype) == (np.float64, np.float32, np.int8)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.one_of(st.none(), st.floats(0, 9)), st.floats(0.5, 4))))
def test_merging_is_the_slow_obvious_way(catalogue, rows):
    items = [(f"u{i}", "user") for i in range(4)] + [(f"v{i}", "video") for i in range(3)]
    links = [{"source": f"u{u}", "relation": "likes", "target": f"v{v}", "time": t, "weight": w} for u, v, t, w in rows]
    edges = build(catalogue(items, links), {}, []).edges.get(LIKES)
    times, weights = {}, {}
    for user, video, time, weight in rows:
        pair = user, video
        weights[pair] = weights.get(pair, 0.0) + np.float32(weight)
        times[pair] = np.fmin(times.get(pair, np.nan), np.nan if time is None else time)
    if edges is None:
        assert not rows
        return
    assert list(zip(edges.source.tolist(), edges.target.tolist(), strict=True)) == list(weights)
    np.testing.assert_allclose(
        np.ones(len(edges)) if edges.weight is None else edges.weight, list(weights.values()), rtol=1e-5
    )
    np.testing.assert_array_equal(np.full(len(edges), np.nan) if edges.time is None else edges.time, list(times.values()))


def test_labels_of_each_kind_and_field(catalogue):
    labels = [("v2", "mood", "sad"), ("ann", "mood", "glad"), {"id": "v1", "field": "mood", "value": "glad", "split": "test"}]
    graph = build(catalogue(USERS, labels=[*labels, ("v2", "mood", "sad")]), {}, [])
    assert list(graph.labels) == [("video", "mood"), ("user", "mood")]
    video = graph.labels["video", "mood"]
    assert (video.classes, video.values.tolist(), video.split.tolist()) == (("glad", "sad"), [0, 1], [2, -1])
    assert graph.labels["user", "mood"].values.tolist() == [0, -1]
    assert graph.labels["user", "mood"].split is None


def test_several_values_of_a_field_are_kept(catalogue, caplog):
    made = catalogue(USERS, labels=[("v1", "mood", "sad"), ("v2", "mood", "sad"), ("v1", "mood", "glad")])
    video = build(made, {}, []).labels["video", "mood"]
    assert (video.classes, video.values.tolist()) == (("glad", "sad"), [0, 1])
    assert video.several.tolist() == [[True, True], [False, True]]
    assert not caplog.records
    splits = [{"id": "v1", "field": "mood", "value": value, "split": "test"} for value in ("sad", "glad")]
    assert build(catalogue(USERS, labels=splits), {}, []).labels["video", "mood"].split.tolist() == [2, -1]
    splits[1]["split"] = "train"
    with pytest.raises(GraphError, match=r"the values of mood of one item are in several splits; given: v1; give all values"):
        build(catalogue(USERS, labels=splits), {}, [])


def test_a_few_items_with_several_values_may_be_a_mistake(catalogue, caplog):
    items = [(f"v{i}", "video") for i in range(41)]
    labels = [*((f"v{i}", "mood", "sad") for i in range(41)), ("v7", "mood", "glad")]
    assert build(catalogue(items, labels=labels), {}, []).labels["video", "mood"].several.sum() == 42
    assert (
        "video.mood: 1 of 41 items have several values, as v7, so it is asked which of all values an item has; " in caplog.text
    )


def test_parents_of_several_kinds_and_content_with_spans(catalogue):
    items = [
        ("v", "video"),
        ("s1", "segment", "v", 0.0, 2.0),
        ("i", "image"),
        ("t1", "text", "i"),
        ("t2", "text", "v"),
        ("t3", "text"),
    ]
    graph = build(catalogue([*items, ("s2", "segment", "v", 2.0, 4.0)]), {}, [], {"v": "h", "s1": "h", "s2": "h", "t1": "w"})
    assert graph.parent["text"].tolist() == [0, 0, -1]
    assert graph.parent_kind["text"].tolist() == ["image", "video", ""]
    assert set(graph.parent) == {"segment", "text"}
    assert graph.content["video"].tolist() == ["h"]
    assert graph.content["text"].tolist() == ["w", "", ""]
    assert len(set(graph.content["segment"])) == 2
    assert "image" not in graph.content


class Precedes(EdgeBuilder):
    def build(self, catalogue, graph):
        edges = graph.edges[Relation("segment", "follows", "segment")]
        return [Edges(Relation("segment", "precedes", "segment"), edges.target, edges.source, built_by="precedes")]


def test_builders_come_in_order_and_add_to_the_tables(catalogue):
    items = [("v", "video"), *((f"s{i}", "segment", "v", float(i), i + 0.5) for i in range(3))]
    made = catalogue(items, [("s0", "follows", "s1"), {"source": "s0", "relation": "follows", "target": "s2", "time": 4.0}])
    graph = build(made, {}, [Follows(), Precedes()])
    follows = graph.edges[Relation("segment", "follows", "segment")]
    assert list(zip(follows.source.tolist(), follows.target.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]
    np.testing.assert_array_equal(follows.gap_s, np.array([np.nan, np.nan, 0.5], np.float32))
    np.testing.assert_array_equal(follows.time, [np.nan, 4.0, np.nan])
    assert (follows.built_by, follows.temporal) == ("tables, follows", True)
    assert len(graph.edges[Relation("segment", "precedes", "segment")]) == 3


def test_what_does_not_fit_is_named(catalogue):
    with pytest.raises(GraphError, match=r"links.target names an item that is not there; given: v3; near: v2, v1"):
        build(catalogue(USERS, [("ann", "likes", "v3")]), {}, [])
    with pytest.raises(GraphError, match=r"labels.id names an item that is not there; given: zzz; add it"):
        build(catalogue(USERS, labels=[("zzz", "mood", "sad")]), {}, [])
    with pytest.raises(GraphError, match=r"the parent of s is no item; given: nobody"):
        build(catalogue([("s", "segment", "nobody")]), {}, [])
    with pytest.raises(GraphError, match=r"a split has another name; given: dev; use train, valid, test"):
        build(catalogue(USERS, [{"source": "ann", "relation": "likes", "target": "v1", "split": "dev"}]), {}, [])
    one = Features(np.zeros((3, 4), np.float32), np.ones(3, bool))
    with pytest.raises(GraphError, match=r"features video.image do not fit 2 items; given: vectors \(3, 4\), present \(3,\)"):
        build(catalogue(USERS), {("video", "image"): one}, [])
    with pytest.raises(GraphError, match=r"features of a kind without items: music.audio; kinds: user, video"):
        build(catalogue(USERS), {("music", "audio"): one}, [])
    with pytest.raises(GraphError, match=r"two items have one id; given: ann"):
        build(catalogue([*USERS, ("ann", "user")]), {}, [])
