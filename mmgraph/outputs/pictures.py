"""Decoded samples -> small pictures that stand inside a page: JPEG as data URIs, waveforms as SVG paths."""

import base64
import io
import math

import numpy as np
from PIL import Image

from mmgraph.types import Bytes, Floats

SHEET_PX = 264  # width of a picture: a card of 200 px on a screen of 1.3 device pixels a pixel
TALL_PX = 200
QUALITY = 62
WAVE = (160, 32)
BANDS, WINDOW = 64, 1024
# Stops of an even, colour-blind safe scale (after matplotlib's magma, CC0) from silence to loud.
_STOPS = np.array([(0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)], np.float32)


def sheet(pixels: Bytes) -> str:
    """uint8 [t, h, w, 3] -> one JPEG: a single image, or a contact sheet that reads from left to right, then down."""
    count, height, width, _ = pixels.shape
    columns = math.ceil(math.sqrt(count)) if width >= height else count
    rows = math.ceil(count / columns)
    cell = (SHEET_PX - 2 * (columns - 1)) // columns
    cell = max(1, min(cell, round(TALL_PX / rows * width / height)))
    tall = max(1, min(round(cell * height / width), TALL_PX // rows))
    canvas = Image.new("RGB", (columns * (cell + 2) - 2, rows * (tall + 2) - 2), (128, 128, 128))
    for place, frame in enumerate(pixels):
        small = Image.fromarray(np.ascontiguousarray(frame)).resize((cell, tall), Image.Resampling.BILINEAR, reducing_gap=2.0)
        canvas.paste(small, ((place % columns) * (cell + 2), (place // columns) * (tall + 2)))
    return _jpeg(canvas)


def waveform(samples: Floats) -> str:
    """float32 [channels, n] -> the ``d`` of an SVG path in a box of WAVE: the envelope of the mean channel, scaled to its peak."""
    mono = samples.mean(axis=0)
    width, height = WAVE
    edges = np.linspace(0, len(mono), min(width, len(mono)) + 1).astype(np.int64)
    high, low = np.maximum.reduceat(mono, edges[:-1]), np.minimum.reduceat(mono, edges[:-1])
    peak = max(float(np.abs(mono).max()), 1e-3)  # what is as good as silent stays flat
    x = np.linspace(0, width, len(high))
    middle = height / 2
    up = middle - np.maximum(high / peak, 0) * (middle - 1) - 0.4
    down = middle - np.minimum(low / peak, 0) * (middle - 1) + 0.4
    points = [f"{a:.0f} {b:.1f}" for a, b in zip(x, up, strict=True)]
    points += [f"{a:.0f} {b:.1f}" for a, b in zip(x[::-1], down[::-1], strict=True)]
    return "M" + "L".join(points) + "Z"


def spectrogram(samples: Floats, rate_hz: int) -> str:
    """float32 [channels, n] -> a JPEG of loudness in dB: time to the right, 50 Hz at the bottom to rate_hz / 2 at the top, log scale."""
    mono = samples.mean(axis=0)
    if len(mono) < WINDOW:
        mono = np.pad(mono, (0, WINDOW - len(mono)))
    starts = np.linspace(0, len(mono) - WINDOW, 200).astype(np.int64)
    frames = mono[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    hertz = np.geomspace(50, max(rate_hz / 2, 100), BANDS + 1)
    bins = np.clip(np.round(hertz * WINDOW / rate_hz).astype(np.int64), 0, WINDOW // 2)
    total = np.concatenate([np.zeros((len(power), 1)), power.cumsum(axis=1)], axis=1)
    last = np.maximum(bins[1:], bins[:-1] + 1)
    bands = (total[:, last] - total[:, bins[:-1]]) / (last - bins[:-1])
    decibel = 10 * np.log10(np.maximum(bands, 1e-10))
    share = np.clip((decibel - decibel.max() + 70) / 70, 0, 1) if decibel.max() > -90 else np.zeros_like(decibel)
    place = share.T[::-1] * (len(_STOPS) - 1)
    left = np.minimum(place.astype(np.int64), len(_STOPS) - 2)
    mix = (place - left)[..., None]
    colour = _STOPS[left] * (1 - mix) + _STOPS[left + 1] * mix
    picture = Image.fromarray(colour.round().astype(np.uint8)).resize((SHEET_PX, 88), Image.Resampling.BICUBIC)
    return _jpeg(picture)


def _jpeg(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
