"""Log-mel spectrograms cut into patches: the front end of YAMNet, VGGish, PANNs and their kin."""

import functools
from dataclasses import dataclass
from typing import Literal

import torch
import torchaudio.functional

from mmgraph.errors import EncoderError

_BLOCK = 6000  # frames at a time: a minute, so that an hour of sound needs no more memory than that


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Frames of ``window`` samples every ``hop`` under a periodic Hann window, FFT of ``n_fft``, ``mels`` bands, patches.

    power: 1 magnitudes, 2 their squares; floor: added before the natural logarithm, or what decibels are at least of; patch_frames
    a patch, every patch_hop. The defaults are YAMNet's: HTK mel from 125 to 7,500 Hz, log(x + 0.001), 96 frames every 48
    (Gemmeke et al. 2017; tensorflow/models, audioset/yamnet).
    """

    rate_hz: int = 16_000
    n_fft: int = 512
    window: int = 400
    hop: int = 160
    mels: int = 64
    low_hz: float = 125.0
    high_hz: float = 7500.0
    power: float = 1.0
    floor: float = 0.001
    scale: Literal["log", "decibel"] = "log"
    bands: Literal["htk", "slaney"] = "htk"
    patch_frames: int = 96
    patch_hop: int = 48

    def check(self) -> None:
        """Raise EncoderError for numbers that fit no spectrogram."""
        counts = (self.rate_hz, self.window, self.hop, self.mels, self.patch_frames, self.patch_hop)
        if min(counts) < 1 or self.floor <= 0:
            raise EncoderError("rate, window, hop, mels, floor and patches must be positive", given=self)
        if self.window > self.n_fft:
            raise EncoderError("n_fft must be at least window", given=f"{self.n_fft} < {self.window}")
        if not 0 <= self.low_hz < self.high_hz <= self.rate_hz / 2:
            raise EncoderError(
                "low_hz and high_hz must rise from 0 to half of rate_hz", given=f"{self.low_hz} to {self.high_hz}"
            )

    def described(self) -> str:
        """For a card: everything that decides a patch."""
        return (
            f"{self.rate_hz} Hz mono, {self.mels} {self.bands} mel bands {self.low_hz:g} to {self.high_hz:g} Hz of frames of "
            f"{self.window} every {self.hop} (FFT {self.n_fft}, power {self.power:g}, {self.scale}, floor {self.floor:g}), "
            f"patches [{self.patch_frames}, {self.mels}] every {self.patch_hop}"
        )

    def patches(self, samples: torch.Tensor) -> torch.Tensor:
        """float32 [n] at ``rate_hz`` -> [patches, 1, patch_frames, mels]; what is short of one patch is padded with silence."""
        shortest = self.window + (self.patch_frames - 1) * self.hop
        samples = torch.nn.functional.pad(samples, (0, max(0, shortest - len(samples))))
        frames = samples.unfold(0, self.window, self.hop)
        bands = torch.cat([self._logarithm(some) for some in torch.split(frames, _BLOCK)])
        return bands.unfold(0, self.patch_frames, self.patch_hop).transpose(1, 2)[:, None]

    def _logarithm(self, frames: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(frames * _hann(self.window), n=self.n_fft).abs()
        energies = (spectrum if self.power == 1 else spectrum**self.power) @ _filters(self)
        if self.scale == "decibel":
            return 10 * torch.log10(energies.clamp(min=self.floor))
        return torch.log(energies + self.floor)


@functools.lru_cache(maxsize=4)
def _hann(size: int) -> torch.Tensor:
    return torch.hann_window(size, periodic=True)


@functools.lru_cache(maxsize=4)
def _filters(front: LogMel) -> torch.Tensor:
    """[n_fft / 2 + 1, mels]; Slaney's bands have equal areas, as librosa's do."""
    norm = "slaney" if front.bands == "slaney" else None
    return torchaudio.functional.melscale_fbanks(
        front.n_fft // 2 + 1, front.low_hz, front.high_hz, front.mels, front.rate_hz, norm=norm, mel_scale=front.bands
    )


VGGISH = LogMel(floor=0.01, patch_hop=96)  # Hershey et al. 2017, arXiv:1609.09430
PANNS = LogMel(  # Kong et al. 2020, arXiv:1912.10211: ten seconds at a time
    rate_hz=32_000,
    n_fft=1024,
    window=1024,
    hop=320,
    low_hz=50.0,
    high_hz=14_000.0,
    power=2.0,
    floor=1e-10,
    scale="decibel",
    bands="slaney",
    patch_frames=1000,
    patch_hop=1000,
)
FRONT_ENDS = {"yamnet": LogMel(), "vggish": VGGISH, "panns": PANNS}
