"""Frames described by colour, layout, edges, texture and motion, without any weights."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.media.clip import Clip, Frames
from mmgraph.types import Bytes, Floats, Ints, Modality
from mmgraph_encoders.clips import frames_of, mean_by_clip

_VERSION = "2"
_SIDE, _GRID, _ORIENTATIONS, _CHUNK = 96, 4, 9, 128
_HSV_BINS = (12, 3, 3)
_HUE_BINS = 12


class ImageStatistics(Encoder):
    """Classic descriptors of frames resized to 96 x 96; deterministic, nothing to download.

    Per frame, then averaged: joint HSV histogram (12 x 3 x 3), hue histograms in 2 x 2 cells weighted by saturation, mean and
    deviation of the opponent colours (van de Sande et al. 2010) in 4 x 4 cells, histograms of oriented gradients in
    4 x 4 cells and over the image (Dalal & Triggs 2005), uniform local binary patterns (Ojala et al. 2002) at two scales, and ten
    global numbers (brightness, contrast, saturation, colourfulness of Hasler & Süsstrunk 2003, sharpness, entropy).
    Across frames: mean absolute difference in 4 x 4 cells, its statistics, and the trend of colour. Histograms enter as
    square roots (Hellinger), each of length one, so that cosine and linear models can use them.
    """

    modality: Modality = "image"

    def available(self) -> str | None:
        """Always."""
        return None

    def identity(self) -> str:
        """Known at once, as there are no weights."""
        return self.card.key()

    def load(self, device: str = "cpu") -> None:
        """Nothing to bring."""

    @property
    def card(self) -> EncoderCard:
        """Width and version are fixed; a change of the computation changes the version, and so the key."""
        return EncoderCard(
            name="image_statistics",
            modality="image",
            weights="none",
            revision=_VERSION,
            width=_WIDTH,
            input=f"{_SIDE} px",
            licence="Apache-2.0",
            paper="Dalal & Triggs 2005, 10.1109/CVPR.2005.177; Ojala et al. 2002, 10.1109/TPAMI.2002.1017623",
        )

    def prepare(self, clip: Clip) -> Clip:
        """Frames of 96 x 96, which stay as they are when shrunk again."""
        (pixels,) = frames_of([clip])
        times = clip.times_s if isinstance(clip, Frames) else ()
        return Frames(np.stack([_shrunk(frame) for frame in pixels]), times)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        pixels = frames_of(clips)
        counts = [len(some) for some in pixels]
        small = np.concatenate(pixels)
        parts = [_describe(small[first : first + _CHUNK]) for first in range(0, len(small), _CHUNK)]
        still = mean_by_clip(np.concatenate(parts), counts)
        ends = np.cumsum(counts)
        motion = np.stack([_motion(small[end - count : end]) for end, count in zip(ends, counts, strict=True)])
        return np.concatenate([still, motion], axis=1)


def _shrunk(frame: Bytes) -> Bytes:
    larger = min(frame.shape[:2]) < _SIDE
    resized: Bytes = cv2.resize(
        np.ascontiguousarray(frame), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    )
    return resized


def _describe(small: Bytes) -> Floats:
    """uint8 [n, side, side, 3] -> float32 [n, width of one frame]."""
    tall = small.reshape(-1, _SIDE, 3)
    hsv = cv2.cvtColor(tall, cv2.COLOR_RGB2HSV).reshape(small.shape)
    opponent = _opponent(small)
    grey = opponent[..., 0]
    magnitude, orientation = _gradients(grey)
    blocks = [
        _hsv_histogram(hsv),
        _hue_cells(hsv),
        _moments(opponent),
        _oriented(magnitude, orientation, _GRID),
        _oriented(magnitude, orientation, 1),
        _patterns(grey),
        _patterns(grey[:, ::2, ::2]),
        _numbers(hsv, opponent, magnitude),
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32, copy=False)


def _opponent(pixels: Bytes) -> Floats:
    """Grey 0..1, red-green and yellow-blue -1..1: float32 [n, h, w, 3]."""
    red, green, blue = (pixels[..., i].astype(np.float32) / 255 for i in range(3))
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([grey, red - green, (red + green) / 2 - blue], axis=-1)


def _counted(bins: Ints, num_bins: int, weights: Floats | None = None) -> Floats:
    """Histogram of each row of ``bins`` [n, m] -> square roots of shares [n, num_bins], of length one."""
    rows = np.arange(len(bins), dtype=np.int64)[:, None] * num_bins
    flat = None if weights is None else weights.ravel()
    counts = np.bincount((bins + rows).ravel(), flat, len(bins) * num_bins).reshape(len(bins), num_bins)
    return np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)


def _hsv_histogram(hsv: Bytes) -> Floats:
    hues, saturations, values = _HSV_BINS
    hue = hsv[..., 0].astype(np.int64) * hues // 180
    joint = (hue * saturations + hsv[..., 1].astype(np.int64) * saturations // 256) * values
    joint += hsv[..., 2].astype(np.int64) * values // 256
    return _counted(joint.reshape(len(hsv), -1), hues * saturations * values)


def _hue_cells(hsv: Bytes) -> Floats:
    half = _SIDE // 2
    rows = np.arange(_SIDE) // half
    cell = rows[:, None] * 2 + rows[None, :]
    bins = cell * _HUE_BINS + hsv[..., 0].astype(np.int64) * _HUE_BINS // 180
    weights = (hsv[..., 1].astype(np.float32) * hsv[..., 2] / 255**2).astype(np.float32)
    return _counted(bins.reshape(len(hsv), -1), 4 * _HUE_BINS, weights.reshape(len(hsv), -1))


def _cells(values: Floats, grid: int) -> Floats:
    """[n, side, side, c] -> [n, cells, pixels of a cell, c]."""
    n, side, _, channels = values.shape
    cell = side // grid
    split = values.reshape(n, grid, cell, grid, cell, channels).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(n, grid * grid, cell * cell, channels)


def _moments(opponent: Floats) -> Floats:
    cells = _cells(opponent, _GRID)
    means, deviations = cells.mean(axis=2), cells.std(axis=2)
    means[..., 0] -= 0.5
    joined = np.concatenate([means * (1.0, 2.0, 2.0), deviations * 2], axis=-1)
    return (joined.reshape(len(opponent), -1) / _GRID).astype(np.float32)


def _gradients(grey: Floats) -> tuple[Floats, Ints]:
    """Magnitude, and orientation bin (unsigned, 0..180 degrees), of the central differences."""
    down, right = np.gradient(grey, axis=(1, 2))
    magnitude = np.hypot(down, right)
    angle = np.arctan2(down, right) * (_ORIENTATIONS / np.pi)
    return magnitude, np.floor(angle + 0.5).astype(np.int64) % _ORIENTATIONS


def _oriented(magnitude: Floats, orientation: Ints, grid: int) -> Floats:
    rows = np.arange(_SIDE) // (_SIDE // grid)
    cell = rows[:, None] * grid + rows[None, :]
    bins = (cell * _ORIENTATIONS + orientation).reshape(len(magnitude), -1)
    return _counted(bins, grid * grid * _ORIENTATIONS, np.maximum(magnitude - 1e-3, 0).reshape(len(magnitude), -1))


def _uniform_table() -> Ints:
    """Pattern 0..255 -> 0..57 where its circle has at most two changes, else 58 (Ojala et al. 2002)."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, uniform.sum()).astype(np.int64)


_UNIFORM = _uniform_table()


def _patterns(grey: Floats) -> Floats:
    height, width = grey.shape[1] - 2, grey.shape[2] - 2
    centre = grey[:, 1:-1, 1:-1] + 0.01  # flat areas with noise count as flat
    code = np.zeros(centre.shape, np.uint8)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (down, right) in enumerate(around):
        code |= (grey[:, down : down + height, right : right + width] > centre).astype(np.uint8) << bit
    return _counted(_UNIFORM[code].reshape(len(grey), -1), int(_UNIFORM.max()) + 1)


def _numbers(hsv: Bytes, opponent: Floats, magnitude: Floats) -> Floats:
    axes = (1, 2)
    grey, red_green, yellow_blue = (opponent[..., i] for i in range(3))
    saturation = hsv[..., 1].astype(np.float32) / 255
    spread = np.hypot(red_green.std(axes), yellow_blue.std(axes))
    colourful = spread + 0.3 * np.hypot(red_green.mean(axes), yellow_blue.mean(axes))
    shades = _counted((grey * 31.99).astype(np.int64).reshape(len(grey), -1), 32) ** 2
    entropy = -(shades * np.log2(shades + 1e-9)).sum(axis=1) / 5
    numbers = [
        grey.mean(axes) * 2 - 1,
        grey.std(axes) * 2,
        saturation.mean(axes) * 2 - 1,
        saturation.std(axes) * 2,
        colourful * 2,
        np.log1p(magnitude.mean(axes) * 50) - 1,
        np.log1p(magnitude.std(axes) * 50) - 1,
        (magnitude > 0.1).mean(axes) * 2,
        entropy * 2 - 1,
        (grey > 0.9).mean(axes) - (grey < 0.1).mean(axes),
    ]
    return (np.stack(numbers, axis=1) / 2).astype(np.float32)


def _motion(small: Bytes) -> Floats:
    """Differences between frames that follow each other: float32 [25]; zeros for one frame."""
    if len(small) < 2:
        return np.zeros(_MOTION, np.float32)
    opponent = _opponent(small)
    change = np.abs(np.diff(opponent[..., 0], axis=0))[..., None]
    in_cells = _cells(change, _GRID).mean(axis=(0, 2, 3))
    each = change.mean(axis=(1, 2, 3))
    means = opponent.mean(axis=(1, 2), dtype=np.float64)  # sums of ten thousand in single precision are off by 1e-4
    trend, steps = means[-1] - means[0], np.abs(np.diff(means, axis=0)).mean(axis=0)
    moved = np.array([each.mean(), each.std(), each.max()])
    return np.concatenate([np.sqrt(in_cells) / 2, np.sqrt(moved), trend, steps]).astype(np.float32)


_MOTION = _GRID * _GRID + 3 + 3 + 3
_FRAME = 108 + 4 * _HUE_BINS + _GRID**2 * 6 + _GRID**2 * _ORIENTATIONS + _ORIENTATIONS + 2 * 59 + 10
_WIDTH = _FRAME + _MOTION
