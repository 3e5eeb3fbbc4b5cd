"""Pictures as small grey squares, and which of two pictures is a copy of the other."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.encode.fingerprints.alignment import SIDE, differences
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames
from mmgraph.types import Bools, Bytes, Floats, Modality

_PIXELS = SIDE * SIDE
_PACK = 3  # bytes in one float32, which holds whole numbers up to 2^24
_FRAME = -(-_PIXELS // _PACK)
_NO_FRAME = -1.0
_CELL, _BUSY, _BUSY_CELLS = 4, 2.5, 8
_BLOCK = 4096
MOST_BITS = 0.33  # of a copy that has lost a twentieth on two sides; other pictures differ in half
_MATCHING = 0.75  # share of the frames of two clips that must be alike


class ImageFingerprint(Encoder):
    """Up to ``frames`` frames, evenly chosen, each as ``SIDE`` x ``SIDE`` grey values; nothing to learn, nothing to download.

    The vector holds the bytes of the frames, three in a number; ``grey_squares`` gives them back. The bits of a perceptual hash
    (Zauner 2010; here the signs of differences between neighbouring areas, which a mark in a corner leaves alone) are
    made from them by ``bits``, and what they find is compared by ``distance``.
    """

    modality: Modality = "image"

    def __init__(self, *, frames: int = 1) -> None:
        self.frames = frames

    def available(self) -> str | None:
        """Always."""
        return None

    def identity(self) -> str | None:
        """Its card says all."""
        return self.card.key()

    def load(self, device: str = "cpu") -> None:
        """Nothing to bring."""

    @property
    def card(self) -> EncoderCard:
        """A change of the computation changes the revision, and so the key."""
        return EncoderCard(
            name="image_fingerprint",
            modality="image",
            weights="none",
            revision="1",
            width=self.frames * _FRAME,
            input=f"{SIDE} px, {self.frames} frames",
            licence="Apache-2.0",
            paper="Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions",
        )

    def prepare(self, clip: Clip) -> Clip:
        """The chosen frames, resized."""
        if not isinstance(clip, Frames) or not len(clip.pixels):
            raise EncoderError("a fingerprint of pictures was given a clip without frames", todo="give it image clips")
        chosen = clip.pixels
        if len(chosen) > self.frames:
            chosen = chosen[((np.arange(self.frames) + 0.5) * len(chosen) / self.frames).astype(np.int64)]
        if chosen.shape[1:3] != (SIDE, SIDE):
            chosen = np.stack([_shrunk(frame) for frame in chosen])
        return Frames(chosen, tuple(float(i) for i in range(len(chosen))))

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        vectors = np.full((len(clips), self.frames, _FRAME), _NO_FRAME, np.float32)
        for row, clip in zip(vectors, clips, strict=True):
            assert isinstance(clip, Frames)
            grey = np.stack([cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in clip.pixels])
            row[: len(grey)] = _packed(grey.reshape(len(grey), _PIXELS))
        return vectors.reshape(len(clips), -1)


def _shrunk(frame: Bytes) -> Bytes:
    how = cv2.INTER_AREA if min(frame.shape[:2]) >= SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(frame), (SIDE, SIDE), interpolation=how), np.uint8)


def _packed(grey: Bytes) -> Floats:
    """uint8 [n, pixels] -> float32 [n, _FRAME]."""
    padded = np.pad(grey, ((0, 0), (0, _FRAME * _PACK - grey.shape[1]))).reshape(len(grey), _FRAME, _PACK)
    return (padded @ (256 ** np.arange(_PACK))).astype(np.float32)


def grey_squares(vectors: Floats) -> tuple[Bytes, Bools]:
    """uint8 [n, frames, SIDE, SIDE], and which frames carry evidence: bool [n, frames].

    A frame is evidence where something is to be seen in an eighth of its area at least: black, white and blurred ones look
    like each other whatever they were.
    """
    packed = np.asarray(vectors, np.float32).reshape(len(vectors), vectors.shape[1] // _FRAME, _FRAME)
    there = packed[:, :, 0] != _NO_FRAME
    whole = np.maximum(packed, 0).astype(np.int32)
    parts = np.stack([whole & 255, (whole >> 8) & 255, whole >> 16], axis=-1).astype(np.uint8)
    grey = parts.reshape(*there.shape, _FRAME * _PACK)[:, :, :_PIXELS].reshape(*there.shape, SIDE, SIDE)
    cells = grey.reshape(*there.shape, SIDE // _CELL, _CELL, SIDE // _CELL, _CELL).astype(np.float32)
    busy = cells.std(axis=(3, 5)) >= _BUSY
    return grey, there & (busy.sum(axis=(2, 3)) >= _BUSY_CELLS)


def evidence(vectors: Floats) -> Bools:
    """bool [n]: which clips have any frame that carries evidence."""
    use = [grey_squares(vectors[start : start + _BLOCK])[1].any(axis=1) for start in range(0, len(vectors), _BLOCK)]
    return np.concatenate([np.zeros(0, np.bool_), *use])


def bits(vectors: Floats) -> Bytes:
    """Perceptual hashes, packed: uint8 [n, 60 * frames]; a frame without evidence has none set.

    480 bits a frame: whether each of 16 x 16 areas is brighter than the next to the right, and than the next below.
    """
    parts = [_bits(vectors[start : start + _BLOCK]) for start in range(0, len(vectors), _BLOCK)]
    return np.concatenate(parts) if parts else np.zeros((0, 60), np.uint8)


def _bits(vectors: Floats) -> Bytes:
    grey, use = grey_squares(vectors)
    areas = grey.reshape(*use.shape, SIDE // 2, 2, SIDE // 2, 2).sum(axis=(3, 5), dtype=np.int32)
    right = (areas[..., 1:] > areas[..., :-1]).reshape(*use.shape, -1)
    below = (areas[..., 1:, :] > areas[..., :-1, :]).reshape(*use.shape, -1)
    signs = np.concatenate([right, below], axis=2) & use[:, :, None]
    return np.packbits(signs, axis=2).reshape(len(grey), -1)


def distance(first: Floats, second: Floats, most: float) -> Floats:
    """How different the pictures of each pair are, float32 [pairs]: 0 the same, 1 and above unlike.

    Clips of several frames are compared frame by frame in their order; three quarters of those that are evidence in either
    must be alike, and the worst of these three quarters is the distance. Beyond ``most`` it may be any larger number.
    """
    (one, use), (other, also) = grey_squares(first), grey_squares(second)
    found = np.full(use.shape, np.inf, np.float32)
    both = use & also
    found[both] = differences(one[both], other[both], most)
    counted = (use | also).sum(axis=1)
    found.sort(axis=1)
    place = np.maximum(np.ceil(_MATCHING * counted).astype(np.int64) - 1, 0)
    return np.where(counted > 0, found[np.arange(len(found)), place], np.float32(np.inf)).astype(np.float32)
