"""All links of held-out items are held out, and nothing of the relation is left of them to see."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import LeakError, SplitError
from mmgraph.settings import LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.types import Relation

KNOWS, LIKES, MAKES = Relation("user", "knows", "user"), Relation("user", "likes", "video"), Relation("user", "makes", "video")


def asked(cold="target", **more):
    return SplitSettings(links=LinkSplitSettings(method="cold", cold=cold, **more))


def items(split, part, side):
    """Items at one end of the links of a part, or at both."""
    positions = getattr(split, part)
    ends = {"source": [split.edges.source], "target": [split.edges.target], "both": [split.edges.source, split.edges.target]}
    return set(chain(*(one[positions].tolist() for one in ends[side])))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True, min_size=12, max_size=60),
    st.integers(0, 5),
    st.sampled_from(["target", "source"]),
    st.sampled_from([(0.1, 0.2), (0.0, 0.3), (0.3, 0.0)]),
)
@settings(max_examples=30, deadline=None)
def test_items_of_one_side_are_in_one_part(graph, edges, pairs, seed, side, shares):
    if len({pair[side == "target"] for pair in pairs}) < 3:
        return
    made = graph({"user": 10, "video": 10}, [edges("user/likes/video", pairs), edges("user/makes/video", pairs[:3])])
    asking = asked(side, valid=shares[0], test=shares[1])
    split = make(made, [LIKES], [], asking, seed)
    one = split.links[LIKES]
    parts = [items(one, part, side) for part in ("train", "valid", "test")]
    assert [bool(part) for part in parts] == [True, *(share > 0 for share in shares)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert sorted(chain(one.train, one.valid, one.test)) == list(range(len(pairs)))
    assert len(split.visible.edges[MAKES]) == 3  # other relations stay
    again = make(made, [LIKES], [], asking, seed).links[LIKES]
    assert (again.test.tolist(), again.valid.tolist()) == (one.test.tolist(), one.valid.tolist())
    check(made, split, asking)


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), unique=True, min_size=12, max_size=50),
    st.integers(0, 5),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_within_one_kind_and_of_both_kinds_each_held_out_link_has_a_cold_end(graph, edges, pairs, seed, same):
    relation = KNOWS if same else LIKES
    made = graph({"user": 12, "video": 12}, [edges(str(relation), pairs)])
    try:
        split = make(made, [relation], [], asked("both"), seed)
    except SplitError as error:
        assert "too few items whose links could be held out" in str(error)  # one hub holds all links
        return
    one = split.links[relation]
    for part, known in (("valid", ("train",)), ("test", ("train", "valid"))):
        for position in getattr(one, part).tolist():
            s, t = pairs[position]
            told = [
                items(one, other, "both") if same else (items(one, other, "source"), items(one, other, "target"))
                for other in known
            ]
            if same:
                assert not all(any(end in other for other in told) for end in (s, t))
            else:
                assert not (any(s in first for first, _ in told) and any(t in second for _, second in told))
    check(made, split, asked("both"))


def test_shares_are_of_links_and_seeds_differ(graph, edges):
    pairs = [(user, video) for user in range(20) for video in range(50) if (user * 7 + video * 3) % 5 == 0]
    made = graph({"user": 20, "video": 50}, [edges("user/likes/video", pairs)])
    split = make(made, [LIKES], [], asked(), 1)
    one = split.links[LIKES]
    assert len(one.test) == pytest.approx(0.2 * len(pairs), abs=4)
    assert len(one.valid) == pytest.approx(0.1 * len(pairs), abs=4)
    assert make(made, [LIKES], [], asked(), 2).links[LIKES].test.tolist() != one.test.tolist()
    count = {part: len(items(one, part, "target")) for part in ("valid", "test")}
    assert split.notes == (
        f"cold items of {LIKES} (video): {count['test']} in test, {count['valid']} in valid; they have no visible link of it",
    )


def test_what_has_most_of_the_links_is_not_held_out(graph, edges):
    """One video has half of all links: to hold it out would leave too little."""
    pairs = [(user, 0) for user in range(20)] + [(user, 1 + user) for user in range(20)]
    made = graph({"user": 20, "video": 21}, [edges("user/likes/video", pairs)])
    for seed in range(8):
        one = make(made, [LIKES], [], asked(), seed).links[LIKES]
        assert 0 in items(one, "train", "target")
        assert len(one.test) == 8


def test_copies_are_cold_together(graph, edges):
    pairs = [(user, video) for user in range(6) for video in range(12)]
    content = ["a", "a", "", "", "b", "a", *[""] * 5, "b"]
    made = graph({"user": 6, "video": 12}, [edges("user/likes/video", pairs)], content={"video": content})
    for seed in range(6):
        split = make(made, [LIKES], [], asked(test=0.3), seed)
        for part in ("train", "valid", "test"):
            there = items(split.links[LIKES], part, "target")
            assert len(there & {0, 1, 5}) in (0, 3)
            assert len(there & {4, 11}) in (0, 2)
        check(made, split, asked(test=0.3))


def test_whole_parents_are_cold(graph, edges):
    follows = Relation("segment", "follows", "segment")
    pairs = [(3 * video + i, 3 * video + i + 1) for video in range(10) for i in range(2)]
    parent = [video for video in range(10) for _ in range(3)]
    content = ["same" if item in (4, 20) else f"h{item}" for item in range(30)]  # videos 1 and 6 share a segment
    made = graph(
        {"segment": 30, "video": 10},
        [edges("segment/follows/segment", pairs)],
        parent={"segment": parent},
        content={"segment": content},
    )
    for seed in range(5):
        split = make(made, [follows], [], asked("parent", test=0.3), seed)
        one = split.links[follows]
        of_video = [{parent[item] for item in items(one, part, "both")} for part in ("train", "valid", "test")]
        assert all(of_video)
        assert sum(map(len, of_video)) == 10 == len(set.union(*of_video))
        assert all(len(part & {1, 6}) in (0, 2) for part in of_video)
        check(made, split, asked("parent", test=0.3))
    assert any("parents" in note for note in split.notes)


def test_parents_are_needed(graph, edges):
    made = graph({"user": 9, "video": 9}, [edges("user/likes/video", [(user, user) for user in range(9)])])
    with pytest.raises(SplitError, match="cold: parent needs items with parents; given: user/likes/video; take"):
        make(made, [LIKES], [], asked("parent"), 0)


def test_too_few_items(graph, edges):
    made = graph({"user": 9, "video": 2}, [edges("user/likes/video", [(user, user % 2) for user in range(9)])])
    wrong = (
        r"user/likes/video has too few items whose links could be held out \(video\); given: 2 for 3 splits; give more links"
    )
    with pytest.raises(SplitError, match=wrong):
        make(made, [LIKES], [], asked(), 0)
    assert len(make(made, [LIKES], [], asked("source"), 0).links[LIKES].test) == 2
    empty = graph({"user": 9, "video": 2}, [edges("user/likes/video", [])])
    with pytest.raises(SplitError, match=r"\(user and video\); given: 0 for 3 splits"):
        make(empty, [LIKES], [], asked("both"), 0)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_planted_link_of_a_cold_item_is_found(graph, edges, part):
    pairs = [(user, video) for user in range(8) for video in range(12)]
    made = graph({"user": 8, "video": 12}, [edges("user/likes/video", pairs)])
    split = make(made, [LIKES], [], asked(), 0)
    one = split.links[LIKES]
    moved = getattr(one, part)[0]  # this one link of a cold item is given away as a train link
    left = getattr(one, part)[1:]
    leaky = replace(one, **{part: left, "train": np.sort(np.append(one.train, moved))})
    seen = split.visible.with_edges({**split.visible.edges, LIKES: one.edges.take(leaky.train)})
    found = replace(split, links={LIKES: leaky}, visible=seen)
    with pytest.raises(
        LeakError, match=rf"a leak: 7 {part} links of user/likes/video join no cold item, though the split is cold"
    ):
        check(made, found, asked())
    check(made, found, SplitSettings())  # a random split may do that


def test_a_link_of_a_copy_of_a_cold_item_is_found(graph, edges):
    pairs = [(user, video) for user in range(8) for video in range(12)]
    made = graph({"user": 8, "video": 12}, [edges("user/likes/video", pairs)])
    split = make(made, [LIKES], [], asked(), 0)
    cold, known = (min(items(split.links[LIKES], part, "target")) for part in ("test", "train"))
    content = np.array([f"h{video}" for video in range(12)], dtype=object)
    content[cold] = content[known]
    told = replace(split, visible=replace(split.visible, content={"video": content}))
    with pytest.raises(LeakError, match="8 test links of user/likes/video join no cold item"):
        check(made, told, asked())


def test_what_test_asks_was_not_told_by_validation(graph, edges):
    pairs = [(user, video) for user in range(8) for video in range(12)]
    made = graph({"user": 8, "video": 12}, [edges("user/likes/video", pairs)])
    split = make(made, [LIKES], [], asked(), 0)
    one = split.links[LIKES]
    leaky = replace(one, test=one.test[1:], valid=np.sort(np.append(one.valid, one.test[0])))
    with pytest.raises(LeakError, match="a leak: 7 test links"):
        check(made, replace(split, links={LIKES: leaky}), asked())
