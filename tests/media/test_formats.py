"""Every format and oddity of the table in docs/formats.md: read right, or quarantined with a reason a person can act on.

Frames tell by their grey which they are, sounds begin at a known moment; what is read is held against what was written.
"""

import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from media_made import ONSET_S, levels, tone, turn_by, write_frames, write_sound, write_video
from PIL import Image

from mmgraph.media.clip import Frames, Sound, Source, Span, Words
from mmgraph.media.container import timeline
from mmgraph.media.decode import decode, probe
from mmgraph.media.examine import examine
from mmgraph.media.video import Video
from mmgraph.settings import MediaSettings

SETTINGS = MediaSettings()
EVEN = tuple(range(20))
VARIABLE = (0, 1, 2, 5, 6, 7, 12, 13, 20, 21, 22, 23, 30, 31, 33, 34)


@dataclass(frozen=True)
class Moving:
    """A video to be written; ``missing``: encoders that not every build of PyAV has."""

    name: str
    ticks: tuple[int, ...] = EVEN
    base: Fraction = Fraction(1, 25)
    more: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""


def moving(
    name: str, ticks: tuple[int, ...] = EVEN, base: Fraction = Fraction(1, 25), skipped: str = "", **more: Any
) -> Moving:
    return Moving(name, ticks, base, more, skipped)


VP9, ALPHA = {"codec": "libvpx-vp9"}, {"see_through": True}
SMALL_AV1 = {"codec": "libsvtav1", "size": (64, 64), "options": {"preset": "12", "svtav1-params": "lp=1"}}
HEVC = {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=none", "preset": "ultrafast"}}
MOVING = [
    moving("h264.mp4"),
    moving("h264.mov"),
    moving("h264.mkv"),
    moving("h264.ts"),
    moving("b-frames.avi"),
    moving("hevc.mp4", **HEVC),
    moving("mpeg4.avi", codec="mpeg4", options={"b": "20M", "qmax": "2"}),
    moving("mjpeg.avi", codec="mjpeg", pixels="yuvj420p"),
    moving("raw.avi", codec="rawvideo", pixels="bgr24"),
    moving("mpeg2.ts", codec="mpeg2video"),
    moving("vp8.webm", codec="libvpx"),
    moving("vp9.webm", **VP9),
    moving("av1.webm", **SMALL_AV1),
    moving("av1.mp4", **SMALL_AV1),
    moving("moving.gif", tuple(range(0, 80, 4)), Fraction(1, 100), codec="gif", pixels="gray"),
    moving("uneven.gif", tuple(4 * tick for tick in VARIABLE), Fraction(1, 100), codec="gif", pixels="gray"),
    moving("variable.mp4", VARIABLE),
    moving("variable.mkv", VARIABLE),
    moving("variable.ts", VARIABLE),
    moving("variable.webm", VARIABLE, **VP9),
    moving("slow.mp4", (0, 5, 11), Fraction(1, 1)),
    moving("late.mp4", tuple(range(50, 70))),
    moving("10 bit h264.mp4", pixels="yuv420p10le"),
    moving("10 bit hevc.mkv", pixels="yuv420p10le", **HEVC),
    moving("10 bit av1.mp4", pixels="yuv420p10le", **SMALL_AV1),
    moving("10 bit.mov", codec="prores_ks", pixels="yuv422p10le"),
    moving("10 bit vp9.webm", pixels="yuv420p10le", skipped="the wheel's libvpx-vp9 writes 8 bits only", **VP9),
    moving("odd.webm", size=(65, 47), **VP9),
    moving("odd.mp4", size=(65, 47), pixels="yuv444p"),
    moving("odd.avi", size=(65, 47), codec="mjpeg", pixels="yuvj420p"),
    moving("1x1.webm", size=(1, 1), **VP9),
    moving("1x1.mov", size=(1, 1), codec="png", pixels="rgb24"),
    moving("2x2.mp4", size=(2, 2)),
    moving("grey.avi", codec="mjpeg", pixels="yuvj420p"),
    moving("grey.mov", codec="png", pixels="gray"),
    moving("16 bit grey.mkv", codec="ffv1", pixels="gray16le"),
    moving("alpha.webm", pixels="yuva420p", **VP9, **ALPHA),
    moving("alpha vp8.webm", codec="libvpx", pixels="yuva420p", options={"auto-alt-ref": "0"}, **ALPHA),
    moving("alpha qtrle.mov", codec="qtrle", pixels="argb", **ALPHA),
    moving("alpha prores.mov", codec="prores_ks", pixels="yuva444p10le", options={"profile": "4444"}, **ALPHA),
    moving("alpha png.mov", codec="png", pixels="rgba", **ALPHA),
    moving("one frame.mp4", (0,)),
    moving("ein Ü ∞ 漢字 name.mp4"),
    moving("no ending"),
    moving("wrong ending.jpg"),
]


def written(row: Moving, folder: Path) -> Path:
    if row.skipped:
        pytest.skip(row.skipped)
    path = folder / row.name
    if path.suffix in (".jpg", ""):
        return write_frames(folder / "a.mp4", row.ticks, base=row.base, **row.more).rename(path)
    return write_frames(path, row.ticks, base=row.base, **row.more)


def which(frames: Frames, count: int) -> list[int]:
    """Which frame each picture is, by the grey of its right half."""
    width = frames.pixels.shape[2]
    seen = frames.pixels[:, :, width * 3 // 4 :].mean((1, 2, 3))
    numbers = np.abs(levels(count)[:, None] - seen).argmin(0)
    assert np.abs(levels(count)[numbers] - seen).max() < 3.9, "a level between two frames"
    return [int(number) for number in numbers]


@pytest.mark.parametrize("row", MOVING, ids=lambda row: row.name)
def test_every_frame_at_its_time(tmp_path, row):
    path = written(row, tmp_path)
    truth = (np.array(row.ticks) - row.ticks[0]) * float(row.base)
    opened = Video(path)
    np.testing.assert_allclose(opened.line.times_s, truth, atol=0.001)
    for number, time in enumerate(truth):
        near = opened.at(np.array([time]))
        assert which(near, len(truth)) == [number]
        assert near.times_s[0] == pytest.approx(time, abs=0.001)
    width, height = row.more.get("size", (64, 48))
    assert near.pixels.shape == (1, height, width, 3)
    if "see_through" in row.more:
        assert near.pixels[:, :, : width // 2 - 4].min() > 250
    every = [number for times, pixels in opened.blocks() for number in which(Frames(pixels), len(truth))]
    assert every == list(range(len(truth)))


@pytest.mark.parametrize("row", MOVING, ids=lambda row: row.name)
def test_the_same_through_the_door(tmp_path, row):
    """As a whole video, and a stretch of it: frames within half a frame of the middles of equal parts."""
    path = written(row, tmp_path)
    info = probe(path)
    assert info.has_video
    assert info.frames == len(row.ticks)
    whole = decode(Source("a", path, moving=True), "image", SETTINGS)
    assert isinstance(whole, Frames)
    truth = (np.array(row.ticks) - row.ticks[0]) * float(row.base)
    numbers = which(whole, len(truth))
    np.testing.assert_allclose(whole.times_s, truth[numbers], atol=0.001)
    wanted = (np.arange(4) + 0.5) * info.duration_s / 4
    nearest = np.unique(np.abs(truth[:, None] - np.clip(wanted, 0, truth[-1])).argmin(0))
    assert np.abs(np.array(numbers) - nearest).max() <= (1 if len(truth) > 1 else 0)
    half = decode(Source("a", path, Span(0.0, info.duration_s / 2)), "image", SETTINGS)
    assert isinstance(half, Frames)
    assert max(half.times_s) <= info.duration_s / 2


def test_of_a_gif_the_first_frame_as_a_picture_and_all_as_a_video(tmp_path):
    path = write_frames(tmp_path / "a.gif", (0, 50, 100), base=Fraction(1, 100), codec="gif", pixels="gray")
    still = decode(Source("a", path), "image", SETTINGS)
    shown = decode(Source("a", path, moving=True), "image", SETTINGS)
    part = decode(Source("a", path, Span(0.4, 0.9)), "image", SETTINGS)
    assert isinstance(still, Frames) and isinstance(shown, Frames) and isinstance(part, Frames)
    assert (which(still, 3), still.times_s) == ([0], (0.0,))
    assert (which(shown, 3), shown.times_s) == ([0, 1, 2], (0.0, 0.5, 1.0))
    assert (which(part, 3), part.times_s) == ([1], (0.5,))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_turned_videos_come_upright(tmp_path, degrees, ending):
    path = turn_by(write_frames(tmp_path / f"a.{ending}", EVEN, half=True), tmp_path / f"b.{ending}", degrees)
    (first, *_) = Video(path).at(np.array([0.4])).pixels
    turned = np.rot90(first, degrees // 90)  # counter-clockwise: undoes what was stated
    assert turned.shape == (48, 64, 3)
    assert turned[:, :28].max() < 5  # the left half is dark
    assert turned[:, 36:].min() > 90


def edited(path: Path, out: Path, skipped_frames: int) -> Path:
    """The same mp4 with an edit list that begins later."""
    with av.open(str(path)) as container:
        ticks = round(1 / 25 / container.streams.video[0].time_base) * skipped_frames
    raw = bytearray(path.read_bytes())
    at = raw.find(b"elst") + 12
    duration, begin = struct.unpack(">Ii", raw[at : at + 8])
    raw[at : at + 8] = struct.pack(">Ii", duration - 40 * skipped_frames, begin + ticks)
    out.write_bytes(raw)
    return out


def test_an_edit_list_that_trims_the_start(tmp_path):
    path = edited(write_frames(tmp_path / "a.mp4", EVEN), tmp_path / "b.mp4", 7)
    frames = Video(path).at(np.arange(13) / 25)
    assert which(frames, 20) == list(range(7, 20))
    np.testing.assert_allclose(frames.times_s, np.arange(13) / 25, atol=0.001)


def two_tracks(path: Path, delay_s: float = 0.0, *, sound_first: bool = False) -> Path:
    """Frames from ``delay_s`` on beside sound from 0 on."""
    with av.open(str(path), "w") as container:
        names = ["aac", "libx264"] if sound_first else ["libx264", "aac"]
        made = {name: container.add_stream(name, rate=25 if name == "libx264" else 48_000) for name in names}
        picture, track = made["libx264"], made["aac"]
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        track.layout = "stereo"
        for number, level in enumerate(levels(20)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            frame.pts = number + round(delay_s * 25)
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        wave = av.AudioFrame.from_ndarray(np.tile(tone(2.0, 48_000), (2, 1)), format="fltp", layout="stereo")
        wave.sample_rate, wave.pts = 48_000, 0
        container.mux(track.encode(wave))
        container.mux(track.encode())
    return path


@pytest.mark.parametrize("sound_first", [False, True])
@pytest.mark.parametrize("delay_s", [0.0, 0.48])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts"])
def test_pictures_that_begin_after_the_sound(tmp_path, ending, delay_s, sound_first):
    """mp4: an empty edit, and the priming of AAC."""
    path = two_tracks(tmp_path / f"a.{ending}", delay_s, sound_first=sound_first)
    line = timeline(path)
    clip = decode(Source("a", path), "audio", SETTINGS)
    assert isinstance(clip, Sound)
    begun = float(line.times_s[0])
    assert onset_s(clip) - begun == pytest.approx(ONSET_S - delay_s, abs=0.01)
    if ending != "ts":  # which cannot say that the first samples are an encoder's lead-in
        assert begun == pytest.approx(delay_s, abs=0.01)
    assert which(Video(path).at(line.times_s), 20) == list(range(20))


def onset_s(clip: Sound, channel: int = 0) -> float:
    return int(np.argmax(np.abs(clip.samples[channel]) > 0.1)) / clip.rate_hz


@dataclass(frozen=True)
class Heard:
    name: str
    codec: str
    rate_hz: int = 48_000
    layout: str = "mono"
    sample_format: str | None = None


HEARD = [
    Heard("a.wav", "pcm_s16le"),
    Heard("float.wav", "pcm_f32le"),
    Heard("24 bit.wav", "pcm_s24le"),
    Heard("8 bit.wav", "pcm_u8"),
    Heard("mulaw.wav", "pcm_mulaw", 8_000),
    Heard("a.flac", "flac"),
    Heard("a.opus", "libopus"),
    Heard("a.mp3", "libmp3lame", 44_100),
    Heard("8 kHz.mp3", "libmp3lame", 8_000),
    Heard("stereo.mp3", "libmp3lame", 44_100, "stereo"),
    Heard("a.m4a", "aac", 44_100),
    Heard("8 kHz.m4a", "aac", 8_000),
    Heard("alac.m4a", "alac", 44_100),
    Heard("96 kHz.m4a", "aac", 96_000),
    Heard("8 kHz.wav", "pcm_s16le", 8_000),
    Heard("192 kHz.wav", "pcm_s24le", 192_000),
    Heard("192 kHz.flac", "flac", 192_000),
    Heard("stereo.opus", "libopus", 48_000, "stereo"),
    Heard("5.1.m4a", "aac", 48_000, "5.1"),
    Heard("7.1.wav", "pcm_s16le", 48_000, "7.1"),
    Heard("7.1.flac", "flac", 48_000, "7.1"),
    Heard("ac3.mkv", "ac3", 48_000, "5.1"),
    Heard("opus.webm", "libopus"),
    Heard("opus.mkv", "libopus", 48_000, "stereo"),
    Heard("flac.mkv", "flac", 44_100),
    Heard("mp2.ts", "mp2", 48_000, "stereo"),
    Heard("mp3.avi", "libmp3lame", 44_100),
    Heard("aac.mov", "aac", 22_050),
    Heard("aac.aac", "aac", 44_100),
    Heard("a.aiff", "pcm_s16be", 22_050),
]


@pytest.mark.parametrize("row", HEARD, ids=lambda row: row.name)
def test_sound_begins_when_it_does(tmp_path, row):
    path = write_sound(tmp_path / row.name, codec=row.codec, rate_hz=row.rate_hz, layout=row.layout)
    begun = 0.0
    if path.suffix in (".ts", ".aac", ".avi"):  # these cannot say how much of their beginning is an encoder's lead-in
        begun = lead_in_s(path)
    info = probe(path)
    channels = len(av.AudioLayout(row.layout).channels)
    assert (info.has_sound, info.has_video, info.rate_hz, info.channels) == (True, False, row.rate_hz, channels)
    assert info.duration_s == pytest.approx(2.0, abs=0.12)
    whole = decode(Source("a", path), "audio", SETTINGS)
    assert isinstance(whole, Sound)
    assert (whole.rate_hz, len(whole.samples)) == (row.rate_hz, channels)
    for channel in range(channels):
        if row.layout == "mono" or channel != 3:  # the fourth of 5.1 and 7.1 carries deep tones only
            assert onset_s(whole, channel) - begun == pytest.approx(ONSET_S, abs=0.01)
    loud = whole.samples[0, round((begun + 1.2) * row.rate_hz) : round((begun + 1.8) * row.rate_hz)]
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    for start, end in ((0.9, 1.5), (0.3, 1.2), (1.2, 1.4)):
        part = decode(Source("a", path, Span(start + begun, end + begun)), "audio", SETTINGS)
        assert isinstance(part, Sound)
        assert part.samples.shape[1] == pytest.approx((end - start) * row.rate_hz, abs=2)
        assert onset_s(part) == pytest.approx(max(0.0, ONSET_S - start), abs=0.01)


def lead_in_s(path: Path) -> float:
    """Where the tone is too late by the encoder's delay, a slow full decode tells by how much."""
    with av.open(str(path)) as container:
        pieces = [np.abs(frame.to_ndarray()).reshape(frame.to_ndarray().shape[0], -1) for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    joined = np.concatenate([piece[0] for piece in pieces])
    late = int(np.argmax(joined > 0.1)) / rate - ONSET_S
    assert 0 <= late < 0.06
    return late


@pytest.mark.parametrize("ending", ["ogg", "flac", "wav"])
def test_sound_of_libsndfile(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, np.stack([tone(2.0, 44_100)] * 2, axis=1), 44_100)
    clip = decode(Source("a", path), "audio", SETTINGS)
    assert isinstance(clip, Sound)
    assert clip.samples.shape == (2, 88_200)
    assert onset_s(clip) == pytest.approx(ONSET_S, abs=0.01)


def tracks(path: Path) -> Path:
    """Two sounds, of which the second is marked as the default; two pictures, of which the first is."""
    with av.open(str(path), "w") as container:
        made = [container.add_stream("flac", rate=8_000, layout="mono") for _ in range(2)]
        shown = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        made[0].disposition, made[1].disposition = av.stream.Disposition(0), av.stream.Disposition.default
        shown[0].disposition, shown[1].disposition = av.stream.Disposition.default, av.stream.Disposition(0)
        for number, picture in enumerate(shown):
            picture.width, picture.height, picture.pix_fmt = 16 * (number + 1), 16, "yuv420p"
        for number, track in enumerate(made):
            samples = np.full((1, 8_000), 8_000 * (number + 1), np.int16)
            wave = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8_000, 0
            container.mux(track.encode(wave))
            container.mux(track.encode())
        for number, picture in enumerate(shown):
            pixels = np.full((16, 16 * (number + 1), 3), 60 * (number + 1), np.uint8)
            for tick in range(5):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = tick
                container.mux(picture.encode(frame))
            container.mux(picture.encode())
    return path


def test_of_several_tracks_the_default_is_taken(tmp_path):
    path = tracks(tmp_path / "a.mkv")
    clip, frames = (decode(Source("a", path), modality, SETTINGS) for modality in ("audio", "image"))
    assert isinstance(clip, Sound) and isinstance(frames, Frames)
    assert clip.samples.mean() == pytest.approx(16_000 / 32_768, abs=0.01)
    assert frames.pixels.shape == (4, 16, 16, 3)
    assert frames.pixels.mean() == pytest.approx(60, abs=2)


def still(**more: Any) -> Callable[[Path], None]:
    """A writer of a picture whose left half is (200, 30, 30) and whose right half is see-through, or white."""

    def write(path: Path) -> None:
        pixels = np.zeros((20, 40, 4), np.uint8)
        pixels[:, :20] = (200, 30, 30, 255)
        image = Image.fromarray(pixels)
        mode = more.pop("mode", "RGBA")
        if mode != "RGBA":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)
        image.save(path, **more)

    return write


STILLS: dict[str, Callable[[Path], None]] = {
    "a.jpg": still(mode="RGB", quality=95),
    "progressive.jpeg": still(mode="RGB", quality=95, progressive=True),
    "cmyk.jpg": still(mode="CMYK", quality=95),
    "a.png": still(),
    "opaque.png": still(mode="RGB"),
    "palette.png": still(mode="P"),
    "a.webp": still(lossless=True),
    "lossy.webp": still(quality=95),
    "a.gif": still(),
    "a.tiff": still(),
    "lzw.tif": still(mode="RGB", compression="tiff_lzw"),
    "a.avif": still(quality=95),
    "a.bmp": still(mode="RGB"),
    "wrong ending.mp4": still(format="PNG"),
    "wrong ending.txt": still(format="AVIF", quality=95),
    "name ∞ with spaces.png": still(),
}


@pytest.mark.parametrize("name", STILLS)
def test_stills_are_upright_rgb_on_white(tmp_path, name):
    STILLS[name](tmp_path / name)
    clip = decode(Source("a", tmp_path / name), "image", SETTINGS)
    assert isinstance(clip, Frames)
    assert clip.pixels.shape == (1, 20, 40, 3)
    np.testing.assert_allclose(clip.pixels[0, :, :16].mean((0, 1)), (200, 30, 30), atol=6)
    np.testing.assert_allclose(clip.pixels[0, :, 24:].mean((0, 1)), 255, atol=6)


@pytest.mark.parametrize("ending", ["png", "tiff"])
@pytest.mark.parametrize("mode", ["L", "I;16", "1", "LA"])
def test_grey_stills(tmp_path, mode, ending):
    values = np.array([[0, 255] * 4] * 4, np.uint8)
    wide = Image.fromarray(values.astype(np.uint16) * 257)
    image = wide if mode == "I;16" else Image.fromarray(values).convert(mode)
    image.save(tmp_path / f"a.{ending}")
    clip = decode(Source("a", tmp_path / f"a.{ending}"), "image", SETTINGS)
    assert isinstance(clip, Frames)
    np.testing.assert_array_equal(clip.pixels[0], np.stack([values] * 3, -1))


TEXTS = {
    "a.txt": b"Hello",
    "a.md": b"Hello",
    "bom.txt": b"\xef\xbb\xbfHello",
    "a.srt": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    "a.vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n",
    "a.json": b'{"title": "Hello"}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(tmp_path, name):
    (tmp_path / name).write_bytes(TEXTS[name])
    assert decode(Source("a", tmp_path / name), "text", SETTINGS) == Words("Hello")


def cut(folder: Path, name: str, share: float) -> Path:
    """A good file of 20 frames or 2 s, of which only the first ``share`` is left."""
    row = next((row for row in MOVING if row.name == name), None)
    if row is not None:
        path = written(row, folder)
    else:
        heard = next(row for row in HEARD if row.name == name)
        path = write_sound(folder / name, codec=heard.codec, rate_hz=heard.rate_hz, duration_s=4.0)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    return path


CUT = ["h264.mp4", "h264.mkv", "h264.ts", "mpeg4.avi", "vp9.webm", "moving.gif", "a.wav", "a.flac", "a.mp3", "a.opus", "a.m4a"]


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("name", CUT)
def test_cut_short_anywhere(tmp_path, name, share):
    """What is left is read as far as it goes, or there is a reason."""
    kind = "music" if name.startswith("a.") else "video"
    path = cut(tmp_path, name, share)
    found = examine(path, kind, SETTINGS)
    if "reason" in found:
        assert any(
            word in found["reason"] for word in ("cut short", "cannot be decoded", "empty", "neither", "damaged", "no ")
        )
        assert "\n" not in found["reason"]
        return
    assert 0 < found["duration_s"] <= 4.1
    if kind == "video":
        frames = decode(Source("a", path, moving=True), "image", SETTINGS)
        assert isinstance(frames, Frames)
        numbers = np.array(which(frames, 20)) if name != "h264.ts" or share > 0.9 else np.zeros(0)
        if name.endswith(".gif"):  # where the last picture stops, the one before is seen
            numbers = numbers[:-1]
        np.testing.assert_allclose(np.array(frames.times_s)[: len(numbers)], numbers * 0.04, atol=0.02)


def huge_gif(path: Path) -> None:
    path.write_bytes(
        b"GIF89a"
        + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0)
        + b"\2\2\x4c\1\0;"
    )


def huge_flac(path: Path) -> None:
    """States 2^36 - 1 samples."""
    soundfile.write(path, tone(1.5, 16_000), 16_000)
    raw = bytearray(path.read_bytes())
    raw[21] |= 0x0F
    raw[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)


def wav(rate_hz: int, channels: int) -> bytes:
    """A wave file of 100 samples with the rate and channels stated."""
    data = bytes(200)
    head = struct.pack("<HHIIHH", 1, channels, rate_hz, (rate_hz * channels * 2) % 2**32, (channels * 2) % 2**16, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + b"data"
        + struct.pack("<I", 200)
        + data
    )


@dataclass(frozen=True)
class Bad:
    """A file to be quarantined: what writes it, the kind that its item has, and what the reason must say."""

    name: str
    kind: str
    write: Callable[[Path], Any]
    reason: str


def data(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


BAD = [
    Bad("empty.mp4", "video", data(b""), r"the file is empty \(0 bytes\)"),
    Bad("empty.ogg", "music", data(b""), r"the file is empty \(0 bytes\)"),
    Bad("empty.jpg", "image", data(b""), r"the file is empty \(0 bytes\)"),
    Bad("empty.txt", "text", data(b""), r"the file is empty \(0 bytes\)"),
    Bad("folder.mp4", "video", lambda path: path.mkdir(), "it is a folder, no file"),
    Bad("pipe.mp4", "video", lambda path: os.mkfifo(path), "it is a pipe, socket or device, no file"),
    Bad("device.mp4", "video", lambda path: path.symlink_to("/dev/zero"), "it is a pipe, socket or device, no file"),
    Bad("loop.mp4", "video", lambda path: path.symlink_to(path), "a symbolic link that leads back to itself"),
    Bad("dangling.png", "image", lambda path: path.symlink_to("nowhere.png"), "a symbolic link to a file that is not there"),
    Bad("absent.txt", "text", lambda path: None, "the file is not there"),
    Bad(
        "noise.mp4", "video", data(bytes(range(256)) * 20), "it is of no format that is read here, or its beginning is damaged"
    ),
    Bad(
        "noise.mp3", "music", data(bytes(range(256)) * 20), "it is of no format that is read here, or its beginning is damaged"
    ),
    Bad("text.mp4", "video", data(b"no video"), "it is of no format that is read here"),
    Bad("text.png", "image", data(b"no picture"), "it is of no format that is read here"),
    Bad(
        "playlist.mp4",
        "video",
        data(b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n"),
        "it is of no format that is read here",
    ),
    Bad("script.mkv", "video", data(b"ffconcat version 1.0\nfile a.mp4\n"), "it is of no format that is read here"),
    Bad(
        "no index.mp4",
        "video",
        lambda path: path.write_bytes(cut(path.parent, "h264.mp4", 0.5).read_bytes()),
        "its index is missing or damaged; it was probably cut short",
    ),
    Bad("cut.png", "image", data(b"\x89PNG\r\n\x1a\n"), "cannot be decoded"),
    Bad("photo.heic", "image", data(b"\0\0\0\x18ftypheic" + bytes(50)), "HEIC pictures cannot be read"),
    Bad(
        "sound.mp4",
        "video",
        lambda path: write_sound(path, codec="aac"),
        "it is no video: it holds sound but no moving pictures",
    ),
    Bad(
        "silent.mp3",
        "music",
        lambda path: write_frames(path.with_suffix(".mp4"), EVEN).rename(path),
        "it is no music: it holds moving pictures without sound",
    ),
    Bad(
        "picture.txt",
        "text",
        lambda path: Image.new("RGB", (2, 2)).save(path, format="PNG"),
        "it is no text: it holds a still picture",
    ),
    Bad("no sound.wav", "music", lambda path: soundfile.write(path, np.zeros(0), 8_000), "its sound is empty"),
    Bad(
        "bomb.png",
        "image",
        lambda path: Image.new("1", (20_000, 20_000)).save(path),
        r"20000 x 20000 pixels are more than media.max_pixels",
    ),
    Bad(
        "bomb.tiff",
        "image",
        lambda path: Image.new("1", (20_000, 20_000)).save(path, compression="group4"),
        r"20000 x 20000 pixels are more than media.max_pixels",
    ),
    Bad(
        "bomb.webp",
        "image",
        data(b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\xff\xff\xff\x0f" + bytes(20)),
        r"16384 x 16384 pixels|cannot be decoded",
    ),
    Bad("bomb.gif", "image", huge_gif, "65535 x 65535 pixels are more than media.max_pixels"),
    Bad("bomb.avi", "video", lambda path: huge_video(path), "frames of 12000 x 12000 pixels are more than media.max_pixels"),
    Bad("larger bomb.avi", "video", lambda path: huge_video(path, 16_384), "the size of its frames is unknown, or too large"),
    Bad("deep.json", "text", data(b"[" * 1_000_000), "it is nested too deeply"),
    Bad("long.json", "text", data(b"[" + b"[]," * 3_000_000 + b"[]]"), "JSON of more than 8 MB"),
    Bad("long.txt", "text", data(b"word " * 7_000_000), "a text of more than 32 MB"),
    Bad("broken.json", "text", data(b'{"title": '), "cannot be decoded: JSONDecodeError"),
    Bad("no words.srt", "text", data(b"1\n00:00:01,000 --> 00:00:02,000\n\n"), "it holds no text"),
    Bad("bytes.txt", "text", data(bytes(range(256))), "it is not text"),
    Bad("huge.flac", "music", huge_flac, "cut short: it states 4294967.3 s|cut short: it states .* s and holds 1.5 s"),
    Bad(
        "rate.wav",
        "music",
        data(wav(2**31 - 1, 1)),
        "its header is damaged: 1 channels at 2147483647 Hz|cannot be decoded|it holds",
    ),
    Bad(
        "channels.wav",
        "music",
        data(wav(8_000, 1000)),
        "its header is damaged: 1000 channels at 8000 Hz|cannot be decoded|it holds",
    ),
]


def huge_video(path: Path, side: int = 12_000) -> None:
    """An AVI that states ``side`` x ``side`` pixels."""
    write_frames(path, EVEN, codec="mjpeg", pixels="yuvj420p")
    raw = path.read_bytes().replace(struct.pack("<II", 64, 48), struct.pack("<II", side, side))
    path.write_bytes(raw.replace(struct.pack(">HH", 48, 64) + b"\3", struct.pack(">HH", side, side) + b"\3"))


@pytest.mark.parametrize("row", BAD, ids=lambda row: row.name)
def test_quarantined_with_a_reason(tmp_path, row):
    row.write(tmp_path / row.name)
    found = examine(tmp_path / row.name, row.kind, SETTINGS)
    assert set(found) == {"reason"}
    assert re.search(row.reason, found["reason"])
    assert "\n" not in found["reason"]
    assert len(found["reason"]) < 300


def test_no_permission(tmp_path):
    path = write_frames(tmp_path / "a.mp4", EVEN)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert examine(path, "video", SETTINGS) == {"reason": "there is no permission to read it"}


def test_no_permission_said_by_the_system(tmp_path, monkeypatch):
    """As above, for a user who may read everything."""
    path = write_video(tmp_path / "a.mp4", 2)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", denied)
    found = examine(path, "video", SETTINGS)
    monkeypatch.undo()
    assert found == {"reason": "there is no permission to read it"}


def test_the_tables_are_as_long_as_they_should_be():
    assert (len(MOVING), len(HEARD), len(STILLS), len(BAD)) == (45, 30, 16, 38)
    assert sum(bool(row.skipped) for row in MOVING) == 1
