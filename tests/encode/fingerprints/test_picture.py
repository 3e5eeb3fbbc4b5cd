"""Copies of a picture are near it, other pictures are not; and what says nothing is no evidence."""

import io

import numpy as np
import pytest
from PIL import Image

from mmgraph.encode.fingerprints.alignment import SIDE
from mmgraph.encode.fingerprints.picture import ImageFingerprint, bits, distance, evidence, grey_squares
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Frames, Sound
from mmgraph.testing import awkward_clips, check_encoder


def scene(seed, blobs=40, size=(120, 160)):
    """Rectangles of all sizes: something to see everywhere."""
    rng = np.random.default_rng(seed)
    canvas = np.full((*size, 3), 128, np.uint8)
    for _ in range(blobs):
        top, left = rng.integers(0, size[0] - 10), rng.integers(0, size[1] - 10)
        tall, wide = rng.integers(10, 60, 2)
        canvas[top : top + tall, left : left + wide] = rng.integers(20, 230, 3)  # what clips at white is another picture
    return canvas


def still(pixels):
    return Frames(np.asarray(pixels)[None])


def jpeg(pixels, quality):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out).convert("RGB"))


def changed(pixels):
    height, width = pixels.shape[:2]
    marked = pixels.copy()
    marked[-height // 8 :, -width // 4 :] = 255
    return {
        "jpeg": jpeg(pixels, 30),
        "half": np.asarray(Image.fromarray(pixels).resize((width // 2, height // 2))),
        "bright": np.minimum(pixels * 1.1, 255).astype(np.uint8),
        "crop": pixels[height // 40 : -height // 40, width // 40 : -width // 40],
        "mark": marked,
    }


@pytest.mark.parametrize("frames", [1, 4])
def test_it_keeps_the_contract_of_encoders(frames):
    encoder = ImageFingerprint(frames=frames)
    assert encoder.available() is None
    encoder.load()
    check_encoder(encoder, awkward_clips("image"))
    assert encoder.identity() == encoder.card.key()
    for clip in awkward_clips("image"):
        once = encoder.prepare(clip)
        np.testing.assert_array_equal(encoder.prepare(once).pixels, once.pixels)


def test_other_clips_are_refused():
    with pytest.raises(EncoderError, match="fingerprint of pictures was given a clip without frames"):
        ImageFingerprint().encode([Sound(np.zeros((1, 5), np.float32), 8000)])


def test_nothing_and_one():
    encoder = ImageFingerprint()
    none = encoder.encode([])
    assert grey_squares(none)[0].shape == (0, 1, SIDE, SIDE)
    assert evidence(none).shape == bits(none).shape[:1] == distance(none, none, 0.2).shape == (0,)
    one = encoder.encode([still(scene(0))])
    assert distance(one, one, 0.2)[0] == pytest.approx(0, abs=1e-3)


def test_grey_values_come_back():
    pixels = np.repeat(np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 1), np.uint8), 3, axis=3)
    grey, use = grey_squares(ImageFingerprint(frames=2).encode([Frames(pixels)]))
    np.testing.assert_array_equal(grey[0, 0], pixels[0, :, :, 0])
    assert use.tolist() == [[True, False]]


def test_copies_are_near_and_others_are_not():
    originals = [scene(seed) for seed in range(12)]
    encoder = ImageFingerprint()
    own = encoder.encode([still(one) for one in originals])
    for name in changed(originals[0]):
        copies = encoder.encode([still(changed(one)[name]) for one in originals])
        assert (distance(own, copies, 0.2) <= 0.2).mean() >= 0.9, name
    others = distance(own, np.roll(own, 1, axis=0), 0.2)
    assert (others > 0.5).all()


def test_one_moment_of_a_scene_is_not_another():
    """The same place; in the middle something else stands."""
    first = scene(3)
    second = first.copy()
    second[40:90, 60:100] = scene(4)[40:90, 60:100]
    made = ImageFingerprint().encode([still(first), still(second)])
    assert distance(made[:1], made[1:], 0.2)[0] > 0.2


def test_bits_are_signs_of_neighbouring_areas():
    made = ImageFingerprint().encode([still(scene(5))])
    grey = grey_squares(made)[0][0, 0].astype(int)
    areas = np.array([[grey[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].sum() for j in range(16)] for i in range(16)])
    right = [areas[i, j + 1] > areas[i, j] for i in range(16) for j in range(15)]
    below = [areas[i + 1, j] > areas[i, j] for i in range(15) for j in range(16)]
    np.testing.assert_array_equal(np.unpackbits(bits(made)[0]), np.array([*right, *below], int))


@pytest.mark.parametrize("value", [0, 17, 255])
def test_flat_pictures_are_no_evidence(value):
    rng = np.random.default_rng(1)
    flat = np.clip(value + rng.integers(-1, 2, (2, 50, 60, 3)), 0, 255).astype(np.uint8)
    made = ImageFingerprint().encode([still(one) for one in flat])
    assert not evidence(made).any()
    assert np.isinf(distance(made[:1], made[1:], 0.2)).all()


def test_three_of_four_frames_must_agree():
    frames = np.stack([scene(seed) for seed in range(4)])
    one_other, two_other = frames.copy(), frames.copy()
    one_other[0], two_other[:2] = scene(9), frames[2:]
    made = ImageFingerprint(frames=4).encode([Frames(some) for some in (frames, one_other, two_other)])
    near = distance(made[[0, 0]], made[[1, 2]], 0.2)
    assert near[0] == pytest.approx(0, abs=1e-3)
    assert near[1] > 0.2
