"""Copies of a sound share its bits at some shift, other sounds do not; and silence says nothing."""

import numpy as np
import pytest
from scipy.signal import lfilter, resample_poly

from mmgraph.encode.fingerprints.sound import SoundFingerprint, distance, evidence
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Frames, Sound
from mmgraph.testing import awkward_clips, check_encoder

RATE = 16_000


def noise(seed, seconds):
    """Sound whose colour changes every tenth of a second."""
    rng = np.random.default_rng(seed)
    parts = [lfilter([1], [1, -a], rng.normal(size=RATE // 10)) for a in rng.uniform(-0.9, 0.9, int(10 * seconds))]
    return (0.05 * np.concatenate(parts)).astype(np.float32)


def fingerprints(*samples, rate=RATE):
    return SoundFingerprint().encode([Sound(np.atleast_2d(one), rate) for one in samples])


def test_it_keeps_the_contract_of_encoders():
    encoder = SoundFingerprint()
    assert encoder.available() is None
    encoder.load()
    check_encoder(encoder, awkward_clips("audio"))
    assert encoder.identity() == encoder.card.key()
    for clip in awkward_clips("audio"):
        once = encoder.prepare(clip)
        np.testing.assert_array_equal(encoder.prepare(once).samples, once.samples)


def test_other_clips_are_refused():
    with pytest.raises(EncoderError, match="fingerprint of sounds was given a clip without sound"):
        SoundFingerprint().encode([Frames(np.zeros((1, 4, 4, 3), np.uint8))])


def test_nothing_and_one():
    none = SoundFingerprint().encode([])
    assert evidence(none).shape == distance(none, none).shape == (0,)
    one = fingerprints(noise(0, 1))
    assert distance(one, one)[0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seconds", [0.8, 6.0])
def test_copies_are_near_and_others_are_not(seconds):
    own = noise(1, seconds)
    shift = RATE // 20
    copies = {
        "quieter": own / 2,
        "later": np.concatenate([np.zeros(shift, np.float32), own]),
        "cut": own[shift:],
        "noisy": own + 0.001 * np.random.default_rng(2).normal(size=len(own)).astype(np.float32),
    }
    first = fingerprints(own)
    for name, copy in copies.items():
        assert distance(first, fingerprints(copy))[0] <= 0.2, name
    half = fingerprints(resample_poly(own, 1, 2).astype(np.float32), rate=RATE // 2)
    assert distance(first, half)[0] <= 0.2
    others = fingerprints(*(noise(seed, seconds) for seed in range(2, 12)))
    assert (distance(np.repeat(first, 10, axis=0), others) > 0.3).all()


def test_a_second_may_be_missing_at_the_start_of_a_long_sound():
    own = noise(3, 8)
    assert distance(fingerprints(own), fingerprints(own[RATE:]))[0] <= 0.2
    assert distance(fingerprints(own), fingerprints(own[3 * RATE :]))[0] > 0.3  # further than is looked


def test_short_and_long_are_not_compared():
    own = noise(4, 6)
    assert distance(fingerprints(own), fingerprints(own[: 3 * RATE]))[0] == 1


def test_silence_steady_tones_and_a_click_are_no_evidence():
    time = np.arange(2 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    made = fingerprints(np.zeros(RATE, np.float32), tone, noise(5, 1)[: RATE // 20], np.zeros(0, np.float32), noise(5, 1))
    assert evidence(made).tolist() == [False, False, False, False, True]
