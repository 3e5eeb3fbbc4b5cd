"""Frames at asked times."""

import tracemalloc

import av
import numpy as np
import pytest
from media_made import grey, turn, write_long, write_video

from mmgraph.errors import MediaError
from mmgraph.media import container, pictures, video
from mmgraph.media.clip import Frames, Source, Span
from mmgraph.media.container import timeline
from mmgraph.media.decode import decode, probe
from mmgraph.media.pictures import fitted
from mmgraph.media.video import Video, nearest
from mmgraph.settings import MediaSettings

SETTINGS = MediaSettings()
CONTAINERS = ["plain.mp4", "plain.mkv", "plain.ts", "plain.avi"]


def shown(frames: Frames) -> list[int]:
    """Which frame each picture is, by its grey (decoders give it one or two levels darker)."""
    levels = np.array([grey(number) for number in range(50)])
    return [int(np.abs(levels - value - 1).argmin()) for value in frames.pixels.mean((1, 2, 3))]


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_frame_shown_is_within_half_a_frame_of_the_time(made, name):
    wanted = np.array([0.0, 0.31, 0.5, 0.81, 1.33, 1.9])
    order = timeline(made / name).times_s
    wanted = wanted + order[0]  # a transport stream begins with the lead-in of its sound
    frames = Video(made / name).at(wanted)
    assert np.abs(np.array(frames.times_s) - wanted).max() <= 0.021
    np.testing.assert_array_equal(shown(frames), np.searchsorted(order, np.array(frames.times_s) - 1e-6))


@pytest.mark.parametrize("name", ["plain.mp4", "plain.mkv"])
def test_another_reader_agrees(made, name):
    decord = pytest.importorskip("decord")
    wanted = np.arange(0, 50, 6)
    reader = decord.VideoReader(str(made / name), num_threads=1)
    theirs = reader.get_batch(wanted).asnumpy()
    ours = Video(made / name).at(reader.get_frame_timestamp(wanted)[:, 0].astype(float))
    assert np.abs(ours.pixels.astype(int) - theirs).max() <= 3


GROUPS = {
    "h264.mp4": ("libx264", {"g": "12", "crf": "5"}),
    "open.mkv": ("libx264", {"x264-params": "keyint=12:open-gop=1:bframes=3:crf=5"}),
    "h264.ts": ("libx264", {"g": "12", "crf": "5"}),
    "h264.avi": ("libx264", {"g": "12", "crf": "5"}),
    "xvid.avi": ("mpeg4", {"bf": "2", "b": "20M"}),
    "xvid.mp4": ("mpeg4", {"bf": "2", "b": "20M"}),
    "vp9.webm": ("libvpx-vp9", {"g": "12", "b": "2M", "deadline": "realtime"}),
    "mpeg2.ts": ("mpeg2video", {"bf": "2", "b": "20M"}),
}


def numbered(number: int) -> np.ndarray:
    pixels = np.empty((48, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = 20 + 25 * (number // 27), 20 + 8 * (number % 27)
    return pixels


def number_of(pixels: np.ndarray) -> list[int]:
    left, right = (pixels[:, :, part].mean((1, 2, 3)) - 20 for part in (slice(4, 28), slice(36, 60)))
    return (np.round(left / 25) * 27 + np.round(right / 8)).astype(int).tolist()


@pytest.mark.parametrize("name", GROUPS)
def test_any_frames_in_any_order_of_asking(tmp_path, name):
    """decord, asked like this, gives wrong frames of open.mkv and xvid.mp4."""
    codec, options = GROUPS[name]
    path = write_video(tmp_path / name, 120, codec=codec, options=options, picture=numbered)
    draw = np.random.default_rng(7)
    opened = Video(path)
    times = opened.line.times_s
    np.testing.assert_allclose(times, np.arange(120) / 25, atol=0.0011)
    for turn_of in range(24):
        wanted = np.sort(draw.choice(120, 4, replace=False)) if turn_of % 2 else draw.integers(108) + 3 * np.arange(4)
        frames = opened.at(times[wanted])
        assert number_of(frames.pixels) == wanted.tolist()
        assert frames.times_s == tuple(times[wanted].tolist())
    assert [number for _, pixels in opened.blocks() for number in number_of(pixels)] == list(range(120))


def test_a_whole_video_gives_evenly_spaced_frames(made):
    clip = decode(Source("a", made / "silent.mp4"), "image", SETTINGS)
    assert isinstance(clip, Frames)
    assert clip.pixels.shape == (4, 48, 64, 3)
    assert clip.pixels.dtype == np.uint8
    np.testing.assert_allclose(clip.times_s, [0.25, 0.75, 1.25, 1.75], atol=0.0201)


def test_a_span_gives_frames_from_inside_it_only(made):
    clip = decode(Source("a", made / "silent.mp4", Span(0.8, 0.92)), "image", SETTINGS)
    assert isinstance(clip, Frames)
    np.testing.assert_allclose(clip.times_s, [0.80, 0.84, 0.88])
    assert shown(clip) == [20, 21, 22]


def test_one_frame(made):
    clip = decode(Source("a", made / "one.mp4"), "image", SETTINGS)
    assert isinstance(clip, Frames)
    assert clip.pixels.shape[0] == 1
    assert probe(made / "one.mp4").frames == 1
    assert probe(made / "one.mp4").duration_s == pytest.approx(0.04)


def test_a_span_behind_the_end(made):
    with pytest.raises(MediaError, match=r"the pictures end at 2.00 s, before 5.00 s; given: .*silent.mp4"):
        decode(Source("a", made / "silent.mp4", Span(5.0, 6.0)), "image", SETTINGS)


def test_turned_videos_come_upright(tmp_path):
    def left_is_bright(_: int) -> np.ndarray:
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[:, :32] = 220
        return pixels

    path = turn(write_video(tmp_path / "a.mp4", 5, picture=left_is_bright), tmp_path / "turned.mp4")
    for longest in (1024, 32):
        (pixels,) = Video(path, longest).at(np.array([0.0])).pixels
        assert pixels.shape == ((64, 48, 3) if longest == 1024 else (32, 24, 3))
        half = len(pixels) // 2
        assert pixels[: half - 2].mean() > 180  # a quarter clockwise: what was left is above
        assert pixels[half + 2 :].mean() < 40


@pytest.mark.parametrize("name", ["plain.ts", "plain.mkv"])
def test_frames_are_found_where_a_seek_lands_behind_them(made, name):
    clip = decode(Source("a", made / name, Span(0.5, 1.5)), "image", SETTINGS)
    assert isinstance(clip, Frames)
    first = timeline(made / name).times_s[0]
    wanted = np.round((np.array(clip.times_s) - first) * 25)
    np.testing.assert_array_equal(shown(clip), wanted)


def test_frames_far_from_each_other(made, monkeypatch):
    monkeypatch.setattr(pictures, "_REORDERED", 2)
    frames = Video(made / "plain.mp4").at(np.array([0.0, 0.8, 0.84, 1.96]))
    assert shown(frames) == [0, 20, 21, 49]


def test_damaged_times_are_refused(made, monkeypatch):
    monkeypatch.setattr(container, "_LONGEST_S", 1.5)
    container._timeline.cache_clear()
    with pytest.raises(MediaError, match=r"its times are damaged: it would last 2 s; given: .*silent.mp4"):
        probe(made / "silent.mp4")


def test_large_frames_are_shrunk(tmp_path):
    path = write_video(tmp_path / "wide.mp4", 2, size=(1280, 64))
    assert Video(path).at(np.array([0.0])).pixels.shape == (1, 51, 1024, 3)


def test_all_frames_in_blocks(made, monkeypatch):
    monkeypatch.setattr(video, "_BLOCK", 16)
    blocks = list(Video(made / "plain.mkv", 32).blocks())
    assert [len(times) for times, _ in blocks] == [16, 16, 16, 2]
    pixels = np.concatenate([block for _, block in blocks])
    assert shown(Frames(pixels)) == list(range(50))
    np.testing.assert_allclose(np.concatenate([times for times, _ in blocks]), np.arange(50) / 25, atol=0.002)


def test_nearest_and_fitted():
    assert nearest(np.array([5.0]), np.array([0.0, 9.0])).tolist() == [0]
    assert fitted(5000, 1, 100) == (100, 1)


@pytest.mark.real
def test_the_real_videos_decode(shared):
    for path in sorted((shared / "data/videos").glob("*.*[4i]"))[:8]:
        if path.suffix not in (".mp4", ".avi"):
            continue
        info = probe(path)
        clip = decode(Source("a", path, Span(1.0, 3.0)), "image", SETTINGS)
        assert isinstance(clip, Frames)
        assert clip.pixels.shape[0] == 4
        np.testing.assert_allclose(clip.times_s, [1.25, 1.75, 2.25, 2.75], atol=0.06)
        assert info.duration_s > 3


def test_a_long_video_takes_little_memory(tmp_path):
    path = write_long(tmp_path / "a.mkv", 0.2)
    tracemalloc.start()
    try:
        found = probe(path)
        retained, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.frames == 18_000
    assert retained < 20 * found.frames  # two numbers a frame
    assert peak < 100 * found.frames
    clip = decode(Source("a", path, Span(699.98, 700.1)), "image", SETTINGS)
    assert isinstance(clip, Frames)
    assert clip.times_s == pytest.approx((700.0, 700.04, 700.08))
    assert (clip.pixels.mean((1, 2, 3)) > 128).tolist() == [True, False, False]


@pytest.mark.real
def test_the_real_videos_agree_with_decoding_all_of_them(shared):
    """Slow and obvious: every frame of the file in order, and of these the one nearest to the time."""
    paths = sorted(path for path in (shared / "data/videos").rglob("*") if path.suffix in (".mp4", ".avi", ".mkv"))
    draw = np.random.default_rng(3)
    assert len(paths) > 20
    for path in paths[::3]:
        wanted = np.sort(draw.uniform(0.0, min(probe(path).duration_s, 12.0), 5))
        times, pixels = decoded_in_order(path, until_s=13.0)
        for time in wanted:
            frames = Video(path).at(np.array([time]))
            nearest_one = int(np.abs(times - time).argmin())
            assert frames.times_s[0] == pytest.approx(times[nearest_one], abs=1e-6)
            assert np.abs(frames.pixels[0].astype(int) - pixels[nearest_one]).max() <= 1


def decoded_in_order(path, until_s: float) -> tuple[np.ndarray, list[np.ndarray]]:
    times, pixels = [], []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            times.append(frame.time)
            pixels.append(frame.to_ndarray(format="rgb24"))
            if frame.time > until_s:
                break
        if path.suffix == ".avi":  # its frames carry no times that hold
            return np.arange(len(pixels)) / float(file.streams.video[0].average_rate), pixels
        return np.array(times) - (file.start_time or 0) / av.time_base, pixels
