import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import SplitError
from mmgraph.settings import LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.types import Relation

LIKES = Relation("user", "likes", "video")
some_pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), unique=True, min_size=15, max_size=90)


def asked(method, **more):
    return SplitSettings(links=LinkSplitSettings(method=method, **more))


def sides_of(split):
    side = np.zeros(len(split.edges), int)
    side[split.valid], side[split.test] = 1, 2
    return side


@given(some_pairs, st.integers(0, 5), st.sampled_from([(0.1, 0.2), (0.0, 0.5), (0.4, 0.0), (0.3, 0.6), (0.0, 0.95)]))
@settings(max_examples=60, deadline=None)
def test_a_share_of_each_users_links_is_held_out(graph, edges, pairs, seed, shares):
    links = edges("user/likes/video", pairs)
    made = graph({"user": 6, "video": 31}, [links])
    asking = asked("per_user", valid=shares[0], test=shares[1])
    split = make(made, [LIKES], [], asking, seed)
    side = sides_of(split.links[LIKES])
    np.testing.assert_array_equal(side, sides_of(make(made, [LIKES], [], asking, seed).links[LIKES]))
    for user in range(5):
        own = side[links.source == user]
        if len(own) < 3:
            assert not own.any()
            continue
        test = min(max(round(len(own) * shares[1]), 1), len(own) - 1) if shares[1] else 0
        valid = min(max(round(len(own) * shares[0]), 1) if shares[0] else 0, len(own) - 1 - test)
        assert [(own == part).sum() for part in (1, 2)] == [valid, test]
        assert (own == 0).any()
    check(made, split, asking)
    assert any("1 of 6 user have no user/likes/video at all" in note for note in split.notes) == (len(set(links.source)) == 5)


@given(some_pairs, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_the_last_link_of_each_user_is_asked(graph, edges, pairs, seed):
    time = np.random.default_rng(seed).integers(20, size=len(pairs)).astype(float)
    links = edges("user/likes/video", pairs, time=time)
    split = make(graph({"user": 5, "video": 31}, [links]), [LIKES], [], asked("leave_last"), seed)
    side = sides_of(split.links[LIKES])
    for user in range(5):
        own = [place for place in range(len(pairs)) if links.source[place] == user]
        in_time = sorted(own, key=lambda place: (time[place], place))
        wanted = [0] * (len(own) - 2) + [1, 2] if len(own) >= 3 else [0] * len(own)
        assert side[in_time].tolist() == wanted
    assert not any("older" in note for note in split.notes)


def test_without_a_share_only_the_other_is_held_out(graph, edges):
    links = edges("user/likes/video", [(0, i) for i in range(5)], time=np.arange(5.0))
    made = graph({"user": 1, "video": 5}, [links])
    split = make(made, [LIKES], [], asked("leave_last", valid=0.0), 1).links[LIKES]
    assert sides_of(split).tolist() == [0, 0, 0, 0, 2]


def test_copies_of_an_item_leave_together_or_not_at_all(graph, edges):
    links = edges("user/likes/video", [(u, i) for u in range(4) for i in range(6)])
    made = graph({"user": 4, "video": 6}, [links], content={"video": ["same", "same", "a", "b", "c", "d"]})
    for seed in range(10):
        split = make(made, [LIKES], [], asked("per_user", valid=0.2, test=0.3), seed)
        side = sides_of(split.links[LIKES]).reshape(4, 6)
        assert (side[:, 0] == side[:, 1]).all()
        check(made, split)


def test_users_with_few_links_are_said(graph, edges):
    links = edges("user/likes/video", [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)])
    split = make(graph({"user": 4, "video": 3}, [links]), [LIKES], [], asked("per_user"), 1)
    assert "1 of 4 user have fewer than 3 user/likes/video, which all stay in train" in split.notes
    assert "2 of 4 user have no user/likes/video at all: nobody asks what they would want" in split.notes


def test_times_that_run_backwards_are_said(graph, edges):
    pairs, time = [(0, 0), (0, 1), (1, 0), (1, 1)], np.array([5.0, 1.0, 1.0, 5.0])
    links = edges("user/likes/video", pairs, time=time, split=np.array([0, 1, 0, 2], np.int8))
    split = make(graph({"user": 2, "video": 2}, [links]), [LIKES], [], asked("given"), 1)
    assert "1 of 2 held-out user/likes/video are older than what is shown of the same source" in split.notes
    pairs, time = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)], np.array([1.0, 9.0, 5.0, 2.0, 3.0])
    links = edges("user/likes/video", pairs, time=time, split=np.array([0, 1, 2, 1, 2], np.int8))
    split = make(graph({"user": 2, "video": 3}, [links]), [LIKES], [], asked("given"), 1)
    assert split.notes == ("1 of 2 test user/likes/video are older than a valid one of the same source",)


@pytest.mark.parametrize(
    ("method", "data", "wrong"),
    [
        ("leave_last", {}, "leave_last needs the time of every link of user/likes/video; given: 3 of 3 have none"),
        ("leave_last", {"time": np.array([1.0, np.nan, 2.0])}, "given: 1 of 3 have none"),
        ("per_user", {}, "no source of user/likes/video has 3 links, so all would be in train"),
    ],
)
def test_what_cannot_be_split_user_by_user(graph, edges, method, data, wrong):
    links = edges("user/likes/video", [(0, 0), (1, 1), (2, 2)], **data)
    with pytest.raises(SplitError, match=wrong):
        make(graph({"user": 3, "video": 3}, [links]), [LIKES], [], asked(method), 1)
