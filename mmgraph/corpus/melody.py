"""A piece of music in a mood: arousal sets the tempo, valence the mode, the register and the brightness of the timbre."""

import numpy as np

from mmgraph.corpus.chance import stream
from mmgraph.corpus.truth import Piece
from mmgraph.types import Floats

RATE_HZ = 24_000
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


def tempo(arousal: float) -> float:
    """Beats a minute.

    >>> tempo(0.0), tempo(1.0)
    (64.0, 184.0)
    """
    return 64.0 + 120.0 * arousal


def melody(seed: int, index: int, piece: Piece) -> Floats:
    """The whole piece, float32 [n] in -1..1 at RATE_HZ."""
    chance = stream(seed, "piece", index)
    beat_s = 60 / tempo(piece.mood.arousal)
    sound = np.zeros(round(piece.length_s * RATE_HZ))
    root = 45 + 24 * piece.mood.valence + chance.uniform(-1, 1)  # MIDI number
    scale = MAJOR if piece.mood.valence + chance.normal(0, 0.08) > 0.5 else MINOR
    fall = 2.4 - 1.7 * piece.mood.valence
    chords = chance.integers(0, 6, size=4)
    figure = chance.permutation([0, 2, 4, 7])
    for step in range(int(piece.length_s / beat_s * 2)):  # quavers
        degree = int(chords[step // 8 % 4] + figure[step % 4])
        pitch = root + 12 * (degree // 7) + scale[degree % 7]
        _add(sound, step * beat_s / 2, _note(pitch, fall, 0.5 if step % 2 else 0.7))
        if step % 2 == 0:
            _add(sound, step * beat_s / 2, _kick())
            _add(sound, step * beat_s / 2, _hat(chance))
    sound *= chance.uniform(0.3, 0.6) / np.abs(sound).max()
    return (sound + 0.001 * chance.standard_normal(len(sound))).astype(np.float32)


def _add(sound: np.ndarray, start_s: float, part: np.ndarray) -> None:
    start = round(start_s * RATE_HZ)
    end = min(start + len(part), len(sound))
    sound[start:end] += part[: max(end - start, 0)]


def _note(pitch: float, fall: float, strength: float) -> np.ndarray:
    """A plucked tone; its k-th harmonic has amplitude k ** -fall."""
    times = np.arange(round(0.4 * RATE_HZ)) / RATE_HZ
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * k * hertz * times) * k**-fall for k in range(1, 11) if k * hertz < RATE_HZ / 2)
    return strength * np.minimum(times / 0.005, 1) * np.exp(-times / 0.15) * tone


def _kick() -> np.ndarray:
    times = np.arange(round(0.15 * RATE_HZ)) / RATE_HZ
    return 0.9 * np.exp(-times / 0.05) * np.sin(2 * np.pi * (50 * times + 6 * (1 - np.exp(-times / 0.03))))


def _hat(chance: np.random.Generator) -> np.ndarray:
    times = np.arange(round(0.04 * RATE_HZ)) / RATE_HZ
    return 0.25 * np.exp(-times / 0.01) * chance.standard_normal(len(times))
