"""Write the samples of one file. Nothing of the day or the machine goes into a file."""

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from PIL import Image

from mmgraph.types import Bytes, Floats

BLOCK = 1024  # samples handed to a sound encoder at once
_EXACT = {"fflags": "+bitexact"}
# x264's AVX-512 code for macroblock trees gives other bytes each time it runs (seen with the wheel of av 18.1): AVX2 at most
_H264 = {"preset": "veryfast", "crf": "23", "threads": "1", "g": "20", "x264-params": "asm=avx2"}


def video(path: Path, frames: Iterable[Bytes], rate_hz: int, sound: Floats, sound_rate_hz: int) -> None:
    """H.264 and AAC in MP4. ``frames`` uint8 [h, w, 3], ``sound`` float32 [n]; one thread, so that the bytes repeat."""
    with av.open(str(path), "w", format="mp4", options=_EXACT) as file:
        picture = file.add_stream("libx264", rate=rate_hz, options=_H264)
        tone = file.add_stream("aac", rate=sound_rate_hz, layout="mono", bit_rate=64_000, options={"aac_coder": "fast"})
        for index, pixels in enumerate(frames):
            if index == 0:
                picture.height, picture.width = pixels.shape[:2]
                picture.pix_fmt = "yuv420p"
            file.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(picture.encode())
        _sound(file, tone, sound, sound_rate_hz)


def opus(path: Path, sound: Floats, rate_hz: int) -> None:
    """Ogg Opus (libsndfile's Ogg Vorbis has a random serial number in it); ``sound`` float32 [n]."""
    with av.open(str(path), "w", format="ogg", options=_EXACT) as file:
        _sound(file, file.add_stream("libopus", rate=rate_hz, layout="mono", format="flt", bit_rate=64_000), sound, rate_hz)


def _sound(file: OutputContainer, stream: AudioStream, sound: Floats, rate_hz: int) -> None:
    for start in range(0, len(sound), BLOCK):
        block = np.ascontiguousarray(sound[None, start : start + BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="flt" if stream.codec.name == "libopus" else "fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        file.mux(stream.encode(frame))
    file.mux(stream.encode())


def pcm(path: Path, sound: Floats, rate_hz: int) -> None:
    """WAV, 16 bits; ``sound`` float32 [n]."""
    with open(path, "wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def image(path: Path, pixels: Bytes) -> None:
    """PNG or JPEG by the ending; ``pixels`` uint8 [h, w, 3]."""
    Image.fromarray(pixels).save(path, quality=92) if path.suffix == ".jpg" else Image.fromarray(pixels).save(path)
