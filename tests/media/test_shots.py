"""Cutting: pieces cover the whole, in order, within bounds where that is possible."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_made import write_video

from mmgraph.media.shots import find_cuts, merge_and_divide, windows

TIMES = st.floats(0.001, 1000, allow_nan=False)


def covers(pieces, duration) -> None:
    assert pieces[0][0] == 0.0
    assert pieces[-1][1] == duration
    assert all(start < end for start, end in pieces)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))


@given(st.lists(TIMES, max_size=30), TIMES, st.floats(0.5, 5), st.floats(0, 10))
def test_shots_cover_the_whole_within_bounds(cuts, duration, min_s, more):
    max_s = min_s + more
    pieces = merge_and_divide(cuts, duration, min_s, max_s)
    covers(pieces, duration)
    lengths = np.array([end - start for start, end in pieces])
    assert lengths.max() <= max_s * (1 + 1e-6)
    if max_s >= 2 * min_s and duration >= min_s:
        assert lengths.min() >= min_s * (1 - 1e-6)
    inside = {start for start, _ in pieces[1:]}
    kept = [cut for cut in cuts if cut in inside]
    if more >= duration:  # nothing is divided: every edge is a cut
        assert len(set(kept)) == len(inside)


@given(TIMES, st.floats(0.5, 5), st.floats(0, 10))
def test_windows_cover_the_whole_within_bounds(duration, min_s, more):
    max_s = min_s + more
    pieces = windows(duration, min_s, max_s)
    covers(pieces, duration)
    lengths = np.array([end - start for start, end in pieces])
    assert np.allclose(lengths[:-1], max_s)
    assert lengths[-1] < max_s + min_s + 1e-6
    if duration >= min_s:
        assert lengths.min() >= min_s * (1 - 1e-6)


@pytest.mark.parametrize("cut", [windows, lambda *bounds: merge_and_divide([1.0], *bounds)])
def test_no_length_no_pieces(cut):
    assert cut(0.0, 2.0, 10.0) == []
    assert cut(0.04, 2.0, 10.0) == [(0.0, 0.04)]


def test_short_shots_join_the_next_and_the_last_the_one_before():
    assert merge_and_divide([5.0, 5.5, 9.5], 10.0, 2.0, 10.0) == [(0.0, 5.0), (5.0, 10.0)]


def test_cuts_are_not_changed():
    cuts = [7.0, 3.0]
    assert merge_and_divide(cuts, 9.0, 1.0, 10.0) == [(0.0, 3.0), (3.0, 7.0), (7.0, 9.0)]
    assert cuts == [7.0, 3.0]


def test_the_change_of_colour_is_found(tmp_path):
    colours = [(200, 30, 30), (30, 30, 200), (30, 180, 30)]

    def picture(number: int) -> np.ndarray:
        return np.full((48, 64, 3), colours[(number >= 30) + (number >= 65)], np.uint8)

    cuts = find_cuts(write_video(tmp_path / "a.mp4", 90, picture=picture), 27.0)
    np.testing.assert_allclose(cuts, [30 / 25, 65 / 25], atol=0.001)


def test_a_video_of_one_colour_has_no_cuts(tmp_path):
    still = np.full((48, 64, 3), 90, np.uint8)
    assert find_cuts(write_video(tmp_path / "a.mp4", 30, picture=lambda _: still), 27.0) == []
