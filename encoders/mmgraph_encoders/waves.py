"""Sound for models of torch: mono at the rate they ask for, in windows they can take."""

import math
from collections.abc import Sequence

import torch
import torchaudio.functional

from mmgraph.media.clip import Sound
from mmgraph.types import Floats

_SHORTEST_S = 0.1


def wave(sound: Sound, rate_hz: int) -> torch.Tensor:
    """[n] mono at ``rate_hz``, at least a tenth of a second (padded with silence)."""
    samples = torch.from_numpy(sound.samples.mean(axis=0, dtype="float32"))
    if sound.rate_hz != rate_hz and len(samples):
        samples = torchaudio.functional.resample(samples, sound.rate_hz, rate_hz)
    short = math.ceil(_SHORTEST_S * rate_hz) - len(samples)
    return torch.nn.functional.pad(samples, (0, short)) if short > 0 else samples


def windows(samples: torch.Tensor, size: int) -> list[Floats]:
    """Consecutive pieces of ``size`` samples; a last piece shorter than half of that is left out unless it is the only one."""
    pieces = list(torch.split(samples, size))
    if len(pieces) > 1 and len(pieces[-1]) < size / 2:
        pieces.pop()
    return [piece.numpy() for piece in pieces]


def cut(sounds: Sequence[Sound], rate_hz: int, size: int) -> tuple[list[Floats], list[int]]:
    """All windows of all sounds, and how many each sound has."""
    pieces = [windows(wave(sound, rate_hz), size) for sound in sounds]
    return [piece for some in pieces for piece in some], [len(some) for some in pieces]


def yamnet_patches(sound: Sound) -> torch.Tensor:
    """Log-mel patches as YAMNet takes them: float32 [patches, 1, 96, 64].

    16 kHz mono, frames of 400 samples every 160 under a periodic Hann window, FFT of 512, magnitudes, 64 HTK mel bands from 125
    to 7,500 Hz, log(x + 0.001), patches of 96 frames every 48 (Gemmeke et al. 2017; tensorflow/models, audioset/yamnet).
    """
    samples = wave(sound, 16_000)
    shortest = 400 + 95 * 160
    samples = torch.nn.functional.pad(samples, (0, max(0, shortest - len(samples))))
    frames = samples.unfold(0, 400, 160) * torch.hann_window(400, periodic=True)
    magnitudes = torch.fft.rfft(frames, n=512).abs()
    bands = torchaudio.functional.melscale_fbanks(257, 125.0, 7500.0, 64, 16_000, norm=None, mel_scale="htk")
    return torch.log(magnitudes @ bands + 0.001).unfold(0, 96, 48).transpose(1, 2)[:, None]
