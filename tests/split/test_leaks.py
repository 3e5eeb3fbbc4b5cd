"""One planted leak each; and what is clean passes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mmgraph.errors import LeakError, MMGraphError
from mmgraph.settings import LabelSplitSettings, LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.types import Relation

KNOWS, LIKES = Relation("user", "knows", "user"), Relation("user", "likes", "video")


@pytest.fixture
def chain(graph, edges):
    """Twenty users in a row, and the videos they like."""
    knows = edges("user/knows/user", list(pairwise(range(20))), time=np.arange(19.0))
    likes = edges("user/likes/video", [(i, i) for i in range(20)], time=np.arange(20.0))
    made = graph({"user": 20, "video": 20}, [knows, likes], labels={"user.c": np.arange(20) % 2})
    return made, make(made, [KNOWS], [("user", "c")], SplitSettings(), 0)


def showing(split, *more):
    """The same split, with other edges in what is seen."""
    seen = {**split.visible.edges, **{one.relation: one for one in more}}
    return replace(split, visible=split.visible.with_edges(seen))


def test_clean_passes_and_nothing_is_changed(chain):
    made, split = chain
    before = {relation: (one.source.copy(), one.target.copy()) for relation, one in made.edges.items()}
    check(made, split)
    for relation, (source, target) in before.items():
        np.testing.assert_array_equal(made.edges[relation].source, source)
        np.testing.assert_array_equal(made.edges[relation].target, target)


def test_nothing_asked_leaks_nothing(graph):
    made = graph({"user": 0})
    check(made, make(made, [], [], SplitSettings(), 0))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_held_out_link_visible(chain, part):
    made, split = chain
    one = split.links[KNOWS]
    positions = np.append(one.train, getattr(one, part)[:1])
    link = getattr(one, part)[0]
    with pytest.raises(
        LeakError, match=rf"a leak: 1 held-out link of user/knows/user visible; given: user{link} -> user{link + 1};"
    ):
        check(made, showing(split, one.edges.take(positions)))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_reverse_of_a_held_out_link_visible(chain, part):
    made, split = chain
    one = split.links[KNOWS]
    hidden = one.edges.take(getattr(one, part)[:1])
    seen = split.visible.edges[KNOWS]
    seen = replace(seen, source=np.append(seen.source, hidden.target), target=np.append(seen.target, hidden.source), time=None)
    with pytest.raises(LeakError, match=r"a leak: 1 held-out link of user/knows/user visible in reverse; .* one side"):
        check(made, showing(split, seen))


def with_link_split(split, **parts):
    one = replace(split.links[KNOWS], **parts)
    return replace(split, links={KNOWS: one}, visible=split.visible.with_edges({KNOWS: one.edges.take(one.train)}))


def test_one_link_in_two_splits(chain):
    made, split = chain
    one = split.links[KNOWS]
    given = f"{one.test[0]} in valid and test"
    with pytest.raises(LeakError, match=rf"user/knows/user has one item or link in two splits; given: {given}"):
        check(made, with_link_split(split, valid=np.append(one.valid, one.test[0])))


def test_one_pair_twice(graph, edges):
    knows = edges("user/knows/user", [(0, 1), (2, 3), (4, 5), (2, 3)])
    made = graph({"user": 6}, [knows])
    split = make(graph({"user": 6}, [knows.take(np.arange(3))]), [KNOWS], [], SplitSettings(), 0)
    one = replace(split.links[KNOWS], edges=knows, train=np.array([0]), valid=np.array([1, 2]), test=np.array([3]))
    split = replace(split, links={KNOWS: one}, visible=made.with_edges({KNOWS: knows.take(one.train)}))
    with pytest.raises(LeakError, match=r"user/knows/user has the same pair in valid and test; given: user2 -> user3"):
        check(made, split)


def test_pair_of_copies(graph, edges):
    likes = edges("user/likes/video", [(0, 0), (0, 1), (1, 2), (2, 3)], split=np.array([0, 2, 1, 2], np.int8))
    made = graph({"user": 3, "video": 4}, [likes], content={"video": ["h", "h", "", ""]})
    settings = SplitSettings(links=LinkSplitSettings(method="given"))
    split = make(made, [LIKES], [], settings, 0)
    with pytest.raises(LeakError, match=r"has a copy of the pair, or its reverse in train and test; given: user0 -> video1"):
        check(made, split, settings)
    clean = graph({"user": 3, "video": 4}, [likes])
    check(clean, make(clean, [LIKES], [], settings, 0), settings)


def test_given_split_divides_a_pair_and_its_reverse(graph, edges):
    knows = edges("user/knows/user", [(0, 1), (1, 0), (1, 2), (2, 3)], split=np.array([0, 2, 1, 2], np.int8))
    made = graph({"user": 4}, [knows])
    settings = SplitSettings(links=LinkSplitSettings(method="given"))
    with pytest.raises(LeakError, match=r"1 held-out link of user/knows/user visible in reverse; given: user1 -> user0"):
        check(made, make(made, [KNOWS], [], settings, 0), settings)


@pytest.mark.parametrize("turned", [False, True])
def test_another_relation_repeats_what_is_held_out(graph, edges, turned):
    pairs = list(pairwise(range(40)))
    repeated = [(t, s) for s, t in pairs] if turned else pairs
    for kept, leaks in ((len(pairs), True), (3, False)):
        knows, again = edges("user/knows/user", pairs), edges("user/met/user", repeated[:kept])
        made = graph({"user": 40}, [knows, again])
        split = make(made, [KNOWS], [], SplitSettings(), 0)
        if leaks:
            with pytest.raises(
                LeakError, match=r"user/met/user repeats 8 of 8 held-out user/knows/user; .* derived_from user/knows/user"
            ):
                check(made, split)
        else:
            check(made, split)
    derived = graph({"user": 40}, [knows, edges("user/met/user", repeated, derived_from=(KNOWS,))])
    check(derived, make(derived, [KNOWS], [], SplitSettings(), 0))
    alike = graph({"user": 40}, [knows, edges("user/similar_image/user", repeated, built_by="similar")])
    check(alike, make(alike, [KNOWS], [], SplitSettings(), 0))


def test_inverse_between_two_kinds_repeats_what_is_held_out(graph, edges):
    likes = edges("user/likes/video", [(i, i) for i in range(40)])
    liked = edges("video/liked_by/user", [(i, i) for i in range(40)])
    made = graph({"user": 40, "video": 40}, [likes, liked])
    with pytest.raises(LeakError, match=r"video/liked_by/user repeats .* held-out user/likes/video"):
        check(made, make(made, [LIKES], [], SplitSettings(), 0))


def test_future_link(chain):
    made, _ = chain
    settings = SplitSettings(links=LinkSplitSettings(method="time"))
    split = make(made, [KNOWS], [], settings, 0)
    check(made, split, settings)
    with pytest.raises(
        LeakError, match=r"a leak: \d+ of user/likes/video visible are of the future, from 13 s; given: user13 -> video13"
    ):
        check(made, showing(split, made.edges[LIKES]), settings)


def test_held_out_label_visible(chain):
    made, split = chain
    with pytest.raises(LeakError, match=r"a leak: 14 held-out labels of user.c visible; given: user"):
        check(made, replace(split, visible=replace(split.visible, labels=made.labels)))


def labelled(graph, links=(), **more):
    """Twenty segments of ten videos, every second of one class."""
    values = np.arange(20) // 2 % 2
    return graph({"s": 20, "v": 10, "f": 5}, links, labels={"s.c": values}, parent={"s": np.arange(20) // 2}, **more)


LABELS = SplitSettings(labels=LabelSplitSettings(k=2))


def with_label_split(split, **parts):
    return replace(split, labels={"s.c": replace(split.labels["s.c"], **parts)})


def test_group_straddles(graph):
    made = labelled(graph)
    split = make(made, [], [("s", "c")], LABELS, 0)
    check(made, split, LABELS)
    one = split.labels["s.c"]
    sibling = one.test[0] ^ 1
    test = one.test[one.test != sibling]
    moved = with_label_split(split, test=test, valid=np.append(one.valid, sibling))
    with pytest.raises(
        LeakError, match=rf"s.c has items of one parent in valid and test; given: s{sibling} and s{one.test[0]};"
    ):
        check(made, moved, LABELS)
    with pytest.raises(LeakError, match=r"items of one parent in valid and test"):
        check(made, moved)
    check(made, moved, SplitSettings(labels=LabelSplitSettings(group="none")))


def test_copies_of_one_file_straddle(graph):
    split = make(labelled(graph), [], [("s", "c")], LABELS, 0)
    one = split.labels["s.c"]
    content = [""] * 20
    content[one.train[0]] = content[one.test[0]] = "h"
    made = labelled(graph, content={"s": content})
    with pytest.raises(
        LeakError, match=rf"s.c has copies of one file in train and test; given: s{one.train[0]} and s{one.test[0]};"
    ):
        check(made, split, LABELS)


def test_one_item_in_two_splits(graph):
    made = labelled(graph)
    split = make(made, [], [("s", "c")], LABELS, 0)
    one = split.labels["s.c"]
    with pytest.raises(LeakError, match=rf"s.c has one item or link in two splits; given: {one.train[0]} in train and test"):
        check(made, with_label_split(split, test=np.append(one.test, one.train[0])), LABELS)


@pytest.mark.parametrize("turned", [False, True])
def test_label_through_a_link(graph, edges, turned):
    def link(name, pairs):
        return edges(f"f/{name}/s" if turned else f"s/{name}/f", [(f, s) if turned else (s, f) for s, f in pairs])

    tells = [(s, s // 2 % 2) for s in range(20)]
    made = labelled(graph, [link("in", tells)])
    relation = "f/in/s" if turned else "s/in/f"
    with pytest.raises(LeakError, match=rf"{relation} tells s.c: each f has items of one class; given: 2 f for 2 classes"):
        check(made, make(made, [], [("s", "c")], LABELS, 0), LABELS)
    mixed = [(s, s % 2) for s in range(20)]
    several = [*tells, *[(s, (s // 2 + 1) % 2) for s in range(0, 20, 3)]]
    few = tells[:8]
    for pairs in (mixed, several, few, []):
        made = labelled(graph, [link("in", pairs)])
        check(made, make(made, [], [("s", "c")], LABELS, 0), LABELS)


def test_parents_of_their_own_tell_no_label(graph, edges):
    values = np.arange(24) // 4 % 2
    contains = edges("v/contains/s", [(s // 4, s) for s in range(24)])
    made = graph({"s": 24, "v": 6}, [contains], labels={"s.c": values}, parent={"s": np.arange(24) // 4})
    check(made, make(made, [], [("s", "c")], SplitSettings(labels=LabelSplitSettings(k=1)), 0))


def test_every_leak_is_one_line(chain):
    made, split = chain
    with pytest.raises(MMGraphError) as caught:
        check(made, showing(split, made.edges[KNOWS]))
    assert "\n" not in str(caught.value)
