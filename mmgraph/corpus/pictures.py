"""Draw one picture: a motif (the shot's role), in a palette, under a texture, in a mood."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mmgraph.corpus.truth import ROLES, Shot, Video
from mmgraph.types import Bytes, Floats

MARGIN = 10  # pixels around the visible part, for the camera to move in


@dataclass(frozen=True)
class Canvas:
    """Size of the visible part in pixels."""

    width: int = 160
    height: int = 120


def picture(canvas: Canvas, shot: Shot, video: Video, chance: np.random.Generator) -> Bytes:
    """A picture with MARGIN on each side: uint8 [height + 2 MARGIN, width + 2 MARGIN, 3]."""
    x, y = _coordinates(canvas)
    figure = motif(shot.role, x, y, canvas, chance)
    mood = video.mood
    # A glad mood is bright, rich in contrast and warm.
    contrast = 0.17 + 0.09 * mood.valence
    value = 0.36 + 0.24 * mood.valence + shot.palette.lift + contrast * (2 * figure - 1)
    value = value + texture(shot.look, value.shape, chance)
    value *= 1 - video.vignette * np.clip((x - 0.5) ** 2 + (y - 0.5) ** 2, 0, 0.5)
    hue = np.clip(shot.palette.hue + video.hue_shift + 16 * (figure - 0.5), 18, 342)
    pixels = _rgb(hue, shot.palette.saturation, np.clip(value, 0.1, 1.0))
    warmth = 0.16 * (mood.valence - 0.5)
    pixels *= np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    return np.clip(pixels * 255, 0, 255).astype(np.uint8)


def _coordinates(canvas: Canvas) -> tuple[Floats, Floats]:
    """Columns [1, w] and rows [h, 1]: 0..1 over the visible part."""
    x, y = (np.arange(-MARGIN, size + MARGIN, dtype=np.float32) / np.float32(size) for size in (canvas.width, canvas.height))
    return x[None, :], y[:, None]


def _rgb(hue: Floats, saturation: float, value: Floats) -> Floats:
    """HSV (degrees, 0..1, 0..1) to RGB 0..1 (A. R. Smith 1978, "Color gamut transform pairs")."""
    k = (np.array([5, 3, 1]) + hue[..., None] / 60) % 6
    rgb = value[..., None] * (1 - saturation * np.clip(np.minimum(k, 4 - k), 0, 1))
    return rgb.astype(np.float32)


def motif(role: int, x: Floats, y: Floats, canvas: Canvas, chance: np.random.Generator) -> Floats:
    """Where a role has its light figure: float [h, w], 1 in the figure; its place and size vary a little."""
    cx, cy = 0.5 + chance.uniform(-0.05, 0.05, size=2)
    scale = chance.uniform(0.9, 1.1)
    wide = canvas.width / canvas.height
    across, down = (x - cx) * wide, y - cy  # both in picture heights
    radius = np.hypot(across, down)
    angle = np.arctan2(down, across)
    ones = np.ones(np.broadcast_shapes(x.shape, y.shape), dtype=bool)
    cell = 0.2 * scale
    figures = {
        "horizon": (y > 0.5 + 1.5 * (cy - 0.5)) & ones,
        "disc": radius < 0.36 * scale,
        "columns": (np.floor(across / cell) % 2 == 0) & ones,
        "checker": (np.floor(across / cell * 0.8) + np.floor(down / cell * 0.8)) % 2 == 0,
        "wedge": across + wide * down > 0.1 * (scale - 1),
        "ring": _dots(radius, angle, 0.36 * scale),
        "frame": np.maximum(np.abs(across) - (wide - 1) / 2, np.abs(down)) > 0.33 * scale,
        "bands": (np.floor(down / cell) % 2 == 0) & ones,
    }
    return figures[ROLES[role]].astype(np.float32)


def _dots(radius: Floats, angle: Floats, size: float) -> np.ndarray:
    step = 2 * np.pi / 9
    off = (angle % step - step / 2) * radius
    return np.hypot(radius - size, off) < 0.085


def texture(look: int | None, shape: tuple[int, int], chance: np.random.Generator) -> Floats:
    """What is added to the value: float [h, w]. None is the soft background of a close-up; each look has a family."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if look is None:
        return 0.05 * _blobs(shape, 30, chance)
    if look == 0:  # grain
        return 0.055 * _blobs(shape, 2, chance)
    if look == 1:  # clouds
        return 0.07 * _blobs(shape, 8, chance)
    phase = chance.uniform(0, 6)
    if look == 2:  # a lattice of small points
        return np.where((np.hypot((x + phase) % 8 - 4, (y + phase) % 8 - 4) < 2), 0.13, -0.03).astype(np.float32)
    return (0.08 * np.sin((x + y + phase) * 2 * np.pi / 8)).astype(np.float32)  # hatching


def _blobs(shape: tuple[int, int], size: int, chance: np.random.Generator) -> Floats:
    """Smooth noise of about unit variance with blobs of ``size`` pixels."""
    height, width = shape
    small = chance.standard_normal((height // size + 2, width // size + 2)).astype(np.float32)
    large = Image.fromarray(1.2 * small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32)
