"""Sound described by loudness, timbre, harmony and rhythm, without any weights."""

from collections.abc import Sequence

import numpy as np
import scipy  # its parts are imported when they are first used, which a stored corpus is spared

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.media.clip import Clip, Sound
from mmgraph.types import Floats, Modality
from mmgraph_encoders.clips import mono, sounds_of

_VERSION = "2"
_RATE_HZ, _FFT, _HOP, _MELS, _CEPSTRA = 22_050, 1024, 512, 64, 20
_CHROMA_FFT, _CHROMA_HOP = 8192, 4096
_LONGEST_S = 600
_LOUDEST = 1e3  # a file of floats may hold anything; powers of it must stay finite
_BEATS_PER_MINUTE = np.geomspace(40, 200, 33)
_SHAPE = 8
# Krumhansl & Kessler 1982: how well each pitch class fits a major and a minor key.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


class SoundStatistics(Encoder):
    """Classic descriptors of mono sound at 22,050 Hz; deterministic, nothing to download.

    Log-mel mean (without its level) and deviation, 20 MFCC with their deviation and the deviation of their differences; chroma,
    its circular autocorrelation, fit to the 24 keys (Krumhansl & Kessler 1982) and major against minor; spectral centroid,
    bandwidth, rolloff, flatness, zero crossings; loudness, its range and its course in eighths; onset strength by spectral flux
    (Bello et al. 2005), onsets a second, and its autocorrelation at 33 tempi from 40 to 200 beats a minute. Constants centre
    and scale each block to about one, measured on speech, music and sounds of animals, so that cosine and linear models can use it.
    """

    modality: Modality = "audio"

    def available(self) -> str | None:
        """Always."""
        return None

    def identity(self) -> str:
        """Known at once, as there are no weights."""
        return self.card.key()

    def load(self, device: str = "cpu") -> None:
        """Nothing to bring."""

    @property
    def card(self) -> EncoderCard:
        """Width and version are fixed; a change of the computation changes the version, and so the key."""
        return EncoderCard(
            name="sound_statistics",
            modality="audio",
            weights="none",
            revision=_VERSION,
            width=_WIDTH,
            input=f"{_RATE_HZ} Hz mono, at most {_LONGEST_S} s",
            licence="Apache-2.0",
            paper="Davis & Mermelstein 1980, 10.1109/TASSP.1980.1163420; Bello et al. 2005, 10.1109/TSA.2005.851998",
        )

    def prepare(self, clip: Clip) -> Clip:
        """One channel at 22,050 Hz, its first ten minutes."""
        sound = sounds_of([clip])[0]
        if sound.rate_hz == _RATE_HZ and len(sound.samples) == 1 and sound.samples.shape[1] <= _LONGEST_S * _RATE_HZ:
            return sound
        return Sound(mono(sound, _RATE_HZ)[None, : _LONGEST_S * _RATE_HZ], _RATE_HZ)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        return np.stack([_describe(np.clip(sound.samples[0], -_LOUDEST, _LOUDEST)) for sound in sounds_of(clips)])


def _describe(samples: Floats) -> Floats:
    """float32 [n] of any length -> float32 [width]."""
    samples = np.pad(samples, (0, max(0, _FFT - len(samples))))
    spectrum = _spectrum(samples, _FFT, _HOP)
    bands = np.log(spectrum**2 @ _FILTERS + 1e-6)
    blocks = [
        *_timbre(bands),
        *_harmony(samples),
        *_spectral(spectrum, samples),
        *_loudness(samples),
        *_rhythm(bands),
    ]
    return np.concatenate(blocks).astype(np.float32)


def _frames(samples: Floats, size: int, hop: int) -> Floats:
    windows: Floats = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    return windows


def _spectrum(samples: Floats, size: int, hop: int) -> Floats:
    """Magnitudes float32 [frames, size // 2 + 1], of a sine of amplitude a about a."""
    window = (np.hanning(size + 1)[:-1] * 4 / size).astype(np.float32)
    return np.abs(scipy.fft.rfft(_frames(samples, size, hop) * window, axis=1))


def _mel_filters() -> Floats:
    """Triangles on the HTK mel scale, 30 Hz to half the rate: float32 [fft bins, mels]."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (30, _RATE_HZ / 2))
    edges = 700 * (10 ** (np.linspace(low, high, _MELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(_FFT, 1 / _RATE_HZ)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.clip(np.minimum(rising, falling), 0, None)
    empty = np.flatnonzero(filters.sum(axis=0) == 0)  # bands narrower than a bin take the nearest one
    filters[np.abs(bins - edges[empty + 1]).argmin(axis=0), empty] = 1
    return filters.astype(np.float32)


_FILTERS = _mel_filters()


def _timbre(bands: Floats) -> list[Floats]:
    """[frames, mels] -> level-free mean, deviation, cepstra."""
    mean = bands.mean(axis=0)
    cepstra = scipy.fft.dct(bands, axis=1, norm="ortho")[:, 1 : _CEPSTRA + 1]
    scale = np.sqrt(np.arange(1, _CEPSTRA + 1))
    steps = np.diff(cepstra, axis=0).std(axis=0) if len(cepstra) > 1 else np.zeros(_CEPSTRA)
    return [
        (mean - mean.mean()) / 16,
        (bands.std(axis=0) - 1.5) / 8,
        cepstra.mean(axis=0) * scale / 25,
        cepstra.std(axis=0) * scale / 25 - 0.15,
        steps * scale / 15 - 0.16,
    ]


def _chroma_filters() -> Floats:
    """Fft bin -> pitch class (0 is C, A4 = 440 Hz), weighted towards the middle octaves: float32 [bins, 12]."""
    hz = np.fft.rfftfreq(_CHROMA_FFT, 1 / _RATE_HZ)[1:]
    pitch = 12 * np.log2(hz / 440) + 69
    distance = (pitch[:, None] - np.arange(12) + 6) % 12 - 6
    octave = np.exp(-0.5 * ((pitch - 66) / 15) ** 2) * (hz > 60) * (hz < 5000)
    filters = np.exp(-0.5 * (distance / 0.5) ** 2) * octave[:, None]
    return np.concatenate([np.zeros((1, 12)), filters]).astype(np.float32)


def _key_profiles() -> Floats:
    """The 12 major and 12 minor keys, centred, of length one: float32 [12, 24]."""
    keys = np.stack([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    keys -= keys.mean(axis=1, keepdims=True)
    return (keys / np.linalg.norm(keys, axis=1, keepdims=True)).T.astype(np.float32)


_CHROMA, _KEYS = _chroma_filters(), _key_profiles()


def _harmony(samples: Floats) -> list[Floats]:
    padded = np.pad(samples, (0, max(0, _CHROMA_FFT - len(samples))))
    chroma = _spectrum(padded, _CHROMA_FFT, _CHROMA_HOP) @ _CHROMA
    chroma /= chroma.max(axis=1, keepdims=True) + 1e-4
    mean = chroma.mean(axis=0)
    centred = mean - mean.mean()
    length = np.linalg.norm(centred) + 0.05
    intervals = np.array([centred @ np.roll(centred, lag) for lag in range(1, 7)]) / length**2
    fits = centred @ _KEYS / length
    mode = np.array([fits[:12].max() - fits[12:].max(), fits.max(), length, chroma.std(axis=0).mean()])
    return [centred / length / 2, intervals / 2, fits / 4, mode]


def _spectral(spectrum: Floats, samples: Floats) -> list[Floats]:
    hz = np.fft.rfftfreq(_FFT, 1 / _RATE_HZ) / (_RATE_HZ / 2)
    power = spectrum**2 + 1e-12
    share = power / power.sum(axis=1, keepdims=True)
    centroid = share @ hz
    width = np.sqrt(np.maximum(share @ hz**2 - centroid**2, 0))
    rolloff = (np.cumsum(share, axis=1) < 0.85).sum(axis=1) / len(hz)
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    frames = _frames(samples, _FFT, _HOP)
    crossings = (np.signbit(frames[:, 1:]) != np.signbit(frames[:, :-1])).mean(axis=1)
    series = np.sqrt(np.stack([centroid, width, rolloff, flatness, crossings]))
    weights = _power_weights(power)
    mean = series @ weights
    deviation = np.sqrt(np.maximum((series - mean[:, None]) ** 2 @ weights, 0))
    return [(mean - 0.35) * 2, deviation * 2 - 0.2]


def _power_weights(power: Floats) -> Floats:
    """Loud frames count more than the hiss between them, by the square root of their power; sums to one."""
    weights = np.sqrt(power.sum(axis=1))
    return weights / weights.sum()


def _loudness(samples: Floats) -> list[Floats]:
    """Decibels / 60 (0 is full scale, at least -80 dB): mean, deviation, quantiles, quiet share; course in eighths."""
    rms = np.sqrt((_frames(samples, _FFT, _HOP) ** 2).mean(axis=1))
    decibels = 20 * np.log10(rms + 1e-4)
    low, middle, high = np.percentile(decibels, (10, 50, 90))
    quiet = (decibels < high - 20).mean()
    course = np.interp((np.arange(_SHAPE) + 0.5) / _SHAPE, (np.arange(len(rms)) + 0.5) / len(rms), decibels)
    numbers = np.array([decibels.mean() + 25, decibels.std() - 8, low + 40, middle + 25, high + 18, high - low - 20])
    return [numbers / 60, np.array([quiet - 0.2]), (course - course.mean()) / 60]


def _rhythm(bands: Floats) -> list[Floats]:
    """Spectral flux of log-mel bands -> its statistics, onsets a second, autocorrelation at each tempo."""
    per_s = _RATE_HZ / _HOP
    flux = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0).mean(axis=1)
    local = _smoothed(flux, 16)
    risen = flux > local + 0.1
    peaks = risen[1:-1] & (flux[1:-1] >= flux[:-2]) & (flux[1:-1] > flux[2:]) if len(flux) > 2 else np.zeros(1, np.bool_)
    onsets = peaks.sum() * per_s / max(len(flux), per_s)
    numbers = np.array([flux.mean() * 2 - 0.4, flux.std() * 2 - 0.5, flux.max() / 2 - 1, onsets / 4 - 1]) / 2
    tempo = _autocorrelation(flux - local, (60 * per_s / _BEATS_PER_MINUTE).astype(np.float32))
    return [numbers, tempo / 2, np.array([tempo.max(), np.log2(_BEATS_PER_MINUTE[tempo.argmax()] / 90) / 2])]


def _smoothed(series: Floats, reach: int) -> Floats:
    sums = np.cumsum(np.pad(series.astype(np.float64), (1, 0)))
    here = np.arange(len(series))
    first, last = np.maximum(here - reach, 0), np.minimum(here + reach + 1, len(series))
    return (sums[last] - sums[first]) / (last - first)


def _autocorrelation(series: Floats, lags: Floats) -> Floats:
    """Normalised, at fractional lags (in frames), each lag's sum divided by how much of the series it covers; 0 beyond it."""
    n = len(series)
    transformed = np.abs(scipy.fft.rfft(series, scipy.fft.next_fast_len(2 * n))) ** 2
    raw = scipy.fft.irfft(transformed, scipy.fft.next_fast_len(2 * n))[:n]
    covered = raw * n / np.maximum(n - np.arange(n), n / 4) / (raw[0] + 1e-3)
    return np.interp(lags, np.arange(n), covered, right=0.0)


_WIDTH = 2 * _MELS + 3 * _CEPSTRA + 12 + 6 + 24 + 4 + 10 + 6 + 1 + _SHAPE + 4 + len(_BEATS_PER_MINUTE) + 2
