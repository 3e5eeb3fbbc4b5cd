from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import SplitError
from mmgraph.settings import LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.types import Relation

KNOWS, LIKES = Relation("user", "knows", "user"), Relation("user", "likes", "video")


def asked(method="random", **more):
    return SplitSettings(links=LinkSplitSettings(method=method, **more))


def parts(split):
    return {"train": split.train.tolist(), "valid": split.valid.tolist(), "test": split.test.tolist()}


def pairs_of(edges, positions):
    return list(zip(edges.source[positions].tolist(), edges.target[positions].tolist(), strict=True))


some_pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), unique=True, min_size=8, max_size=40)


@given(some_pairs, st.integers(0, 5), st.sampled_from([(0.1, 0.2), (0.0, 0.5), (0.4, 0.0), (0.3, 0.6)]))
@settings(max_examples=60, deadline=None)
def test_random_parts_are_disjoint_complete_and_repeatable(graph, edges, pairs, seed, shares):
    links = edges("user/knows/user", pairs)
    made = graph({"user": 8}, [links])
    unordered = {frozenset(pair) for pair in pairs}
    if len(unordered) < 3:
        return
    asking = asked(valid=shares[0], test=shares[1])
    split = make(made, [KNOWS], [], asking, seed)
    one = split.links[KNOWS]
    assert sorted(chain(*parts(one).values())) == list(range(len(pairs)))
    assert parts(make(made, [KNOWS], [], asking, seed).links[KNOWS]) == parts(one)
    sides = [{frozenset(pair) for pair in pairs_of(links, positions)} for positions in (one.train, one.valid, one.test)]
    assert sum(map(len, sides)) == len(unordered)  # both directions of a pair stand on one side
    assert [bool(side) for side in sides] == [True, *(share > 0 for share in shares)]
    assert pairs_of(links, np.arange(len(links))) == pairs
    assert pairs_of(split.visible.edges[KNOWS], slice(None)) == pairs_of(links, one.train)
    check(made, split, asking)


def test_shares_are_kept_and_seeds_differ(graph, edges):
    made = graph({"user": 20, "video": 20}, [edges("user/likes/video", [(i, j) for i in range(20) for j in range(10)])])
    split = make(made, [LIKES], [], asked(), 1).links[LIKES]
    assert [len(split.train), len(split.valid), len(split.test)] == [140, 20, 40]
    assert parts(make(made, [LIKES], [], asked(), 2).links[LIKES]) != parts(split)


def test_another_question_changes_no_answer(graph, edges):
    likes = edges("user/likes/video", [(i, i) for i in range(9)])
    knows = edges("user/knows/user", list(pairwise(range(9))))
    made = graph({"user": 9, "video": 9}, [likes, knows])
    alone = make(made, [LIKES], [], asked(), 3).links[LIKES]
    both = make(made, [KNOWS, LIKES], [], asked(), 3).links[LIKES]
    assert parts(alone) == parts(both)


def test_links_of_copies_stay_together(graph, edges):
    pairs = [(user, video) for user in range(6) for video in range(6)]
    likes = edges("user/likes/video", pairs)
    made = graph({"user": 6, "video": 6}, [likes], content={"video": ["a", "a", "", "", "b", "a"]})
    for seed in range(5):
        split = make(made, [LIKES], [], asked(), seed)
        one = split.links[LIKES]
        side = {position: name for name, positions in parts(one).items() for position in positions}
        for user in range(6):
            assert len({side[user * 6 + video] for video in (0, 1, 5)}) == 1
        check(made, split)


def test_too_few_links(graph, edges):
    for pairs, count in (([], 0), ([(0, 0)], 1), ([(0, 1), (1, 0), (1, 1)], 2)):
        made = graph({"user": 2}, [edges("user/knows/user", pairs)])
        with pytest.raises(SplitError, match=rf"user/knows/user has fewer links than splits; given: {count} for 3; give more"):
            make(made, [KNOWS], [], asked(), 0)
    made = graph({"user": 2}, [edges("user/knows/user", [(0, 0), (0, 1), (1, 1)])])
    assert [len(part) for part in parts(make(made, [KNOWS], [], asked(), 0).links[KNOWS]).values()] == [1, 1, 1]


def test_shares_must_leave_something(graph, edges):
    made = graph({"user": 2}, [edges("user/knows/user", [(0, 0), (0, 1), (1, 1)])])
    with pytest.raises(SplitError, match=r"shares that leave something for train; given: valid 0.5, test 0.5; lower them"):
        make(made, [KNOWS], [], asked(valid=0.5, test=0.5), 0)


@given(st.lists(st.integers(0, 12), min_size=6, max_size=30))
@settings(max_examples=60, deadline=None)
def test_time_holds_out_the_newest_and_what_is_newer_elsewhere(graph, edges, times):
    count = len(times)
    likes = edges("user/likes/video", [(i, i) for i in range(count)], time=np.array(times, np.float64))
    knows = edges("user/knows/user", list(pairwise(range(count))), time=np.arange(count - 1, dtype=np.float64) / 2)
    made = graph({"user": count, "video": count}, [likes, knows])
    try:
        split = make(made, [LIKES], [], asked("time"), 0)
    except SplitError as error:
        assert "fewer moments" in str(error)
        assert len(set(times)) < 3
        return
    one = split.links[LIKES]
    old, middle, new = (likes.time[positions] for positions in (one.train, one.valid, one.test))
    assert old.max() < middle.min()
    assert middle.max() < new.min()
    assert sorted(chain(*parts(one).values())) == list(range(count))
    seen = split.visible.edges[KNOWS].time
    assert seen.tolist() == [time for time in knows.time if time < middle.min()]
    check(made, split, asked("time"))


def test_time_takes_one_clock_for_all_and_the_older_of_two_directions(graph, edges):
    likes = edges("user/likes/video", [(i, i) for i in range(10)], time=np.arange(10.0))
    pairs = [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9)]
    knows = edges("user/knows/user", pairs, time=np.array([0.5, 9.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5]))
    made = graph({"user": 10, "video": 10}, [likes, knows])
    split = make(made, [LIKES, KNOWS], [], asked("time"), 0)
    assert parts(split.links[LIKES]) == {"train": [0, 1, 2, 3, 4, 5, 6], "valid": [7], "test": [8, 9]}
    assert {0, 1} <= set(split.links[KNOWS].train.tolist())
    assert (1, 0) not in pairs_of(split.visible.edges[KNOWS], slice(None))  # learnt, but not seen before its time
    assert "withheld" in " ".join(split.notes)
    check(made, split, asked("time"))


def test_links_between_segments_that_share_frames_are_spoken_of(graph, edges, caplog):
    caplog.set_level("INFO")
    pairs = [(i, i + 1) for i in range(9)]
    gaps = np.array([-0.5, -0.5, 0, 0, 0, 0, 0, np.nan, 0.5], np.float32)
    follows = edges("segment/follows/segment", pairs, gap_s=gaps, temporal=True)
    note = "2 of 9 segment/follows/segment join items that overlap in time: what they share tells the link"
    assert make(graph({"segment": 10}, [follows]), [follows.relation], [], asked(), 0).notes == (note,)
    assert note in caplog.text
    apart = edges("segment/follows/segment", pairs, gap_s=np.abs(gaps), temporal=True)
    assert make(graph({"segment": 10}, [apart]), [apart.relation], [], asked(), 0).notes == ()


def test_time_needs_times(graph, edges):
    pairs = [(i, i) for i in range(5)]
    for time, missing in ((None, 5), (np.array([1, 2, np.nan, 4, 5]), 1)):
        made = graph({"user": 5, "video": 5}, [edges("user/likes/video", pairs, time=time)])
        with pytest.raises(SplitError, match=rf"the time of every link of user/likes/video; given: {missing} of 5 have none"):
            make(made, [LIKES], [], asked("time"), 0)
    made = graph({"user": 5, "video": 5}, [edges("user/likes/video", pairs, time=np.ones(5))])
    with pytest.raises(SplitError, match=r"links have fewer moments than a split by time needs; given: 1 for 3"):
        make(made, [LIKES], [], asked("time"), 0)
    assert make(made, [], [], asked("time"), 0).links == {}
    likes = edges("user/likes/video", pairs, time=np.arange(5.0))
    knows = edges("user/knows/user", pairs, time=np.arange(5.0) - 9)
    with pytest.raises(
        SplitError, match=r"user/knows/user has no valid link in a split by time; given: from .* s; take other"
    ):
        make(graph({"user": 5, "video": 5}, [likes, knows]), [LIKES, KNOWS], [], asked("time"), 0)


def test_a_share_without_valid_or_test(graph, edges):
    made = graph({"user": 9, "video": 9}, [edges("user/likes/video", [(i, i) for i in range(9)], time=np.arange(9.0))])
    split = make(made, [LIKES], [], asked("time", valid=0.0, test=0.3), 0).links[LIKES]
    assert parts(split) == {"train": [0, 1, 2, 3, 4, 5], "valid": [], "test": [6, 7, 8]}
    split = make(made, [LIKES], [], asked("time", valid=0.3, test=0.0), 0).links[LIKES]
    assert parts(split) == {"train": [0, 1, 2, 3, 4, 5], "valid": [6, 7, 8], "test": []}


def test_given_is_honoured(graph, edges):
    pairs = [(i, i) for i in range(5)]
    likes = edges("user/likes/video", pairs, split=np.array([2, -1, 1, 0, 2], np.int8))
    split = make(graph({"user": 5, "video": 5}, [likes]), [LIKES], [], asked("given"), 0)
    assert parts(split.links[LIKES]) == {"train": [1, 3], "valid": [2], "test": [0, 4]}
    with pytest.raises(SplitError, match=r"the table gives no split of user/likes/video; fill links.split"):
        make(graph({"user": 5, "video": 5}, [edges("user/likes/video", pairs)]), [LIKES], [], asked("given"), 0)
    likes = edges("user/likes/video", pairs, split=np.array([2, -1, 0, 0, 2], np.int8))
    with pytest.raises(SplitError, match=r"the table gives no valid link of user/likes/video; mark some as valid"):
        make(graph({"user": 5, "video": 5}, [likes]), [LIKES], [], asked("given", valid=0.0), 0)
    every = edges("user/likes/video", pairs, split=np.zeros(5, np.int8))
    with pytest.raises(SplitError, match=r"the table gives no test link of user/likes/video; mark some as test"):
        make(graph({"user": 5, "video": 5}, [every]), [LIKES], [], asked("given"), 0)


def test_of_a_given_split_without_valid_links_some_of_train_are_drawn(graph, edges):
    pairs = [(i, j) for i in range(10) for j in range(5)]
    side = np.array([2 if number % 5 == 0 else 0 for number in range(50)], np.int8)
    made, asking = graph({"user": 10, "video": 5}, [edges("user/likes/video", pairs, split=side)]), asked("given", valid=0.1)
    split = make(made, [LIKES], [], asking, 3)
    one = split.links[LIKES]
    assert one.test.tolist() == np.flatnonzero(side == 2).tolist() and len(one.valid) == 4
    assert sorted([*one.train, *one.valid]) == np.flatnonzero(side == 0).tolist()
    assert len(split.visible.edges[LIKES]) == 36
    assert "4 train links of user/likes/video are valid ones, drawn by chance: the table gives none" in split.notes
    assert make(made, [LIKES], [], asking, 3).links[LIKES].valid.tolist() == one.valid.tolist()
    assert make(made, [LIKES], [], asking, 4).links[LIKES].valid.tolist() != one.valid.tolist()


def test_unknown_relation_names_the_near_ones(graph, edges):
    made = graph({"user": 3}, [edges("user/knows/user", [(0, 1)])])
    with pytest.raises(
        SplitError, match=r"no such relation to predict; given: user/know/user; did you mean user/knows/user\?"
    ):
        make(made, [Relation("user", "know", "user")], [], asked(), 0)


def test_what_is_derived_leaves_too(graph, edges):
    chain = [(i, i + 1) for i in range(19)]
    knows = edges("user/knows/user", chain)
    turned = edges("user/known_by/user", [(t, s) for s, t in chain], derived_from=(KNOWS,))
    again = edges("user/kin/user", chain, derived_from=(turned.relation,))
    other = edges("video/shared/video", [(0, 1)], derived_from=(KNOWS,))
    free = edges("user/near/user", chain[:3])
    made = graph({"user": 20, "video": 2}, [knows, turned, again, other, free])
    split = make(made, [KNOWS], [], asked(), 0)
    train = set(pairs_of(knows, split.links[KNOWS].train))
    seen = {relation.name: pairs_of(one, slice(None)) for relation, one in split.visible.edges.items()}
    assert set(seen["knows"]) == set(seen["kin"]) == {(s, t) for t, s in seen["known_by"]} == train
    assert (seen["shared"], len(seen["near"])) == ([], 3)
    assert [note.split(" left")[0] for note in split.notes] == [
        "6 of 19 user/known_by/user",
        "6 of 19 user/kin/user",
        "1 of 1 video/shared/video",
    ]
    check(made, split)
