"""What an encoder is given, checked: frames, mono sound at one rate, texts."""

import math
from collections.abc import Sequence

import numpy as np
import scipy  # its parts are imported when they are first used, which a stored corpus is spared

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames, Sound, Words
from mmgraph.types import Bytes, Floats


def frames_of(clips: Sequence[Clip]) -> list[Bytes]:
    """uint8 [t, h, w, 3] of each clip, t > 0; raises EncoderError for any other clip."""
    pixels = [clip.pixels for clip in clips if isinstance(clip, Frames)]
    if len(pixels) != len(clips):
        raise EncoderError("an image encoder was given a clip without frames", todo="give it image clips")
    for some in pixels:
        if some.ndim != 4 or some.shape[3] != 3 or some.dtype != np.uint8 or 0 in some.shape:
            raise EncoderError("frames must be uint8 [t, h, w, 3], at least one", given=f"{some.dtype} {some.shape}")
    return pixels


def sounds_of(clips: Sequence[Clip]) -> list[Sound]:
    """The sounds, float32 [channels, n]; raises EncoderError for any other clip, or samples that are not finite."""
    sounds = [clip for clip in clips if isinstance(clip, Sound)]
    if len(sounds) != len(clips):
        raise EncoderError("a sound encoder was given a clip without sound", todo="give it sound clips")
    for sound in sounds:
        if sound.samples.ndim != 2 or not len(sound.samples) or sound.rate_hz <= 0:
            raise EncoderError("sound must be [channels, n]", given=f"{sound.samples.shape} at {sound.rate_hz} Hz")
        if not np.isfinite(sound.samples).all():
            raise EncoderError("a sound has samples that are not finite", todo="mend or leave out this file")
    return sounds


def texts_of(clips: Sequence[Clip]) -> list[str]:
    """The texts; raises EncoderError for any other clip."""
    texts = [clip.text for clip in clips if isinstance(clip, Words)]
    if len(texts) != len(clips):
        raise EncoderError("a text encoder was given a clip without words", todo="give it texts")
    return texts


def mono(sound: Sound, rate_hz: int) -> Floats:
    """float32 [n]: the mean of the channels at ``rate_hz``, by scipy's polyphase resampling (weight-free encoders need no torch)."""
    samples = sound.samples.mean(axis=0, dtype=np.float32)
    if sound.rate_hz == rate_hz or not len(samples):
        return samples
    common = math.gcd(sound.rate_hz, rate_hz)
    resampled: Floats = scipy.signal.resample_poly(samples, rate_hz // common, sound.rate_hz // common)
    return resampled.astype(np.float32, copy=False)


def mean_by_clip(vectors: Floats, counts: Sequence[int]) -> Floats:
    """Mean of the rows that belong to each clip: float32 [sum(counts), width] -> [len(counts), width]; every count > 0."""
    starts = np.cumsum([0, *counts[:-1]])
    sums = np.add.reduceat(vectors.astype(np.float64), starts, axis=0)
    return (sums / np.asarray(counts, np.float64)[:, None]).astype(np.float32)


def unit(vectors: Floats) -> Floats:
    """Rows of length one; a row of zeros stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def chosen(layer: int | None, pooling: str) -> str:
    """For a card: what was chosen of the model's layers and of windows; nothing of what is the rule.

    >>> chosen(None, "mean"), chosen(11, "max")
    ('', ', layer 11, max')
    """
    return ("" if layer is None else f", layer {layer}") + (", max" if pooling == "max" else "")
