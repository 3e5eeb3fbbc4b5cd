"""A folder with one good file of each sort."""

from pathlib import Path

import pytest
import soundfile
from media_made import RATE_HZ, tone, write_video
from PIL import Image


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder with one good file of each sort."""
    root = tmp_path_factory.mktemp("made")
    write_video(root / "plain.mp4", sound=True)
    write_video(root / "plain.mkv", sound=True)
    write_video(root / "plain.ts", sound=True)
    write_video(root / "plain.avi", codec="mpeg4", sound=True)
    write_video(root / "silent.mp4")
    write_video(root / "one.mp4", frames=1)
    write_video(root / "heard.mp4", sound=True, with_picture=False)
    for ending in ("wav", "flac", "ogg"):
        soundfile.write(root / f"tone.{ending}", tone(3.0), RATE_HZ)
    Image.new("RGB", (40, 20), (200, 30, 30)).save(root / "red.png")
    (root / "words.txt").write_text("A few words.", encoding="utf-8")
    return root
