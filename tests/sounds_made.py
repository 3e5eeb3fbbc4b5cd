"""Sounds of every kind, and encoders built as settings build them, for the tests of encoders of sound."""

import numpy as np

from mmgraph import registry
from mmgraph.media.clip import Sound
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder


def built(name, **arguments):
    return registry.create(
        "encoder",
        Component(class_path=name, init_args={k: str(v) if k in ("model", "state") else v for k, v in arguments.items()}),
    )


def encoder(name, **arguments):
    made = built(name, **arguments)
    assert made.available() is None
    made.load()
    return made


def noise(seconds, rate=16_000, channels=1, seed=0):
    return Sound(np.random.default_rng(seed).normal(0, 0.1, (channels, int(seconds * rate))).astype(np.float32), rate)


def every_kind_of_sound():
    """Ordinary and awkward: rates from 8 to 192 kHz, one channel to eight, empty, one sample, silent, far too loud."""
    made = [noise(0.5, rate, channels, rate) for rate, channels in ((8_000, 1), (44_100, 2), (96_000, 6), (192_000, 8))]
    loud = Sound(np.full((1, 4000), 1e30, np.float32), 16_000)
    return [*made, Sound(np.zeros((8, 0), np.float32), 48_000), Sound(np.zeros((1, 1), np.float32), 8_000), loud]


def check(made, tolerance=1e-5):
    """The contract, on sounds of all kinds, and that preparing twice is preparing once."""
    check_encoder(made, awkward_clips("audio"), tolerance)
    kinds = every_kind_of_sound()
    vectors = made.encode(kinds)
    assert np.isfinite(vectors).all()
    for clip in kinds[:5]:
        once = made.prepare(clip)
        assert once.samples.shape[0] == 1
        assert made.prepare(once) is once
    np.testing.assert_allclose(made.encode([made.prepare(clip) for clip in kinds]), vectors, atol=tolerance)
