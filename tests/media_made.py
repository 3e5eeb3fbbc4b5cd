"""Tiny media made by the tests: grey steps tell which frame it is, tones tell which moment of the sound."""

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

RATE_HZ = 16_000
ONSET_S = 1.0


def grey(number: int) -> int:
    """Brightness of frame ``number``; two neighbours differ by four levels."""
    return 20 + number * 4 % 220


def write_video(
    path: Path,
    frames: int = 50,
    *,
    rate: int = 25,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    picture: Callable[[int], np.ndarray] | None = None,
    with_picture: bool = True,
    sound: bool = False,
) -> Path:
    """Frame n is grey(n) or ``picture(n)``; the sound is silent until ONSET_S, then a tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate) if with_picture else None
        track = container.add_stream("aac", rate=RATE_HZ, layout="mono") if sound else None
        if stream:
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.options = {"crf": "1"} if codec == "libx264" else {}
            for number in range(frames):
                pixels = picture(number) if picture else np.full((size[1], size[0], 3), grey(number), np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        if track:
            wave = av.AudioFrame.from_ndarray(tone(frames / rate)[None], format="fltp", layout="mono")
            wave.sample_rate, wave.pts = RATE_HZ, 0
            container.mux(track.encode(wave))
            container.mux(track.encode())
    return path


def tone(duration_s: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Silent until ONSET_S, then 440 Hz."""
    time = np.arange(round(duration_s * rate_hz)) / rate_hz
    return np.where(time >= ONSET_S, 0.5 * np.sin(2 * np.pi * 440 * time), 0).astype(np.float32)


def turn(path: Path, out: Path) -> Path:
    """The same mp4, to be shown turned by a quarter clockwise: its display matrix is written over."""
    raw = bytearray(path.read_bytes())
    at = raw.find(b"tkhd") + 44
    raw[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    out.write_bytes(raw)
    return out
