"""The weight-free encoders: near things near, by quantities that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.media.clip import Frames, Sound, Words
from mmgraph.testing import awkward_clips
from mmgraph_encoders import image_statistics, sound_statistics
from mmgraph_encoders.clips import mean_by_clip, mono, unit
from mmgraph_encoders.hashed_ngrams import HashedNgrams
from mmgraph_encoders.image_statistics import ImageStatistics
from mmgraph_encoders.sound_statistics import SoundStatistics

RATE = 22_050


def cosine(vectors):
    return unit(vectors) @ unit(vectors).T


def tone(hz, seconds=2.0, rate=RATE, loud=0.2):
    times = np.arange(int(seconds * rate)) / rate
    return sum(np.sin(2 * np.pi * one * times) for one in np.atleast_1d(hz)).astype(np.float32)[None] * loud


def clicks(per_minute, seconds=12):
    samples, random = np.zeros(seconds * RATE, np.float32), np.random.default_rng(0)
    for start in np.arange(0, len(samples) - 800, 60 * RATE / per_minute).astype(int):
        samples[start : start + 800] += random.normal(0, 0.3, 800) * np.exp(-np.arange(800) / 200)
    return samples[None]


def test_means_by_clip_are_those_of_a_loop():
    vectors, counts = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32), [1, 3, 2]
    expected = [vectors[0], vectors[1:4].mean(axis=0), vectors[4:].mean(axis=0)]
    np.testing.assert_allclose(mean_by_clip(vectors, counts), expected, atol=1e-6)


def test_frames_of_a_clip_are_averaged_and_only_motion_knows_their_order():
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (3, 40, 50, 3), np.uint8)
    together = ImageStatistics().encode([Frames(frames)])[0]
    alone = ImageStatistics().encode([Frames(frame[None]) for frame in frames])
    still = image_statistics._FRAME
    np.testing.assert_allclose(together[:still], alone[:, :still].mean(axis=0), atol=1e-5)
    assert not alone[:, still:].any()
    assert together[still:].any()
    again = ImageStatistics().encode([Frames(np.repeat(frames[:1], 4, axis=0))])[0]
    np.testing.assert_allclose(again, alone[0], atol=1e-6)


def test_motion_is_the_difference_between_frames():
    first, second = np.full((1, 96, 96, 3), 50, np.uint8), np.full((1, 96, 96, 3), 101, np.uint8)
    vector = ImageStatistics().encode([Frames(np.concatenate([first, second]))])[0][image_statistics._FRAME :]
    np.testing.assert_allclose(vector[:16], np.sqrt(0.2) / 2, atol=1e-5)
    np.testing.assert_allclose(vector[16:], [np.sqrt(0.2), 0, np.sqrt(0.2), 0.2, 0, 0, 0.2, 0, 0], atol=1e-5)


def test_histograms_are_those_of_numpy():
    grey = np.random.default_rng(0).uniform(size=(2, 96, 96)).astype(np.float32)
    bins = (grey * 9.99).astype(np.int64).reshape(2, -1)
    counted = image_statistics._counted(bins, 10)
    slow = [np.bincount(row, minlength=10) / row.size for row in bins]
    np.testing.assert_allclose(counted**2, slow, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(counted, axis=1), 1, atol=1e-5)


def test_local_binary_patterns_are_those_of_a_loop():
    grey = np.random.default_rng(1).uniform(size=(1, 8, 9)).astype(np.float32)
    around = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    found = []
    for y in range(1, 7):
        for x in range(1, 8):
            bits = [grey[0, y + dy, x + dx] > grey[0, y, x] + 0.01 for dy, dx in around]
            uniform = sum(bits[i] != bits[i - 1] for i in range(8)) <= 2
            found.append(sum(bit << i for i, bit in enumerate(bits)) if uniform else -1)
    share_other = found.count(-1) / len(found)
    patterns = image_statistics._patterns(grey)[0] ** 2
    assert patterns.shape == (59,)
    np.testing.assert_allclose(patterns[58], share_other, atol=1e-6)
    np.testing.assert_allclose(
        np.sort(patterns[:58])[::-1][:3],
        sorted((found.count(c) / len(found) for c in set(found) - {-1}), reverse=True)[:3],
        atol=1e-6,
    )


def test_edges_point_where_they_point():
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::8] = 255
    upright, lying = (Frames(np.ascontiguousarray(some)[None]) for some in (stripes, stripes.transpose(1, 0, 2)))
    first = 108 + 48 + 96 + 144
    histograms = ImageStatistics().encode([upright, lying])[:, first : first + 9]
    assert histograms.argmax(axis=1).tolist() == [0, 4] or histograms.argmax(axis=1).tolist() == [0, 5]


def test_like_colours_and_textures_lie_near():
    random = np.random.default_rng(0)

    def noisy(colour, spread):
        return Frames(np.clip(random.normal(colour, spread, (1, 64, 64, 3)), 0, 255).astype(np.uint8))

    red, red_again, blue, rough = (
        noisy((200, 30, 30), 5),
        noisy((190, 35, 30), 5),
        noisy((30, 30, 200), 5),
        noisy((200, 30, 30), 60),
    )
    near = cosine(ImageStatistics().encode([red, red_again, blue, rough]))[0]
    assert near[1] > 0.9
    assert near[1] > near[2] + 0.05
    assert near[1] > near[3] + 0.05


def test_size_of_the_picture_matters_little():
    small = np.kron(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8), np.ones((12, 12, 1), np.uint8))
    large = np.kron(small, np.ones((3, 3, 1), np.uint8))
    assert cosine(ImageStatistics().encode([Frames(small[None]), Frames(large[None])]))[0, 1] > 0.99


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(0, 255))
def test_any_flat_picture_gives_finite_numbers_of_bounded_size(height, width, count, shade):
    vector = ImageStatistics().encode([Frames(np.full((count, height, width, 3), shade, np.uint8))])
    assert np.abs(vector).max() <= 1.5


def test_the_spectrum_of_a_tone_is_its_amplitude():
    spectrum = sound_statistics._spectrum(tone(RATE / 1024 * 100)[0], 1024, 512)
    assert (spectrum.argmax(axis=1) == 100).all()
    np.testing.assert_allclose(spectrum.max(axis=1), 0.2, rtol=1e-2)


def test_mel_bands_cover_the_scale():
    filters = sound_statistics._FILTERS
    assert filters.shape == (513, 64)
    assert (filters.sum(axis=0) > 0).all()
    assert (np.diff(filters.argmax(axis=0)) >= 0).all()


@pytest.mark.parametrize(("hz", "pitch_class"), [(440.0, 9), (261.63, 0), (880.0, 9), (369.99, 6)])
def test_chroma_hears_the_note(hz, pitch_class):
    assert sound_statistics._harmony(tone(hz)[0])[0].argmax() == pitch_class


def test_keys_and_their_mode():
    major, minor = (sound_statistics._harmony(tone(chord)[0]) for chord in ((261.63, 329.63, 392.0), (440.0, 523.25, 659.26)))
    assert major[2].argmax() == 0
    assert minor[2].argmax() == 12 + 9
    assert major[3][0] > 0 > minor[3][0]


@pytest.mark.parametrize("per_minute", [50, 72, 100, 150])
def test_tempo_is_found_up_to_octaves(per_minute):
    tempo = SoundStatistics().encode([Sound(clicks(per_minute), RATE)])[0][-35:-2]
    found = sound_statistics._BEATS_PER_MINUTE[tempo.argmax()]
    assert min(abs(np.log2(found / per_minute * factor)) for factor in (0.5, 1, 2, 3)) < 0.05


def test_autocorrelation_is_that_of_a_loop():
    series = np.random.default_rng(0).normal(size=50).astype(np.float32)
    lags = np.array([1.0, 2.5, 7.0, 49.0, 80.0], np.float32)
    raw = [sum(series[i] * series[i + lag] for i in range(50 - lag)) * 50 / max(50 - lag, 12.5) for lag in range(50)]
    expected = [raw[1], (raw[2] + raw[3]) / 2, raw[7], raw[49], 0]
    np.testing.assert_allclose(
        sound_statistics._autocorrelation(series, lags), np.array(expected) / (raw[0] + 1e-3), atol=1e-5
    )


def test_rates_and_channels_matter_little():
    mono_22, mono_44 = tone((440, 660)), tone((440, 660), rate=44_100)
    sounds = [Sound(mono_22, RATE), Sound(mono_44, 44_100), Sound(np.repeat(mono_22, 2, axis=0), RATE)]
    near = cosine(SoundStatistics().encode(sounds))[0]
    assert near[2] == pytest.approx(1, abs=1e-5)
    assert near[1] > 0.97
    assert mono(sounds[1], RATE).shape == (2 * RATE,)


def test_like_sounds_lie_near():
    random = np.random.default_rng(0)
    noise = [Sound(random.normal(0, 0.1, (1, 2 * RATE)).astype(np.float32), RATE) for _ in range(2)]
    near = cosine(SoundStatistics().encode([*noise, Sound(tone(440), RATE), Sound(tone(466), RATE)]))
    assert near[0, 1] > 0.95
    assert near[2, 3] > near[0, 2] + 0.2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5000), st.integers(1, 2), st.sampled_from([8000, 22_050, 48_000]), st.floats(0, 10, width=32))
def test_any_sound_gives_numbers_of_bounded_size(length, channels, rate, loud):
    samples = np.random.default_rng(0).uniform(-loud, loud, (channels, length)).astype(np.float32)
    vector = SoundStatistics().encode([Sound(samples, rate)])
    assert np.abs(vector).max() < 8


def test_like_words_lie_near_and_an_empty_text_is_nothing():
    texts = ["A man eats bread.", "a man is eating bread", "The stock market fell", "", "A man eats bread."]
    vectors = HashedNgrams().encode([Words(text) for text in texts])
    near = vectors @ vectors.T
    assert near[0, 1] > near[0, 2] + 0.2
    assert not vectors[3].any()
    np.testing.assert_array_equal(vectors[0], vectors[4])
    np.testing.assert_allclose(np.linalg.norm(vectors[[0, 1, 2]], axis=1), 1, atol=1e-6)
    assert HashedNgrams(width=64).encode([Words("a")]).shape == (1, 64)


def test_shrunk_frames_stay_as_they_are():
    encoder, clips = ImageStatistics(), awkward_clips("image")
    ready = [encoder.prepare(clip) for clip in clips]
    assert {clip.pixels.shape[1:] for clip in ready} == {(96, 96, 3)}
    for clip in ready:
        np.testing.assert_array_equal(encoder.prepare(clip).pixels, clip.pixels)
    np.testing.assert_array_equal(encoder.encode(ready), encoder.encode(clips))
