"""Draw the frames of a video: a picture for each shot, a moving camera, moving things, grain."""

from collections.abc import Iterator

import numpy as np

from mmgraph.corpus.chance import stream
from mmgraph.corpus.pictures import MARGIN, Canvas, picture
from mmgraph.corpus.truth import FRAME_RATE_HZ, Shot, Still, Video
from mmgraph.types import Bytes

MOST_THINGS = 15


def frames(seed: int, index: int, video: Video, canvas: Canvas) -> Iterator[Bytes]:
    """Each frame of a video in turn, uint8 [height, width, 3]."""
    chance = stream(seed, "pixels", index)
    for shot in video.shots:
        yield from _shot(shot, video, canvas, chance)


def still(seed: int, index: int, planned: Still, video: Video, canvas: Canvas) -> Bytes:
    """One image in the manner of its video, uint8 [height, width, 3]."""
    chance = stream(seed, "image", index)
    pixels = picture(canvas, planned.shot, video, chance)[MARGIN:-MARGIN, MARGIN:-MARGIN].copy()
    _Things(canvas, video.mood.arousal, chance).draw(pixels, 0)
    return _grained(pixels, _grain(pixels.shape, video.grain, 1, chance)[0])


def _shot(shot: Shot, video: Video, canvas: Canvas, chance: np.random.Generator) -> Iterator[Bytes]:
    whole = picture(canvas, shot, video, chance)
    things = _Things(canvas, video.mood.arousal, chance)
    grain = _grain((canvas.height, canvas.width, 3), video.grain, 6, chance)
    for number, (left, top) in enumerate(_camera(round((shot.end_s - shot.start_s) * FRAME_RATE_HZ), video, chance)):
        pixels = whole[top : top + canvas.height, left : left + canvas.width].copy()
        things.draw(pixels, number)
        yield _grained(pixels, grain[number % len(grain)])


def _camera(count: int, video: Video, chance: np.random.Generator) -> list[list[int]]:
    """Left and top edge of the visible part for each frame; an excited camera swings wider and faster."""
    arousal = video.mood.arousal
    times = np.arange(count)[:, None] / FRAME_RATE_HZ
    swing = (1.5 + 4.5 * arousal) * np.sin(2 * np.pi * (times / (4 - 2 * arousal) + chance.random(2)))
    return np.rint(MARGIN + swing).astype(int).tolist()


def _grain(shape: tuple[int, ...], sigma: float, count: int, chance: np.random.Generator) -> np.ndarray:
    height, width, _ = shape
    return np.rint(chance.normal(0, sigma, size=(count, height, width, 1))).astype(np.int16)


def _grained(pixels: Bytes, grain: np.ndarray) -> Bytes:
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


class _Things:
    """Small things that cross the picture: more, longer and faster ones where the mood is excited."""

    def __init__(self, canvas: Canvas, arousal: float, chance: np.random.Generator) -> None:
        count = 1 + round((MOST_THINGS - 1) * arousal)
        self._size = np.array([canvas.width, canvas.height])
        self._from = chance.random((count, 2)) * self._size
        angles = chance.uniform(0, 2 * np.pi, size=count)
        pixels_a_frame = (4 + 50 * arousal) / FRAME_RATE_HZ * chance.uniform(0.7, 1.3, size=(count, 1))
        self._step = pixels_a_frame * np.column_stack([np.cos(angles), np.sin(angles)])
        self._extent = (4 + np.abs(self._step)).astype(int)
        self._grey = np.where(np.arange(count) % 2, 245, 12)

    def draw(self, pixels: Bytes, number: int) -> None:
        """Put the things where they are in frame ``number``."""
        places = ((self._from + number * self._step) % self._size).astype(int)
        for (x, y), (width, height), grey in zip(places.tolist(), self._extent.tolist(), self._grey, strict=True):
            pixels[y : y + height, x : x + width] = grey
