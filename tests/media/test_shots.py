"""Cuts and fades at known frames are found; what only moves is not cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from media_made import write_video

from mmgraph.media.pieces import merge_and_divide
from mmgraph.media.shots import fades, find_cuts

RATE = 25
COLOURS = [(200, 30, 30), (30, 30, 200), (30, 180, 30)]


def scene(seed: int, width: int = 400) -> np.ndarray:
    """A wide picture of soft patches, like a landscape."""
    patches = np.random.default_rng(seed).integers(20, 236, (4, width // 16, 3)).astype(np.float32)
    wide = np.repeat(np.repeat(patches, 12, 0), 16, 1)
    kernel = np.ones(9) / 9
    return np.apply_along_axis(lambda line: np.convolve(line, kernel, "same"), 1, wide)


A, B = scene(1), scene(2)


def view(picture: np.ndarray, left: int = 100) -> np.ndarray:
    return picture[:, left : left + 64]


def shown(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))


def cuts_of(tmp_path, frames, picture) -> list[float]:
    return find_cuts(write_video(tmp_path / "a.mp4", frames, rate=RATE, picture=lambda number: shown(picture(number))), 27.0)


def test_changes_of_colour_are_found_at_their_frames(tmp_path):
    flat = [np.full((48, 64, 3), colour) for colour in COLOURS]
    cuts = cuts_of(tmp_path, 90, lambda number: flat[(number >= 30) + (number >= 65)])
    np.testing.assert_allclose(cuts, [30 / RATE, 65 / RATE], atol=0.001)


def test_a_cut_between_moving_scenes_is_found_within_a_frame(tmp_path):
    cuts = cuts_of(tmp_path, 80, lambda number: view(A if number < 43 else B, 10 + number))
    np.testing.assert_allclose(cuts, [43 / RATE], atol=1 / RATE)


@pytest.mark.parametrize("level", [0, 16, 240, 255], ids=["black", "video black", "video white", "white"])
@pytest.mark.parametrize("held", [0, 10])
def test_a_fade_out_and_in_is_one_cut_where_nothing_is_seen(tmp_path, level, held):
    def picture(number: int) -> np.ndarray:
        away = abs(number - 50) - held / 2  # 20 frames out, `held` of nothing, 20 frames in
        share = np.clip(away / 20, 0, 1)
        return share * view(A if number < 50 else B) + (1 - share) * level

    cuts = cuts_of(tmp_path, 100, picture)
    assert len(cuts) == 1
    assert abs(cuts[0] - 50 / RATE) < 0.5


def test_a_cut_through_black_is_one_cut_in_its_middle(tmp_path):
    black = np.zeros((48, 64, 3))
    cuts = cuts_of(tmp_path, 90, lambda number: view(A) if number < 40 else view(B) if number >= 60 else black)
    assert cuts == pytest.approx([50 / RATE])


def test_fades_at_the_ends_are_no_cuts(tmp_path):
    def picture(number: int) -> np.ndarray:
        return np.clip(min(number, 74 - number) / 20, 0, 1) * view(A)

    assert cuts_of(tmp_path, 75, picture) == []


@pytest.mark.parametrize("frames", [4, 12, 25, 50])
def test_a_dissolve_is_at_most_one_cut(tmp_path, frames):
    def picture(number: int) -> np.ndarray:
        share = np.clip((number - 25) / frames, 0, 1)
        return (1 - share) * view(A) + share * view(B)

    assert len(cuts_of(tmp_path, 50 + frames, picture)) <= 1


@pytest.mark.parametrize("speed", [0, 1, 3])
def test_a_still_or_slowly_panning_camera_is_not_cut(tmp_path, speed):
    assert cuts_of(tmp_path, 80, lambda number: view(A, number * speed)) == []


def test_a_dark_scene_with_something_in_it_is_no_fade(tmp_path):
    def picture(number: int) -> np.ndarray:
        return view(A, number) * (0.12 + 0.03 * np.sin(number))

    assert cuts_of(tmp_path, 60, picture) == []


@pytest.mark.parametrize(("frames", "cuts"), [(1, []), (2, []), (5, [2 / RATE])])
def test_a_few_frames(tmp_path, frames, cuts):
    assert cuts_of(tmp_path, frames, lambda number: view(A if number < 2 else B)) == pytest.approx(cuts)


@given(arrays(bool, st.integers(0, 40)))
def test_fades_are_the_middles_of_stretches_between_seen_frames(flat):
    times = np.arange(len(flat)) * 0.5
    expected, start = [], None
    for index, nothing in enumerate(flat):  # the slow way
        if nothing and index and not flat[index - 1]:
            start = index
        if not nothing and start is not None:
            expected.append((times[start] + times[index]) / 2)
            start = None
    assert fades(flat, times) == expected


@pytest.mark.real
def test_real_videos_are_cut_where_they_are_joined(shared, tmp_path):
    """Two clips of different places in one file: one cut, at the join; and none within either, as both are single shots."""
    decord = pytest.importorskip("decord")
    frames = []
    for path in [next((shared / "data/videos/asl").glob("again.mkv")), shared / "data/videos/bottle-detection.mp4"]:
        reader = decord.VideoReader(str(path), width=64, height=48)
        frames.append(reader.get_batch(range(min(40, len(reader)))).asnumpy())
    joined = np.concatenate(frames)
    cuts = cuts_of(tmp_path, len(joined), lambda number: joined[number])
    assert np.abs(np.array(cuts) - len(frames[0]) / RATE).min() <= 1 / RATE
    pieces = merge_and_divide(cuts, len(joined) / RATE, 0.5, 10.0)
    assert (len(frames[0]) / RATE) in [pytest.approx(start, abs=1 / RATE) for start, _ in pieces]
