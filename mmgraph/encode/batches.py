"""Clips -> vectors in batches as large as pay and as small as must be."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from mmgraph.encode.contract import Encoder
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip
from mmgraph.types import Floats

_log = logging.getLogger(__name__)
_Thing = TypeVar("_Thing")
_Result = TypeVar("_Result")
START = 32
_MOST = 1024
_GAIN = 1.1  # a larger batch must be faster by this to be kept
_SAYS_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED")
_FOUND: dict[tuple[str, str], int] = {}


class Batches:
    """An encoder that is given ``size`` clips at a time, or, with None, as many as it proves to like.

    On the CPU that is always 32, so that the same work is cut alike on every run. On a GPU larger ones are tried while they
    are faster, and the answer serves every encoder of this card in the process. What does not fit into memory is halved, and
    stays so; the vectors are the same whatever the batch.
    """

    def __init__(self, encoder: Encoder, size: int | None = None, device: str = "cpu") -> None:
        self.encoder = encoder
        self._key = (encoder.card.key(), device)
        self._trying = size is None and device != "cpu" and self._key not in _FOUND
        self.size = size or _FOUND.get(self._key, START)
        self._best: tuple[float, int] = (0.0, self.size)  # clips a second, size
        self._warm = False

    def encode(self, clips: Sequence[Clip]) -> Floats:
        """float32 [len(clips), width]. Raises EncoderError when one clip alone does not fit, and what the encoder raises."""
        parts = [np.zeros((0, self.encoder.card.width), np.float32)]
        done = 0
        while done < len(clips):
            some = clips[done : done + self.size]
            begun = time.perf_counter()
            vectors = attempt(self.encoder.encode, some)
            if vectors is None:
                self._halve(len(some))
                continue
            done += len(some)
            parts.append(vectors)
            if self._trying and len(some) == self.size:
                self._compare(len(some) / max(time.perf_counter() - begun, 1e-9))
        return np.concatenate(parts)

    def _halve(self, failed: int) -> None:
        name = self.encoder.card.name
        if failed == 1:
            todo = "use a smaller model, encoders.device: cpu, shorter segments or fewer frames"
            raise EncoderError(f"{name}: not enough memory for one clip", todo=todo)
        self.size, self._trying = failed // 2, False
        self._remember()
        _log.warning("%s: no memory for %d clips at a time, %d are tried", name, failed, self.size)

    def _compare(self, speed: float) -> None:
        """Twice as many next time, while that is faster; a model's first batch is slow and tells nothing."""
        if not self._warm:
            self._warm = True
            return
        faster = speed > self._best[0] * _GAIN
        if faster:
            self._best = (speed, self.size)
        if faster and self.size * 2 <= _MOST:
            self.size, self._warm = self.size * 2, False
            return
        self.size, self._trying = self._best[1], False
        self._remember()
        _log.info("%s: %d clips at a time", self.encoder.card.name, self.size)

    def _remember(self) -> None:
        if self._key[1] != "cpu":
            _FOUND[self._key] = self.size


def attempt(compute: Callable[[Sequence[_Thing]], _Result], things: Sequence[_Thing]) -> _Result | None:
    """``compute(things)``, or None where there is not enough memory for it; then what it held on a GPU is given back."""
    try:
        return compute(things)
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not _no_memory(error):
            raise
    _give_back()  # here, since the error kept the frames alive, and with them what they had allocated
    return None


def _no_memory(error: BaseException) -> bool:
    said = str(error)
    return isinstance(error, MemoryError) or any(words in said for words in _SAYS_NO_MEMORY)


def _give_back() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
