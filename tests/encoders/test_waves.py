"""Resampling, windows, and the log-mel front end, each against a slow computation."""

import numpy as np
import pytest
import torch
import torchaudio
from sounds_made import noise

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Sound
from mmgraph_encoders import waves
from mmgraph_encoders.log_mel import LogMel


def test_preparing_is_the_mean_of_channels_resampled():
    clip = noise(0.3, 44_100, 2)
    expected = torchaudio.functional.resample(torch.from_numpy(clip.samples.mean(axis=0)), 44_100, 16_000)
    made = waves.prepared(clip, 16_000)
    assert (made.rate_hz, made.samples.shape) == (16_000, (1, len(expected)))
    np.testing.assert_allclose(made.samples[0], expected, atol=1e-6)
    assert waves._resampler(441, 160) is waves._resampler(441, 160)  # the kernel is computed once


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_101, 192_000])
def test_a_tone_keeps_its_pitch_and_its_length(rate):
    times = np.arange(rate) / rate
    made = waves.prepared(Sound(np.sin(2 * np.pi * 440 * times, dtype=np.float32)[None], rate), 16_000).samples[0]
    assert abs(len(made) - 16_000) <= 2
    assert np.abs(np.fft.rfft(made[:16_000])).argmax() == 440


@pytest.mark.parametrize("length", [0, 1, 4, 5, 10, 14, 15, 24, 25, 31])
@pytest.mark.parametrize("hop", [10, 4])
def test_windows_are_those_of_a_loop(length, hop):
    samples = torch.arange(length, dtype=torch.float32)
    expected, reached = [samples[:10]], min(10, length)
    for start in range(hop, length, hop):
        if min(length, start + 10) - reached >= hop / 2:
            expected.append(samples[start : start + 10])
        reached = min(length, start + 10)
    found = waves.windows(samples, 10, hop)
    assert [piece.tolist() for piece in found] == [piece.tolist() for piece in expected]


def test_pieces_of_like_length_are_computed_together_and_returned_in_order():
    pieces = [np.full(n, i, np.float32) for i, n in enumerate((3, 5, 3, 9, 5, 3))]
    calls = []

    def compute(some):
        calls.append([len(piece) for piece in some])
        return torch.tensor([[piece[0], len(piece)] for piece in some])

    for masked, longest, expected in ((False, 100, [[3, 3, 3], [5, 5], [9]]), (True, 15, [[3, 3, 3], [5, 5], [9]])):
        calls.clear()
        found = waves.by_length(pieces, compute, longest, masked=masked)
        np.testing.assert_array_equal(found, [[i, len(piece)] for i, piece in enumerate(pieces)])
        assert calls == expected
    calls.clear()
    waves.by_length(pieces, compute, 30, masked=True)
    assert calls == [[3, 3, 3, 5, 5], [9]]


def test_pooling_over_windows_is_that_of_a_loop():
    vectors, counts = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32), [1, 3, 2]
    parts = [vectors[:1], vectors[1:4], vectors[4:]]
    np.testing.assert_allclose(waves.over_windows(vectors, counts, "mean"), [p.mean(axis=0) for p in parts], atol=1e-6)
    np.testing.assert_array_equal(waves.over_windows(vectors, counts, "max"), [p.max(axis=0) for p in parts])


def slow_patches(samples, front):
    """One frame, one band, one patch after another."""
    frames = []
    for start in range(0, len(samples) - front.window + 1, front.hop):
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(front.window) / front.window)
        spectrum = np.abs(np.fft.rfft(samples[start : start + front.window] * window, front.n_fft)) ** front.power
        frames.append(spectrum)
    hz = np.linspace(0, front.rate_hz / 2, front.n_fft // 2 + 1)
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    edges = 700 * (10 ** (np.linspace(mel(front.low_hz), mel(front.high_hz), front.mels + 2) / 2595) - 1)
    banks = []
    for low, middle, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        banks.append(np.maximum(0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle))))
    energies = np.log(np.array(frames) @ np.array(banks).T + front.floor)
    return [energies[i : i + front.patch_frames] for i in range(0, len(energies) - front.patch_frames + 1, front.patch_hop)]


@pytest.mark.parametrize(
    "settings",
    [{}, {"patch_hop": 96, "floor": 0.01}, {"mels": 32, "hop": 200, "power": 2.0, "low_hz": 60.0, "patch_frames": 30}],
)
def test_patches_are_those_of_a_loop(settings):
    front, clip = LogMel(**settings), noise(2.3)
    found = front.patches(torch.from_numpy(clip.samples[0]))
    expected = np.array(slow_patches(clip.samples[0].astype(np.float64), front))
    assert found.shape == (len(expected), 1, front.patch_frames, front.mels)
    np.testing.assert_allclose(found[:, 0], expected, atol=2e-3)
    assert LogMel().patches(torch.zeros(0)).shape == (1, 1, 96, 64)  # silence


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 600}, "n_fft must be at least window; given: 512 < 600"),
        ({"high_hz": 9000.0}, "low_hz and high_hz must rise from 0 to half of rate_hz; given: 125.0 to 9000.0"),
        ({"hop": 0}, "must be positive"),
    ],
)
def test_numbers_that_fit_no_spectrogram_are_refused(settings, message):
    with pytest.raises(EncoderError, match=message):
        LogMel(**settings).check()
