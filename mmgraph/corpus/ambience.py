"""The sound track of a video: what is heard at the place, never music."""

import numpy as np

from mmgraph.corpus.chance import stream
from mmgraph.corpus.truth import Shot, Video
from mmgraph.types import Floats

RATE_HZ = 16_000
FADE_S = 0.02


def track(seed: int, index: int, video: Video) -> Floats:
    """The whole track, float32 [n] in -1..1 at RATE_HZ."""
    chance = stream(seed, "track", index)
    return np.concatenate([_shot(shot, video.mood.arousal, chance) for shot in video.shots]).astype(np.float32)


def _shot(shot: Shot, arousal: float, chance: np.random.Generator) -> np.ndarray:
    count = round((shot.end_s - shot.start_s) * RATE_HZ)
    kinds = (_wind, _pulses, _hum, _chirps)
    kind = kinds[shot.sound] if shot.sound is not None else (_silence, _room, _babble)[chance.integers(3)]
    sound = kind(count, chance)
    # An excited mood is loud, and its loudness swings more and faster.
    times = np.arange(count) / RATE_HZ
    swing = 1 + (0.1 + 0.5 * arousal) * np.sin(2 * np.pi * ((0.5 + 2.5 * arousal) * times + chance.random()))
    gain = 10 ** ((-30 + 16 * arousal + chance.uniform(-2, 2)) / 20)
    fade = np.minimum(1, np.minimum(times, times[::-1]) / FADE_S)
    return np.clip(gain * swing * fade * sound, -0.95, 0.95)


def _noise(count: int, low_hz: float, high_hz: float, tilt: float, chance: np.random.Generator) -> np.ndarray:
    """Noise of unit power between two frequencies; power falls as frequency ** -tilt."""
    spectrum = np.fft.rfft(chance.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    inside = (hertz >= low_hz) & (hertz <= high_hz)
    sound = np.fft.irfft(spectrum * inside * np.maximum(hertz, 20) ** (-tilt / 2), count)
    return sound / max(float(sound.std()), 1e-9)


def _wind(count: int, chance: np.random.Generator) -> np.ndarray:
    times = np.arange(count) / RATE_HZ
    gusts = 1 + 0.5 * np.sin(2 * np.pi * (chance.uniform(0.3, 0.6) * times + chance.random()))
    return gusts * _noise(count, 150, chance.uniform(1200, 1800), 1.0, chance)


def _pulses(count: int, chance: np.random.Generator) -> np.ndarray:
    since = (np.arange(count) / RATE_HZ + chance.random()) % chance.uniform(0.28, 0.42)
    thump = np.exp(-since / 0.05) * np.sin(2 * np.pi * chance.uniform(220, 300) * since)
    click = np.exp(-since / 0.006) * _noise(count, 1000, 7000, 0, chance)
    return 3 * thump + 1.5 * click


def _hum(count: int, chance: np.random.Generator) -> np.ndarray:
    times = np.arange(count) / RATE_HZ
    base_hz = chance.uniform(92, 112)
    return sum(np.sin(2 * np.pi * (k * base_hz * times + chance.random())) / k**0.7 for k in range(1, 8))


def _chirps(count: int, chance: np.random.Generator) -> np.ndarray:
    sound = np.zeros(count)
    length = round(0.12 * RATE_HZ)
    times = np.arange(length) / RATE_HZ
    for start in np.sort(chance.integers(0, max(count - length, 1), size=round(5 * count / RATE_HZ))):
        rise = chance.uniform(4000, 12000)
        sweep = np.sin(2 * np.pi * (chance.uniform(3000, 4200) * times + rise * times**2))
        sound[start : start + length] += 2.5 * np.hanning(length) * sweep
    return sound


def _silence(count: int, chance: np.random.Generator) -> np.ndarray:
    return 0.003 * chance.standard_normal(count)


def _room(count: int, chance: np.random.Generator) -> np.ndarray:
    return 0.4 * _noise(count, 40, 7000, 1.2, chance)


def _babble(count: int, chance: np.random.Generator) -> np.ndarray:
    """Like far voices: noise in the bands of vowels, in syllables."""
    times = np.arange(count) / RATE_HZ
    bands = sum(_noise(count, hz, hz * 1.5, 0, chance) for hz in chance.uniform(400, 2500, size=3))
    syllables = np.clip(np.sin(2 * np.pi * (chance.uniform(3, 5) * times + chance.random())), 0, 1)
    return 0.6 * syllables * bands
