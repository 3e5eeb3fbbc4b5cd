"""One planted leak each: the run stops with a line that names it, and goes on, with a note, where it is admitted."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mmgraph.errors import LeakError
from mmgraph.graph.contract import Copies
from mmgraph.settings import LabelSplitSettings, LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.types import Relation

KNOWS = Relation("user", "knows", "user")
GIVEN = SplitSettings(links=LinkSplitSettings(method="given"))


def reverse_edge(graph, edges):
    knows = edges("user/knows/user", [(0, 1), (1, 0), (1, 2), (2, 3)], split=np.array([0, 2, 1, 2], np.int8))
    made = graph({"user": 4}, [knows])
    return made, make(made, [KNOWS], [], GIVEN, 0), GIVEN


def inverse_relation(graph, edges):
    pairs = list(pairwise(range(40)))
    made = graph({"user": 40}, [edges("user/knows/user", pairs), edges("user/known_by/user", [(t, s) for s, t in pairs])])
    return made, make(made, [KNOWS], [], SplitSettings(), 0), SplitSettings()


def duplicate_edge(graph, edges):
    knows = edges("user/knows/user", [(0, 1), (2, 3), (4, 5), (2, 3)])
    split = make(graph({"user": 6}, [knows.take(np.arange(3))]), [KNOWS], [], SplitSettings(), 0)
    one = replace(split.links[KNOWS], edges=knows, train=np.array([0]), valid=np.array([1, 2]), test=np.array([3]))
    made = graph({"user": 6}, [knows])
    visible = made.with_edges({KNOWS: knows.take(one.train)})
    return made, replace(split, links={KNOWS: one}, visible=visible), SplitSettings()


LABELS = SplitSettings(labels=LabelSplitSettings(k=2))


def segments(graph, links=(), **more):
    values = np.arange(20) // 2 % 2
    return graph({"s": 20, "f": 2}, links, labels={"s.c": values}, parent={"s": np.arange(20) // 2}, **more)


def label_through_a_link(graph, edges):
    made = segments(graph, [edges("s/in/f", [(s, s // 2 % 2) for s in range(20)])])
    return made, make(made, [], [("s", "c")], LABELS, 0), LABELS


def near_duplicate_media(graph, edges):
    made = segments(graph)
    split = make(made, [], [("s", "c")], LABELS, 0)
    one, first = split.labels["s.c"], np.arange(20)
    first[one.test[0]] = first[one.train[0]] = min(one.test[0], one.train[0])
    nothing = np.zeros(20, np.float32)
    return replace(made, duplicates={"s": Copies(first, nothing, nothing)}), split, LABELS


def segment_of_the_same_video(graph, edges):
    made = segments(graph)
    split = make(made, [], [("s", "c")], LABELS, 0)
    one = split.labels["s.c"]
    sibling = one.test[0] ^ 1
    moved = replace(one, test=one.test[one.test != sibling], valid=np.append(one.valid, sibling))
    return made, replace(split, labels={"s.c": moved}), LABELS


def future_edge(graph, edges):
    knows = edges("user/knows/user", list(pairwise(range(20))), time=np.arange(19.0))
    likes = edges("user/likes/video", [(i, i) for i in range(20)], time=np.arange(20.0))
    made = graph({"user": 20, "video": 20}, [knows, likes])
    settings = SplitSettings(links=LinkSplitSettings(method="time"))
    split = make(made, [KNOWS], [], settings, 0)
    seen = split.visible.with_edges({**split.visible.edges, likes.relation: likes})
    return made, replace(split, visible=seen), settings


PLANTED = {
    "reverse_link": (reverse_edge, r"held-out link of user/knows/user visible in reverse; given: user1 -> user0"),
    "inverse_relation": (inverse_relation, r"user/known_by/user repeats 8 of 8 held-out user/knows/user"),
    "duplicate_link": (duplicate_edge, r"user/knows/user has the same pair in valid and test; given: user2 -> user3"),
    "label_through_link": (label_through_a_link, r"s/in/f tells s.c: each f has items of one class"),
    "near_duplicate": (near_duplicate_media, r"s.c has near-copies \(nearly the same picture or sound\) in train and test"),
    "same_parent": (segment_of_the_same_video, r"s.c has items of one parent in valid and test"),
    "future_link": (future_edge, r"of user/likes/video visible are of the future, from 13 s; given: user13 -> video13"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_named(graph, edges, name):
    plant, words = PLANTED[name]
    made, split, settings = plant(graph, edges)
    with pytest.raises(LeakError, match=f"^a leak: .*{words}.*; or admit it with split.admit: \\[{name}\\]$") as caught:
        check(made, split, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PLANTED)
def test_an_admitted_leak_is_a_note_and_only_that_one_passes(graph, edges, name, caplog):
    plant, _ = PLANTED[name]
    made, split, settings = plant(graph, edges)
    caplog.set_level("WARNING")
    (note,) = check(made, split, SplitSettings(links=settings.links, labels=settings.labels, admit=(name,)))
    assert note.startswith(f"admitted leak {name}: ")
    assert note in caplog.text
    others = tuple(other for other in PLANTED if other != name)
    with pytest.raises(LeakError, match=rf"split.admit: \[{name}\]"):
        check(made, split, SplitSettings(links=settings.links, labels=settings.labels, admit=others))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_held_out_edge_in_message_passing_is_named_and_cannot_be_admitted(graph, edges, part):
    made = graph({"user": 20}, [edges("user/knows/user", list(pairwise(range(20))))])
    split = make(made, [KNOWS], [], SplitSettings(), 0)
    one = split.links[KNOWS]
    seen = one.edges.take(np.append(one.train, getattr(one, part)[0]))
    shown = replace(split, visible=split.visible.with_edges({KNOWS: seen}))
    admit = SplitSettings(admit=tuple(PLANTED))
    with pytest.raises(LeakError, match=r"^a leak: 1 held-out link of user/knows/user visible; given: user"):
        check(made, shown, admit)


def test_what_is_admitted_is_counted(graph, edges):
    pairs = [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 6)]
    knows = edges("user/knows/user", pairs, split=np.array([0, 2, 0, 1, 1, 2], np.int8))
    made = graph({"user": 7}, [knows])
    split = make(made, [KNOWS], [], GIVEN, 0)
    (note,) = check(made, split, SplitSettings(links=GIVEN.links, admit=("reverse_link",)))
    assert note == (
        "admitted leak reverse_link: 2 held-out links of user/knows/user visible in reverse (user3 -> user2) and 2 more"
    )
    one = split.links[KNOWS]
    assert not set(one.train) & set(one.valid) and not set(one.train) & set(one.test) and not set(one.valid) & set(one.test)


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_its_reverse_and_what_is_derived_leave_together(graph, edges, seed):
    """Message, train, valid and test links are disjoint as pairs, whichever way round and under whatever name."""
    rng = np.random.default_rng(seed)
    drawn = {tuple(pair) for pair in rng.integers(15, size=(60, 2)).tolist() if pair[0] != pair[1]}
    pairs = sorted(drawn | {(t, s) for s, t in drawn if rng.random() < 0.5})
    inverse = edges("user/known_by/user", [(t, s) for s, t in pairs], derived_from=(KNOWS,))
    made = graph({"user": 15}, [edges("user/knows/user", pairs), inverse])
    split = make(made, [KNOWS], [], SplitSettings(), seed)
    one = split.links[KNOWS]

    def undirected(edges):
        return {frozenset(pair) for pair in zip(edges.source.tolist(), edges.target.tolist(), strict=True)}

    parts = [undirected(one.edges.take(getattr(one, name))) for name in ("train", "valid", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len({frozenset(pair) for pair in pairs})
    for relation in (KNOWS, inverse.relation):
        assert undirected(split.visible.edges[relation]) == parts[0]
    check(made, split)
