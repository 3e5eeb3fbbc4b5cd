"""Pieces cover the whole, in order, within bounds where that is possible."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.media.pieces import by_cues, merge_and_divide, windows

TIMES = st.floats(0.001, 1000, allow_nan=False)
CUES = st.lists(st.tuples(st.floats(-5, 300), st.floats(0.01, 20)), max_size=30)


def covers(pieces, duration) -> None:
    assert pieces[0][0] == 0.0
    assert pieces[-1][1] == duration
    assert all(start < end for start, end in pieces)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))


def within(pieces, duration, min_s, max_s) -> None:
    lengths = np.array([end - start for start, end in pieces])
    assert lengths.max() <= max_s * (1 + 1e-6)
    if max_s >= 2 * min_s and duration >= min_s:
        assert lengths.min() >= min_s * (1 - 1e-6)


@given(st.lists(TIMES, max_size=30), TIMES, st.floats(0.5, 5), st.floats(0, 10))
def test_shots_cover_the_whole_within_bounds(cuts, duration, min_s, more):
    max_s = min_s + more
    pieces = merge_and_divide(cuts, duration, min_s, max_s)
    covers(pieces, duration)
    within(pieces, duration, min_s, max_s)
    inside = {start for start, _ in pieces[1:]}
    kept = [cut for cut in cuts if cut in inside]
    if more >= duration:  # nothing is divided: every edge is a cut
        assert len(set(kept)) == len(inside)


@given(TIMES, st.floats(0.5, 5), st.floats(0, 10))
def test_windows_cover_the_whole_within_bounds(duration, min_s, more):
    max_s = min_s + more
    pieces = windows(duration, min_s, max_s)
    covers(pieces, duration)
    within(pieces, duration, min_s, max_s)
    assert np.allclose([end - start for start, end in pieces[:-2]], max_s)


@given(TIMES, st.floats(0.5, 5), st.floats(0, 10), st.floats(0, 0.9))
def test_overlapping_windows_share_what_was_asked(duration, min_s, more, share):
    max_s = min_s + more
    overlap = share * max_s
    pieces = windows(duration, min_s, max_s, overlap)
    assert pieces[0][0] == 0.0
    assert pieces[-1][1] == duration
    starts, ends = np.array(pieces).T
    assert (np.diff(starts) > 0).all()
    assert (np.diff(ends) > 0).all()
    np.testing.assert_allclose(ends[:-1] - starts[1:], overlap, atol=1e-6)
    within(pieces, duration, min_s, max_s)


def test_overlapping_windows_are_exact():
    assert windows(10.0, 1.0, 4.0, 2.0) == [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (6.0, 10.0)]
    assert windows(11.0, 3.0, 4.0, 2.0) == [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (6.0, 10.0), (8.0, 11.0)]
    assert windows(10.5, 3.0, 4.0, 2.0) == [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (6.0, 9.25), (7.25, 10.5)]
    assert windows(3.0, 1.0, 4.0, 2.0) == [(0.0, 3.0)]


@pytest.mark.parametrize(
    "cut",
    [windows, lambda *bounds: merge_and_divide([1.0], *bounds), lambda *bounds: [one[:2] for one in by_cues([], *bounds)]],
)
def test_no_length_no_pieces(cut):
    assert cut(0.0, 2.0, 10.0) == []
    assert cut(0.04, 2.0, 10.0) == [(0.0, 0.04)]


def test_short_shots_join_the_next_and_the_last_the_one_before():
    assert merge_and_divide([5.0, 5.5, 9.5], 10.0, 2.0, 10.0) == [(0.0, 5.0), (5.0, 10.0)]


def test_cuts_are_not_changed():
    cuts = [7.0, 3.0]
    assert merge_and_divide(cuts, 9.0, 1.0, 10.0) == [(0.0, 3.0), (3.0, 7.0), (7.0, 9.0)]
    assert cuts == [7.0, 3.0]


@given(CUES, TIMES, st.floats(0.5, 5), st.floats(0, 10))
def test_pieces_by_cues_cover_the_whole_and_say_everything(cues, duration, min_s, more):
    max_s = min_s + more
    spoken = [(start, start + length, f"w{number}") for number, (start, length) in enumerate(cues)]
    pieces = by_cues(spoken, duration, min_s, max_s)
    times = [(start, end) for start, end, _ in pieces]
    covers(times, duration)
    within(times, duration, min_s, max_s)
    for start, end, said in spoken:
        holding = [piece for piece in pieces if said in piece[2].split("\n")]
        assert bool(holding) == (start < duration and end > 0)
        assert all(begun < end and done > start for begun, done, _ in holding)


@given(CUES, TIMES, st.floats(0.5, 5))
def test_a_long_silence_is_a_piece_of_its_own(cues, duration, min_s):
    spoken = [(start, start + length, "word") for start, length in cues]
    pieces = by_cues(spoken, duration, min_s, 1e6)
    for start, end, said in pieces:
        for begun, stop, _ in [] if said else spoken:  # less than half of it is said there, and less than half of it filled
            begun, stop = max(begun, 0.0), min(stop, duration)
            assert 2 * (min(stop, end) - max(begun, start)) <= min(stop - begun, end - start) + 1e-6
    reach = 0.0
    for begun, stop, _ in [*sorted(spoken), (duration, duration, "")]:
        short_rest = 0 < duration - begun < min_s  # too short for a piece at the very end, so it joins the silence
        if min(begun, duration) - reach > 3 * min_s and not short_rest:
            assert any(not said and start < begun and end > reach for start, end, said in pieces)
        reach = max(reach, stop)


def test_cues_exactly():
    cues = [(1.0, 3.0, "one"), (3.1, 4.0, "two"), (9.0, 9.5, "three"), (30.0, 52.0, "song")]
    assert by_cues(cues, 60.0, 2.0, 10.0) == [
        (0.0, 3.1, "one"),
        (3.1, 5.1, "two"),
        (5.1, 9.0, ""),
        (9.0, 11.0, "three"),
        (11.0, 20.5, ""),
        (20.5, 30.0, ""),
        (30.0, 30.0 + 22 / 3, "song"),
        (30.0 + 22 / 3, 30.0 + 44 / 3, "song"),
        (30.0 + 44 / 3, 52.0, "song"),
        (52.0, 60.0, ""),
    ]


def test_cues_outside_the_video_and_cues_said_twice():
    cues = [(-3.0, -1.0, "before"), (-1.0, 1.0, "early"), (4.0, 6.0, "late"), (4.0, 6.0, "late"), (9.0, 12.0, "after")]
    assert by_cues(cues, 5.0, 1.0, 10.0) == [(0.0, 1.0, "early"), (1.0, 4.0, ""), (4.0, 5.0, "late")]
