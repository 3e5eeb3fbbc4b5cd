"""Tiny media made by the tests: grey steps tell which frame it is, tones tell which moment of the sound."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
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
    options: dict[str, str] | None = None,
) -> Path:
    """Frame n is grey(n) or ``picture(n)``; the sound is silent until ONSET_S, then a tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate) if with_picture else None
        track = container.add_stream("aac", rate=RATE_HZ, layout="mono") if sound else None
        if stream:
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.options = options or {"libx264": {"crf": "1"}, "mpeg4": {"b": "20M", "qmax": "2"}}.get(codec, {})
            stream.codec_context.thread_count = 1
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


def levels(count: int) -> np.ndarray:
    """Brightness of each of up to 27 frames, eight levels from one to the next, which every codec keeps apart."""
    return 20 + 8 * np.arange(count)


def write_frames(
    path: Path,
    ticks: Sequence[int],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    base: Fraction = Fraction(1, 25),
    options: dict[str, str] | None = None,
    see_through: bool = False,
    half: bool = False,
) -> Path:
    """Frame n has ``levels()[n]`` and is shown at ``ticks[n] * base``.

    see_through: its left half is (whatever its level). half: its left half is black.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = stream.time_base = base
        stream.codec_context.thread_count = 1
        for tick, level in zip(ticks, levels(len(ticks)), strict=True):
            frame = _frame(int(level), size, see_through, half).reformat(format=pixels)
            frame.pts, frame.time_base = tick, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _frame(level: int, size: tuple[int, int], see_through: bool, half: bool) -> "av.VideoFrame":
    picture = np.full((size[1], size[0], 4), level, np.uint8)
    picture[..., 3] = 255
    if see_through:
        picture[:, : size[0] // 2, 3] = 0
    if half:
        picture[:, : size[0] // 2, :3] = 0
    return av.VideoFrame.from_ndarray(picture, format="rgba")


def turn_by(path: Path, out: Path, degrees: int) -> Path:
    """The same mp4 or mov, to be shown turned clockwise by a multiple of 90 degrees."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    raw = bytearray(path.read_bytes())
    at = raw.find(b"tkhd") + 44
    one = 1 << 16
    raw[at : at + 36] = struct.pack(">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    out.write_bytes(raw)
    return out


def write_sound(
    path: Path,
    *,
    codec: str,
    rate_hz: int = 48_000,
    layout: str = "mono",
    duration_s: float = 2.0,
    sample_format: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Silent until ONSET_S, then a tone; in every channel alike."""
    with av.open(str(path), "w", options=options or {}) as container:
        track = container.add_stream(codec, rate=rate_hz, layout=layout)
        if sample_format:
            track.format = sample_format
        channels = len(av.AudioLayout(layout).channels)
        wave = np.tile(tone(duration_s, rate_hz), (channels, 1))
        resampler = av.AudioResampler(format=track.format, layout=layout, rate=rate_hz)
        frame = av.AudioFrame.from_ndarray(wave.T.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        for piece in resampler.resample(frame):
            container.mux(track.encode(piece))
        container.mux(track.encode())
    return path


def with_subtitles(video: Path, srt: str, out: Path) -> Path:
    """The same video in Matroska, with a track of subtitles inside."""
    beside = out.with_suffix(".made.srt")
    beside.write_text(srt, encoding="utf-8")
    with av.open(str(video)) as pictures, av.open(str(beside)) as words, av.open(str(out), "w") as container:
        tracks = [(one, container.add_stream_from_template(one.streams[0])) for one in (pictures, words)]
        for source, stream in tracks:
            for packet in source.demux(source.streams[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    container.mux(packet)
    beside.unlink()
    return out


def write_long(path: Path, hours: float) -> Path:
    """Key frames, 25 a second, each the same but every tenth second white, beside silence; made by copying packets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        track = container.add_stream("pcm_s16le", rate=8_000, layout="mono")
        pictures = [bytes(packet) for level in (0, 255) for packet in stream.encode(_flat(level))]
        for number in range(round(hours * 3600 * 25)):
            packet = av.Packet(pictures[number % 250 == 0])
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux_one(packet)
            sound = av.Packet(bytes(640))
            sound.stream, sound.time_base, sound.duration = track, Fraction(1, 8_000), 320
            sound.pts = sound.dts = number * 320
            container.mux_one(sound)
    return path


def _flat(level: int) -> "av.VideoFrame":
    return av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24").reformat(format="yuvj420p")
