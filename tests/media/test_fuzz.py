"""Five hundred damaged files through the processes that examine and decode: each is read or has a reason, and nothing else is lost."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from media_made import RATE_HZ, tone, write_frames, write_sound, write_video
from PIL import Image

from mmgraph.errors import MediaError
from mmgraph.media.clip import Frames, Sound, Source, Words
from mmgraph.media.workers import Workers, _idle, examined, rest
from mmgraph.settings import MediaSettings, SegmentSettings

FILES = 500
SETTINGS = MediaSettings(
    segments=SegmentSettings(method="shots", min_s=0.2, max_s=1.0), workers=2, timeout_s=10.0, memory_mb=512, max_sound_s=5.0
)
KINDS = {
    "video": "mp4 mov mkv ts avi webm",
    "music": "wav flac ogg opus mp3 m4a",
    "image": "jpg png webp tiff avif gif",
    "text": "srt json",
}


def whole(folder: Path) -> list[tuple[Path, str]]:
    """A small good file of each format, and its kind."""
    for ending in ("mp4", "mkv", "ts"):
        write_video(folder / f"a.{ending}", 20, sound=True)
    write_video(folder / "a.avi", 20, codec="mpeg4", sound=True, options={"bf": "2"})
    write_frames(folder / "a.mov", range(12), codec="qtrle", pixels="argb", see_through=True)
    write_frames(folder / "a.webm", range(12), codec="libvpx-vp9", pixels="yuva420p", see_through=True)
    for ending in ("wav", "flac", "ogg"):
        soundfile.write(folder / f"a.{ending}", tone(1.5), RATE_HZ)
    for ending, codec in (("opus", "libopus"), ("mp3", "libmp3lame"), ("m4a", "aac")):
        write_sound(folder / f"a.{ending}", codec=codec, duration_s=1.5)
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    for ending in ("jpg", "png", "webp", "tiff", "avif"):
        noise.save(folder / f"a.{ending}")
    write_frames(folder / "a.gif", range(6), codec="gif", pixels="gray")
    (folder / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nGoodbye\n")
    (folder / "a.json").write_text('{"title": "A walk", "tags": ["dog", "park"], "more": {"by": "me"}}')
    return [(folder / f"a.{ending}", kind) for kind, endings in KINDS.items() for ending in endings.split()]


def damaged(raw: bytes, draw: np.random.Generator) -> bytes:
    """Cut somewhere, or some bytes changed (half of the time near the beginning, where the headers are), or both."""
    changed = np.frombuffer(raw, np.uint8).copy()
    how = draw.integers(3)
    if how != 0:
        within = len(changed) if draw.integers(2) else min(len(changed), 512)
        at = draw.integers(0, within, draw.integers(1, 20))
        changed[at] = draw.integers(0, 256, len(at))
    if how != 1:
        changed = changed[: draw.integers(1, len(changed))]
    return changed.tobytes()


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    good = whole(folder)
    assert len(good) == 20
    draw = np.random.default_rng(20)
    files = []
    for number in range(FILES):
        path, kind = good[number % len(good)]
        out = folder / f"{number:03d}{path.suffix}"
        out.write_bytes(damaged(path.read_bytes(), draw))
        files.append((out, kind))
    return good, files


def peak_mb() -> float:
    """The most that any of the waiting processes has ever held."""
    lines = [Path(f"/proc/{worker.process.pid}/status").read_text().splitlines() for worker in _idle]
    assert lines
    return max(int(line.split()[1]) for one in lines for line in one if line.startswith("VmHWM")) / 1024


def test_every_good_file_is_read(broken):
    good, _ = broken
    found = dict(examined(good, SETTINGS))
    assert [answer.get("reason") for _, answer in sorted(found.items())] == [None] * len(good)


def test_every_damaged_file_is_read_or_has_a_reason(broken):
    _, files = broken
    rest()
    begun = time.monotonic()
    list(examined([(files[0][0], "text")], SETTINGS))
    at_rest_mb = peak_mb()
    found = dict(examined(files, SETTINGS))
    assert sorted(found) == list(range(FILES))
    read = [files[index] for index, answer in found.items() if "reason" not in answer]
    reasons = [answer["reason"] for answer in found.values() if "reason" in answer]
    assert 50 < len(read) < FILES - 50
    assert all(reason and "\n" not in reason and len(reason) < 400 for reason in reasons)
    assert sum("dead" in answer for answer in found.values()) <= 2  # a decoder that dies is one that ought not to be used
    with Workers(SETTINGS) as workers:
        for path, kind in read:
            held = {"video": ["image", "audio"], "music": ["audio"], "image": ["image"], "text": ["text"]}[kind]
            for answer in workers.decode(Source(path.name, path, moving=kind == "video"), held):
                check(answer)
        workers_mb = peak_mb()
    assert workers_mb < at_rest_mb + SETTINGS.memory_mb
    assert time.monotonic() - begun < 120


def check(answer: Frames | Sound | Words | MediaError | None) -> None:
    match answer:
        case Frames():
            assert answer.pixels.ndim == 4
            assert len(answer.pixels) == len(answer.times_s) > 0
            assert np.isfinite(answer.times_s).all()
        case Sound():
            assert answer.samples.size > 0
            assert np.abs(answer.samples).max() <= 1.0
        case Words():
            assert answer.text.strip()
        case MediaError():
            assert "\n" not in str(answer)
