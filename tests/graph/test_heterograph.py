from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from mmgraph.errors import GraphError, RunError
from mmgraph.graph import heterograph
from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.graph.dgl import load_dgl
from mmgraph.graph.heterograph import csc, load, save, to_dgl
from mmgraph.types import Relation

LIKES, KNOWS = Relation("user", "likes", "video"), Relation("user", "knows", "user")


def names(*texts):
    return np.array([*texts, None], dtype=object)[:-1]


@pytest.fixture
def graph():
    likes = Edges(
        LIKES,
        np.array([2, 0, 1, 0]),
        np.array([0, 1, 0, 0]),
        time=np.array([1.0, np.nan, 3.0, 4.0]),
        weight=np.array([1, 2, 3, 4], np.float32),
        gap_s=np.array([0, 0, np.nan, 1], np.float32),
        split=np.array([0, 1, 2, -1], np.int8),
        derived_from=(KNOWS,),
    )
    knows = Edges(KNOWS, np.array([0]), np.array([0]), temporal=True, built_by="tables, follows")
    return Graph(
        ids={"user": names("ann", "b\nob", "c,ä"), "video": names("v1", "v2"), "tag": names("t")},
        edges={LIKES: likes, KNOWS: knows},
        labels={("video", "mood"): Labels("video", "mood", ("glad", "sad"), np.array([1, -1]), np.array([2, -1], np.int8))},
        parent={"video": np.array([0, -1])},
        content={"video": names("h", "")},
        parent_kind={"video": names("tag", "")},
    )


def test_edge_ids_of_a_relation_and_its_reverse_are_the_same(graph):
    made = to_dgl(graph)
    assert made.idtype == torch.int64
    assert {kind: made.num_nodes(kind) for kind in made.ntypes} == {"tag": 1, "user": 3, "video": 2}
    source, target = made.edges(etype=LIKES, order="eid")
    back_source, back_target = made.edges(etype=LIKES.reverse, order="eid")
    assert source.tolist() == back_target.tolist() == graph.edges[LIKES].source.tolist()
    assert target.tolist() == back_source.tolist() == graph.edges[LIKES].target.tolist()
    assert sorted(to_dgl(graph, reverse=False).canonical_etypes) == sorted([LIKES, KNOWS])


def test_only_the_kept_edges_are_in_it(graph):
    dgl = load_dgl()
    made = to_dgl(graph, keep={LIKES: np.array([True, False, False, True])})
    source, target = made.edges(etype=LIKES, order="eid")
    assert (source.tolist(), target.tolist()) == ([2, 0], [0, 0])
    assert made.edges[LIKES].data[dgl.EID].tolist() == made.edges[LIKES.reverse].data[dgl.EID].tolist() == [0, 3]
    assert made.num_edges(KNOWS) == 1
    none = to_dgl(graph, keep={LIKES: np.array([], np.int64)})
    assert none.num_edges(LIKES) == 0


def test_csc_is_the_slow_obvious_way(graph):
    for relation, turned in ((LIKES, False), (LIKES.reverse, True), (KNOWS, False)):
        edges = graph.edges[LIKES if turned else relation]
        source, target = (edges.target, edges.source) if turned else (edges.source, edges.target)
        indptr, sources, edge_ids = csc(to_dgl(graph), relation)
        for node in range(graph.count(relation.target)):
            some = slice(int(indptr[node]), int(indptr[node + 1]))
            expected = [(int(s), i) for i, (s, t) in enumerate(zip(source, target, strict=True)) if t == node]
            assert sorted(zip(sources[some].tolist(), edge_ids[some].tolist(), strict=True)) == sorted(expected)


def test_read_only_arrays_are_taken(graph):
    edges = graph.edges[LIKES]
    edges.source.setflags(write=False)
    edges.target.setflags(write=False)
    assert to_dgl(graph).num_edges(LIKES) == 4


def test_graphs_that_cannot_be(graph):
    with pytest.raises(GraphError, match="a graph needs a link"):
        to_dgl(Graph({"user": names("a")}, {}))
    with pytest.raises(GraphError, match=r"video/rev_likes/user is the name of a reverse"):
        to_dgl(graph.with_edges({**graph.edges, LIKES.reverse: Edges(LIKES.reverse, np.array([0]), np.array([0]))}))
    with pytest.raises(GraphError, match=r"keep names a relation that is not there; given: video/rev_likes/user"):
        to_dgl(graph, keep={LIKES.reverse: np.array([0])})


def assert_same(first, second):
    assert type(first) is type(second)
    if isinstance(first, Graph | Edges | Labels):
        for one in fields(first):
            assert_same(getattr(first, one.name), getattr(second, one.name))
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    else:
        assert first == second


def test_round_trip(graph, tmp_path):
    save(graph, tmp_path / "graph")
    assert_same(load(tmp_path / "graph"), graph)
    empty = Graph({"user": names()}, {KNOWS: Edges(KNOWS, np.zeros(0, np.int64), np.zeros(0, np.int64))})
    save(empty, tmp_path / "graph")
    assert_same(load(tmp_path / "graph"), empty)


def test_a_failed_write_leaves_the_old_graph(graph, tmp_path, monkeypatch):
    save(graph, tmp_path)

    def full(arrays, path, header):
        path.write_bytes(b"half")
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(heterograph, "save_file", full)
    with pytest.raises(RunError, match=r"cannot write .*graph.safetensors; given: No space left"):
        save(replace(graph, labels={}), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["graph.safetensors"]
    assert_same(load(tmp_path), graph)


def test_a_broken_or_missing_file_is_named(tmp_path):
    with pytest.raises(GraphError, match=r"cannot read the graph in .*graph.safetensors; .*run `mmgraph fit` again"):
        load(tmp_path)
    (tmp_path / "graph.safetensors").write_bytes(b"\x80\x04 not a graph")
    with pytest.raises(GraphError, match="cannot read the graph"):
        load(tmp_path)


def test_several_values_of_a_field_are_kept(graph, tmp_path):
    several = np.array([[True, True], [False, False], [False, True]])
    labels = Labels("user", "tags", ("a", "b"), np.array([0, -1, 1]), None, several)
    tagged = replace(graph, labels={**graph.labels, ("user", "tags"): labels})
    save(tagged, tmp_path)
    assert_same(load(tmp_path), tagged)
