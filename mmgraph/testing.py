"""Deterministic stand-ins for tests, of this project and of others' components."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames, Sound, Words
from mmgraph.types import Floats, Modality


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

    def load(self, device: str = "cpu") -> None:
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


def awkward_clips(modality: Modality, seed: int = 0) -> list[Clip]:
    """Ordinary clips and those that encoders break on: black, one pixel, silent, empty, one sample, very long."""
    random = np.random.default_rng(seed)
    if modality == "image":
        shapes = [(4, 60, 90, 3), (1, 300, 200, 3), (2, 7, 5, 3), (1, 1, 1, 3)]
        black = Frames(np.zeros((3, 20, 20, 3), np.uint8), (0.0, 1.0, 2.0))
        noisy = [random.integers(0, 256, shape, np.uint8) for shape in shapes]
        return [*(Frames(some, tuple(float(t) for t in range(len(some)))) for some in noisy), black]
    if modality == "audio":
        lengths = [(1, 8000, 8000), (2, 70_000, 44_100), (1, 3, 16_000), (2, 0, 22_050)]
        sounds = [Sound(random.normal(0, 0.1, (c, n)).astype(np.float32), rate) for c, n, rate in lengths]
        return [*sounds, Sound(np.zeros((1, 30_000), np.float32), 11_025)]
    return [Words(text) for text in ("A man is eating.", "", "Über den Wolken 上海 🙂", "word " * 2000, "   \n")]


def check_encoder(encoder: Encoder, clips: Sequence[Clip], tolerance: float = 1e-5) -> None:
    """Raise AssertionError where a loaded encoder breaks the contract on ``clips``.

    Shape, type, finite numbers; a clip's vector is the same alone, in a batch, in another order; different clips differ (two
    may be alike: silences, empty texts); inputs are not written to; no clips give no vectors.
    """
    copies = [_bytes(clip) for clip in clips]
    vectors = encoder.encode(clips)
    assert vectors.shape == (len(clips), encoder.card.width), f"shape {vectors.shape}"
    assert vectors.dtype == np.float32, f"type {vectors.dtype}"
    assert np.isfinite(vectors).all(), "numbers that are not finite"
    alone = np.concatenate([encoder.encode([clip]) for clip in clips])
    np.testing.assert_allclose(alone, vectors, atol=tolerance, err_msg="alone and in a batch differ")
    np.testing.assert_allclose(
        encoder.encode(clips[::-1])[::-1], vectors, atol=tolerance, err_msg="the order of a batch matters"
    )
    assert len(np.unique(vectors.round(4), axis=0)) >= len(clips) - 2, "different clips have one vector"
    assert [_bytes(clip) for clip in clips] == copies, "the encoder wrote to what it was given"
    assert encoder.encode([]).shape == (0, encoder.card.width), "no clips gave vectors"
