"""Sound for models of torch: mono at the rate they ask for, in windows they can take."""

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import torch
import torchaudio.transforms

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Sound
from mmgraph.types import Floats
from mmgraph_encoders.clips import mean_by_clip, sounds_of
from mmgraph_encoders.log_mel import LogMel
from mmgraph_encoders.pretrained import in_chunks

_SHORTEST_S = 0.1
_LOUDEST = 1e6  # a file of floats may hold anything; squares of it must stay finite
_LARGEST_KERNEL = 1 << 21  # numbers; 44,100 Hz to 16,000 Hz has 26,000


def prepared(clip: Clip, rate_hz: int) -> Sound:
    """A sound as one channel at ``rate_hz``; one that is so already stays. Raises EncoderError for anything that is no sound."""
    sound = sounds_of([clip])[0]
    if sound.rate_hz == rate_hz and len(sound.samples) == 1:
        return sound
    samples = torch.from_numpy(sound.samples.mean(axis=0, dtype="float32"))
    if sound.rate_hz != rate_hz and len(samples):
        samples = _resampler(*_ratio(sound.rate_hz, rate_hz))(samples)
    return Sound(samples.numpy()[None], rate_hz)


def _ratio(old_hz: int, new_hz: int) -> tuple[int, int]:
    """The rates without their common divisor. The kernel is as large as their product, so 44,101 Hz is taken as 44,100."""
    ratio = Fraction(new_hz, old_hz)
    if ratio.numerator * ratio.denominator > _LARGEST_KERNEL:
        ratio = ratio.limit_denominator(1000)
    return ratio.denominator, max(1, ratio.numerator)


@functools.lru_cache(maxsize=16)
def _resampler(old: int, new: int) -> torchaudio.transforms.Resample:
    """Keeps its kernel: a corpus has few rates, and many files of each."""
    return torchaudio.transforms.Resample(old, new, dtype=torch.float32)


def wave(sound: Sound, rate_hz: int) -> torch.Tensor:
    """[n] mono at ``rate_hz``, at least a tenth of a second (padded with silence)."""
    samples = torch.from_numpy(prepared(sound, rate_hz).samples[0])
    if len(samples) and not samples.abs().max() <= _LOUDEST:
        samples = samples.clamp(-_LOUDEST, _LOUDEST)
    short = math.ceil(_SHORTEST_S * rate_hz) - len(samples)
    return torch.nn.functional.pad(samples, (0, short)) if short > 0 else samples


def windows(samples: torch.Tensor, size: int, hop: int) -> list[Floats]:
    """Pieces of ``size`` samples every ``hop``, the last one shorter.

    The last is left out when it brings less than half a hop that no other piece has, unless it is the only one.
    """
    starts = range(0, max(1, len(samples)), hop)
    reached = [min(len(samples), start + size) for start in starts]
    kept = [i for i in range(len(starts)) if i == 0 or reached[i] - reached[i - 1] >= hop / 2]
    return [samples[starts[i] : reached[i]].numpy() for i in kept]


def cut(sounds: Sequence[Sound], rate_hz: int, size: int, hop: int) -> tuple[list[Floats], list[int]]:
    """All windows of all sounds, and how many each sound has."""
    pieces = [windows(wave(sound, rate_hz), size, hop) for sound in sounds]
    return [piece for some in pieces for piece in some], [len(some) for some in pieces]


def span(rate_hz: int, window_s: float | None, hop_s: float | None, own: int, longest: int | None = None) -> tuple[int, int]:
    """Window and hop in samples; ``own`` is the model's window, ``longest`` what it can take. Raises EncoderError."""
    size = own if window_s is None else round(window_s * rate_hz)
    hop = size if hop_s is None else round(hop_s * rate_hz)
    if size < _SHORTEST_S * rate_hz or (longest is not None and size > longest):
        most = "" if longest is None else f" and at most {longest / rate_hz:g} s, which is what the model hears at once"
        raise EncoderError(f"window_s must be at least {_SHORTEST_S} s{most}", given=window_s)
    if not 0 < hop <= size:
        raise EncoderError("hop_s must be more than 0 and at most window_s", given=hop_s)
    return size, hop


def by_length(
    pieces: Sequence[Floats], compute: Callable[[Sequence[Floats]], torch.Tensor], longest: int, *, masked: bool
) -> Floats:
    """``compute`` on pieces of like length, in the order given: float32 [len(pieces), width].

    masked: ``compute`` pads and masks, so that lengths may differ; else all of one call have one length, since padding would
    change what it gives (the group norm of wav2vec 2.0 base reaches over all of a piece). ``longest``: samples a call, padding
    counted; a piece longer than that is alone.
    """
    order = np.argsort([len(piece) for piece in pieces], kind="stable")
    groups: list[list[int]] = []
    for i in order:
        size = len(pieces[i])
        alike = groups and (masked or len(pieces[groups[-1][0]]) == size)
        if alike and size * (len(groups[-1]) + 1) <= longest:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    vectors = [in_chunks([pieces[i] for i in group], compute, len(group)) for group in groups]
    return np.concatenate(vectors)[np.argsort(np.concatenate(groups))]


def over_windows(vectors: Floats, counts: Sequence[int], pooling: Literal["mean", "max"]) -> Floats:
    """One vector for the windows of each sound: float32 [sum(counts), width] -> [len(counts), width]; every count > 0."""
    if pooling == "mean":
        return mean_by_clip(vectors, counts)
    return np.maximum.reduceat(vectors, np.cumsum([0, *counts[:-1]]), axis=0)


def log_mel_patches(sounds: Sequence[Sound], front: LogMel) -> tuple[torch.Tensor, list[int]]:
    """All patches of all sounds, float32 [patches, 1, frames, mels], and how many each sound has."""
    patches = [front.patches(wave(sound, front.rate_hz)) for sound in sounds]
    return torch.cat(patches), [len(some) for some in patches]


def yamnet_patches(sound: Sound) -> torch.Tensor:
    """Log-mel patches as YAMNet takes them: float32 [patches, 1, 96, 64] of 16 kHz mono."""
    return log_mel_patches([sound], LogMel())[0]
