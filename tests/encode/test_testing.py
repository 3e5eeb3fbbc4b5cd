import hashlib

import numpy as np
import pytest

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Frames, Sound, Words
from mmgraph.testing import FakeEncoder, awkward_clips, check_encoder, fake_vector


def test_equal_content_gives_equal_vectors_on_every_machine():
    digest = hashlib.sha256(b"abc/0").digest()
    first = [int.from_bytes(digest[i : i + 4], "little") / 2**31 - 1 for i in (0, 4, 8)]
    np.testing.assert_allclose(fake_vector(b"abc", 3), first, atol=1e-6)
    assert fake_vector(b"abc", 20).shape == (20,)
    assert (np.abs(fake_vector(b"abc", 1000)) <= 1).all()


@pytest.mark.parametrize(
    ("modality", "clip"),
    [
        ("image", Frames(np.zeros((1, 2, 2, 3), np.uint8))),
        ("audio", Sound(np.zeros((1, 5), np.float32), 8000)),
        ("text", Words("a")),
    ],
)
def test_each_modality(modality, clip):
    encoder = FakeEncoder(modality=modality, width=5)
    vectors = encoder.encode([clip, clip])
    assert vectors.shape == (2, 5)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert encoder.encode([]).shape == (0, 5)
    assert encoder.card.modality == modality


def test_the_contract_refuses_what_does_not_fit():
    class Wide(FakeEncoder):
        def _encode(self, clips):
            return np.zeros((len(clips), 9))

    class Broken(FakeEncoder):
        def _encode(self, clips):
            return np.full((len(clips), 8), np.inf)

    with pytest.raises(EncoderError, match=r"fake gave a wrong shape; given: \(1, 9\)"):
        Wide().encode([Words("a")])
    with pytest.raises(EncoderError, match="not finite"):
        Broken().encode([Words("a")])
    with pytest.raises(EncoderError, match="no weights today"):
        FakeEncoder(fails="no weights today").load()


class Leaky(FakeEncoder):
    """Vectors that depend on the rest of the batch."""

    def _encode(self, clips):
        return super()._encode(clips) + np.float32(len(clips) / 100)


class Scribbling(FakeEncoder):
    def _encode(self, clips):
        vectors = super()._encode(clips)
        clips[0].pixels[:] = 0
        return vectors


class Constant(FakeEncoder):
    def _encode(self, clips):
        return np.ones((len(clips), self.width), np.float32)


@pytest.mark.parametrize("modality", ["image", "audio", "text"])
def test_an_honest_encoder_passes_the_check(modality):
    check_encoder(FakeEncoder(modality=modality), awkward_clips(modality))


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [(Leaky(), "alone and in a batch differ"), (Scribbling(), "differ|wrote"), (Constant(), "have one vector")],
)
def test_a_broken_one_does_not(encoder, reason):
    with pytest.raises(AssertionError, match=reason):
        check_encoder(encoder, awkward_clips("image"))
