"""Deterministic stand-ins for tests, of this project and of others' components."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames, Sound
from mmgraph.types import Floats


class FakeEncoder(Encoder):
    """Vectors in -1..1 from the SHA-256 of what a clip holds: equal clips, equal vectors, on every machine.

    modality, width, name: of its card; lacks: what ``available`` answers when not empty; fails: what ``load`` raises when not
    empty. ``encoded`` counts the clips it was given. In a YAML: ``class_path: mmgraph.testing.FakeEncoder``.
    """

    def __init__(
        self,
        *,
        modality: Literal["image", "audio", "text"] = "image",
        width: int = 8,
        name: str = "fake",
        lacks: str = "",
        fails: str = "",
    ) -> None:
        self.modality, self.width, self.name = modality, width, name
        self.lacks, self.fails = lacks, fails
        self.encoded = 0

    def available(self) -> str | None:
        """None, or what it was told to lack."""
        return self.lacks or None

    def load(self, device: str = "cpu") -> None:  # noqa: ARG002 - there is nothing to put there
        """Nothing, or the failure it was told."""
        if self.fails:
            raise EncoderError(self.fails)

    @property
    def card(self) -> EncoderCard:
        """Made of its arguments."""
        return EncoderCard(self.name, self.modality, "none", "1", self.width, "anything", "Apache-2.0", "none")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        self.encoded += len(clips)
        return np.stack([fake_vector(_bytes(clip), self.width) for clip in clips])


def _bytes(clip: Clip) -> bytes:
    if isinstance(clip, Frames):
        return np.ascontiguousarray(clip.pixels).tobytes()
    return np.ascontiguousarray(clip.samples).tobytes() if isinstance(clip, Sound) else clip.text.encode()


def fake_vector(content: bytes, width: int) -> Floats:
    """float32 [width] in -1..1 that depends on ``content`` alone.

    >>> fake_vector(b"a", 2).tolist() == fake_vector(b"a", 4)[:2].tolist()
    True
    """
    blocks = [hashlib.sha256(content + b"/" + str(block).encode()).digest() for block in range((width + 7) // 8)]
    words = np.frombuffer(b"".join(blocks), "<u4")[:width]
    return (words / 2.0**31 - 1.0).astype(np.float32)
