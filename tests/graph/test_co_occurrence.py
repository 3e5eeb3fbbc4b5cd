"""Items that the same users have: the slow way, and that held-out links never count."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import GraphError, LeakError
from mmgraph.graph.build import build
from mmgraph.graph.contract import Edges, Graph
from mmgraph.graph.edges import co_occurrence
from mmgraph.graph.edges.co_occurrence import CoOccurrence
from mmgraph.settings import LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import hidden, make
from mmgraph.types import Relation

PLAYS, TOGETHER = Relation("user", "plays", "music"), Relation("music", "co_plays", "music")


def graph_of(pairs, users=8, items=9, **more):
    pairs = np.unique(np.array(pairs, np.int64).reshape(-1, 2), axis=0)
    ids = {
        "user": np.array([f"u{i}" for i in range(users)], object),
        "music": np.array([f"m{i}" for i in range(items)], object),
    }
    return Graph(ids, {PLAYS: Edges(PLAYS, pairs[:, 0], pairs[:, 1], **more)})


def drawn(seed=0, count=60, **more):
    return graph_of(np.random.default_rng(seed).integers((8, 9), size=(count, 2)), **more)


def slow(graph, users, k, weight):
    having = [set(graph.edges[PLAYS].source[graph.edges[PLAYS].target == i]) for i in range(graph.count("music"))]
    n = len(set(graph.edges[PLAYS].source))
    found = {}
    for i, mine in enumerate(having):
        near = []
        for j, theirs in enumerate(having):
            if i != j and len(mine & theirs) >= users:
                both = len(mine) * len(theirs)
                shared = len(mine & theirs)
                near.append((math.log(shared * n / both) if weight == "ppmi" else shared / math.sqrt(both), j))
        best = sorted((one for one in near if one[0] > 1e-7), key=lambda one: (-np.float32(one[0]), one[1]))[:k]
        found |= {(i, j): value for value, j in best}
    return found


def told(edges):
    return {(int(s), int(t)): float(w) for s, t, w in zip(edges.source, edges.target, edges.weight, strict=True)}


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 8)), max_size=50),
    st.integers(2, 4),
    st.integers(1, 9),
    st.sampled_from(["cosine", "ppmi"]),
)
@settings(max_examples=60, deadline=None)
def test_the_nearest_by_shared_users(pairs, users, k, weight):
    graph = graph_of(pairs)
    (edges,) = CoOccurrence(relation=str(PLAYS), users=users, k=k, weight=weight).build(None, graph)
    assert edges.relation == TOGETHER and edges.derived_from == (PLAYS,)
    assert told(edges) == pytest.approx(slow(graph, users, k, weight), abs=1e-5)


def test_blocks_change_nothing(monkeypatch):
    whole = CoOccurrence().build(None, drawn())[0]
    monkeypatch.setattr(co_occurrence, "_PAIRS", 3)
    assert told(CoOccurrence().build(None, drawn())[0]) == told(whole) != {}


@pytest.mark.parametrize("method", ["random", "time", "per_user", "cold"])
def test_once_links_are_held_out_only_the_others_count(method):
    time = np.random.default_rng(1).permutation(len(drawn().edges[PLAYS])).astype(np.float64)
    graph = drawn(time=time)
    builder = CoOccurrence(k=3)
    graph = graph.with_edges({**graph.edges, TOGETHER: builder.build(None, graph)[0]})
    asked = SplitSettings(links=LinkSplitSettings(method=method, valid=0.2, test=0.2))
    split = make(graph, [PLAYS], [], asked, 0)
    seen = split.visible.edges
    assert len(seen[PLAYS]) < len(graph.edges[PLAYS])
    assert told(seen[TOGETHER]) == pytest.approx(slow(split.visible, 2, 3, "cosine"), abs=1e-6)
    assert told(seen[TOGETHER]) != told(graph.edges[TOGETHER])
    assert any("are made of the visible user/plays/music alone" in note for note in split.notes)
    check(graph, split, asked)
    more = hidden(split, PLAYS, np.arange(len(graph.edges[PLAYS])) % 4 == 0)
    assert told(more.visible.edges[TOGETHER]) == pytest.approx(slow(more.visible, 2, 3, "cosine"), abs=1e-6)
    planted = {**seen, TOGETHER: graph.edges[TOGETHER]}
    with pytest.raises(LeakError, match="music/co_plays/music is made of links that are held out"):
        check(graph, replace(split, visible=split.visible.with_edges(planted)), asked)


def test_what_is_not_split_stays_as_it_was_built(catalogue):
    items = [(f"u{i}", "user") for i in range(3)] + [("m0", "music"), ("m1", "music")]
    links = [(f"u{i}", "plays", f"m{j}") for i in range(3) for j in range(2)]
    graph = build(catalogue(items, links), {}, [CoOccurrence()])
    assert told(graph.edges[TOGETHER]) == pytest.approx({(0, 1): 1.0, (1, 0): 1.0})
    split = make(graph, [], [], SplitSettings(), 0)
    assert split.visible.edges[TOGETHER] is graph.edges[TOGETHER] and not split.notes


def test_refusals():
    graph = drawn()
    with pytest.raises(GraphError, match=r"cannot count over this relation; given: user/likes/music.*user/plays/music"):
        CoOccurrence(relation="user/likes/music").build(None, graph)
    with pytest.raises(GraphError, match="counts neighbours from 1 and shared users from 2 on; given: k: 0, users: 2"):
        CoOccurrence(k=0).build(None, graph)
    with pytest.raises(GraphError, match="from 2 on; given: k: 20, users: 1"):
        CoOccurrence(users=1).build(None, graph)
    there = graph.with_edges({**graph.edges, TOGETHER: Edges(TOGETHER, np.array([0]), np.array([1]))})
    with pytest.raises(GraphError, match="a relation that is there already; given: music/co_plays/music"):
        CoOccurrence().build(None, there)


def test_two_relations_that_would_be_counted_into_one_are_refused():
    graph = graph_of([(0, 1), (1, 1)])
    guests = Edges(Relation("guest", "plays", "music"), np.array([0]), np.array([1]), built_by="tables")
    both = replace(graph, ids={**graph.ids, "guest": np.array(["g"], object)})
    both = both.with_edges({PLAYS: replace(graph.edges[PLAYS], built_by="tables"), guests.relation: guests})
    with pytest.raises(
        GraphError, match="is there already; given: music/co_plays/music; rename that one, or name one relation"
    ):
        CoOccurrence().build(None, both)
    assert [one.relation for one in CoOccurrence(relation="guest/plays/music").build(None, both)] == [TOGETHER]
