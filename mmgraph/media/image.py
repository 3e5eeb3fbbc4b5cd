"""A still picture: upright by its EXIF, on white where it is see-through, RGB whatever it was."""

import contextlib
import struct
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mmgraph.errors import MediaError
from mmgraph.media.clip import Frames
from mmgraph.media.guard import guarded

LONGEST_SIDE = 1024  # encoders look at 224 to 384 pixels; larger pictures are shrunk so that a batch stays small
_WIDE = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_lock = threading.Lock()  # Pillow's limit and the warning filters belong to the whole process


def read(path: Path, max_pixels: int) -> Frames:
    """One frame uint8 [1, h, w, 3], its longer side at most LONGEST_SIDE; of an animation the first. Raises MediaError."""
    with guarded(path), _lock, _own_limit(), Image.open(path) as image:
        size_of(image, path, max_pixels)
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        image.load()
        upright = _upright(image)
        if max(upright.size) > LONGEST_SIDE:
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), reducing_gap=2.0)
        return Frames(np.asarray(_rgb(upright), dtype=np.uint8)[None])


def size_of(image: Image.Image, path: Path, max_pixels: int) -> tuple[int, int]:
    """Width and height as the header states them; raises MediaError over ``max_pixels``, before anything is decoded."""
    width, height = image.size
    if width * height > max_pixels:
        raise MediaError(f"{width} x {height} pixels are more than media.max_pixels = {max_pixels}", given=path)
    return width, height


@contextlib.contextmanager
def _own_limit() -> Iterator[None]:
    kept = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is checked instead
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF and the like: the picture itself decides
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = kept


def _upright(image: Image.Image) -> Image.Image:
    """In place where nothing turns: a copy of a large picture is many megabytes."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, SyntaxError, ZeroDivisionError, struct.error):
        ImageOps.exif_transpose(image, in_place=True)  # EXIF that cannot be read turns nothing
    return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _WIDE:
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        see_through = image.convert("RGBA")
        white = Image.new("RGBA", see_through.size, "white")
        return Image.alpha_composite(white, see_through).convert("RGB")
    return image.convert("RGB")


def _eight_bits(
    grey: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """16 and 32 bit grey to 0..255: by what the type can hold, not by what the picture holds, so that dark stays dark."""
    values = np.nan_to_num(grey.astype(np.float64))
    highest = float(values.max(initial=0.0))
    full = (
        1.0 if grey.dtype.kind == "f" and highest <= 1.0 else 255.0 if highest <= 255 and grey.dtype != np.uint16 else 65535.0
    )
    return (np.clip(values / full, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
