"""Sounds as bits of how their bands rise and fall, and which of two sounds is a copy of the other."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import scipy  # its parts are imported when they are first used, which a stored corpus is spared

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Sound
from mmgraph.types import Bools, Floats, Ints, Modality

_RATE_HZ, _FFT = 8000, 2048
_FRAMES, _BANDS = 512, 32
# (hop, window) in samples: of sounds up to 4.1 s, which have few bits at a coarse hop, and of longer ones (their first 16 s)
_SHORT, _LONG = (64, 512), (250, 2048)
_LOWEST_HZ, _HIGHEST_HZ = 200, 3200
_AUDIBLE, _NOISE = 1e-4, 1e-6  # power of a frame, over that of the loudest and in itself, below which it is silence
_HEARD = 1e-6  # of the power of a frame: what is below is rounding, or the window's leakage of a tone elsewhere
_NO_FRAME = -1.0
_WIDTH = 2 * _FRAMES + 1  # the last says which hop
_SHIFT_S, _OVERLAP, _FEWEST_S = 2.0, 0.5, 0.15
_CHANGES = 0.05  # a steady tone has the same bits whatever its pitch
_BLOCK = 64


class SoundFingerprint(Encoder):
    """32 bits for every frame of 1/125 s (sounds up to 4.1 s) or 1/32 s (the first 16 s); nothing to learn or download.

    A bit says whether the difference of energy between two neighbouring bands (33 from 200 to 3200 Hz, even on a log scale)
    grows from frame to frame (Haitsma & Kalker 2002), here over two frames. Loudness, compression and small shifts of time leave
    most bits as they are. Frames of silence have none.
    """

    modality: Modality = "audio"

    def available(self) -> str | None:
        """Always."""
        return None

    def identity(self) -> str | None:
        """Its card says all."""
        return self.card.key()

    def load(self, device: str = "cpu") -> None:
        """Nothing to bring."""

    @property
    def card(self) -> EncoderCard:
        """A change of the computation changes the revision, and so the key."""
        return EncoderCard(
            name="sound_fingerprint",
            modality="audio",
            weights="none",
            revision="1",
            width=_WIDTH,
            input=f"{_RATE_HZ} Hz mono, the first 16 s",
            licence="Apache-2.0",
            paper="Haitsma & Kalker 2002, A Highly Robust Audio Fingerprinting System",
        )

    def prepare(self, clip: Clip) -> Clip:
        """Mono at 8 kHz, no longer than what is looked at."""
        if not isinstance(clip, Sound):
            raise EncoderError("a fingerprint of sounds was given a clip without sound", todo="give it sound clips")
        longest = _FRAMES * _LONG[0] + _LONG[1]
        if clip.rate_hz == _RATE_HZ and len(clip.samples) == 1:
            return Sound(clip.samples[:, :longest], _RATE_HZ)
        samples = clip.samples[:, : math.ceil(longest * clip.rate_hz / _RATE_HZ)].mean(axis=0, dtype=np.float32)
        common = math.gcd(clip.rate_hz, _RATE_HZ)
        if common != clip.rate_hz or common != _RATE_HZ:
            samples = scipy.signal.resample_poly(samples, _RATE_HZ // common, clip.rate_hz // common)
        return Sound(np.ascontiguousarray(samples[None, :longest], dtype=np.float32), _RATE_HZ)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        return np.stack([_described(clip.samples[0]) for clip in clips if isinstance(clip, Sound)])


def _described(samples: Floats) -> Floats:
    short = len(samples) <= _FRAMES * _SHORT[0]
    hop, window = _SHORT if short else _LONG
    energy = _energy(samples, hop, window)
    tilt = energy[:, :-1] - energy[:, 1:]
    power = energy.sum(axis=1)[2:]
    signs = tilt[2:] - tilt[:-2] > _HEARD * power[:, None]
    heard = power > max(_AUDIBLE * float(power.max(initial=0)), _NOISE)
    vector = np.full(_WIDTH, _NO_FRAME, np.float32)
    halves = signs.reshape(len(signs), 2, _BANDS // 2) @ (1 << np.arange(_BANDS // 2))
    vector[: 2 * len(signs)] = np.where(heard[:, None], halves, _NO_FRAME).ravel()
    vector[-1] = float(short)
    return vector


def _energy(samples: Floats, hop: int, window: int) -> Floats:
    """Mean power of 33 bands in frames around every hop: float32 [at most _FRAMES, 33]."""
    count = min(-(-len(samples) // hop), _FRAMES)
    padded = np.pad(samples[: count * hop + window], (window // 2, window + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count]
    shape = np.hanning(window).astype(np.float32)
    spectrum = np.abs(scipy.fft.rfft(frames * (shape * 2 / shape.sum()), _FFT, axis=1)) ** 2
    return spectrum @ _BAND_OF


def _band_matrix() -> Floats:
    """float32 [fft bins, 33]: the mean of the bins of each band, of the nearest one where a band holds none."""
    hz = np.fft.rfftfreq(_FFT, 1 / _RATE_HZ)
    edges = np.searchsorted(hz, np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 2))
    edges = np.maximum(edges, edges[0] + np.arange(len(edges)))
    matrix = np.zeros((len(hz), _BANDS + 1), np.float32)
    for band, (low, high) in enumerate(itertools.pairwise(edges.tolist())):
        matrix[low:high, band] = 1 / (high - low)
    return matrix


_BAND_OF = _band_matrix()


def _signs(vectors: Floats) -> tuple[Floats, Bools, Ints]:
    """float32 [n, _FRAMES, _BANDS] of 1, -1 and 0 (no frame), the frames that are there, and hops in samples."""
    halves = np.asarray(vectors[:, :-1], np.float32).reshape(len(vectors), _FRAMES, 2)
    there = halves[:, :, 0] != _NO_FRAME
    whole = np.maximum(halves, 0).astype(np.int32)
    bits = (whole[..., None] >> np.arange(_BANDS // 2)) & 1
    signs = (2 * bits.reshape(len(vectors), _FRAMES, _BANDS) - 1).astype(np.float32) * there[:, :, None]
    return signs, there, np.where(vectors[:, -1] == 1.0, _SHORT[0], _LONG[0]).astype(np.int64)


def evidence(vectors: Floats) -> Bools:
    """bool [n]: which sounds can be told by their bits. Silence, steady tones and what lasts under 0.15 s cannot."""
    found = np.zeros(len(vectors), np.bool_)
    for start in range(0, len(vectors), _BLOCK):
        signs, there, hop = _signs(vectors[start : start + _BLOCK])
        both = there[:, 1:] & there[:, :-1]
        changes = (signs[:, 1:] * signs[:, :-1] < 0).sum(axis=(1, 2)) / np.maximum(both.sum(axis=1) * _BANDS, 1)
        found[start : start + _BLOCK] = (there.sum(axis=1) * hop >= _FEWEST_S * _RATE_HZ) & (changes >= _CHANGES)
    return found


def distance(first: Floats, second: Floats) -> Floats:
    """Share of bits that differ in each pair, float32 [pairs], at the shift of up to 2 s that agrees best: 0 the same, .5 unlike.

    At least half of the longer one must be overlapped. 1 where one is short and the other long, or there is nothing to compare.
    """
    found = np.ones(len(first), np.float32)
    for start in range(0, len(first), _BLOCK):
        found[start : start + _BLOCK] = _block(first[start : start + _BLOCK], second[start : start + _BLOCK])
    return found


def _block(first: Floats, second: Floats) -> Floats:
    (one, there, hop), (other, also, same_hop) = _signs(first), _signs(second)
    agree = _correlated(one, other).sum(axis=2)
    common = _correlated(there[:, :, None].astype(np.float32), also[:, :, None].astype(np.float32))[:, :, 0]
    needed = np.maximum(_OVERLAP * np.maximum(there.sum(axis=1), also.sum(axis=1)), 1)
    shift = np.minimum(np.arange(2 * _FRAMES), 2 * _FRAMES - np.arange(2 * _FRAMES))
    allowed = (common >= needed[:, None] - 0.5) & (shift <= _SHIFT_S * _RATE_HZ / hop[:, None])
    errors = np.where(allowed, (1 - agree / np.maximum(common * _BANDS, 1)) / 2, 1)
    return np.where(hop == same_hop, np.clip(errors.min(axis=1), 0, 1), 1).astype(np.float32)


def _correlated(one: Floats, other: Floats) -> Floats:
    """Circular correlation along frames, padded to twice their number."""
    size = 2 * _FRAMES
    product = scipy.fft.rfft(one, size, axis=1) * np.conj(scipy.fft.rfft(other, size, axis=1))
    if one.shape[2] > 1:
        product = product.sum(axis=2, keepdims=True)
    return scipy.fft.irfft(product, size, axis=1)
