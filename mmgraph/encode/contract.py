"""The contract of encoders: samples -> vector, by a model whose weights are given."""

import abc
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality

if TYPE_CHECKING:
    from mmgraph.encode.tuning import Tunable


@dataclass(frozen=True)
class EncoderCard:
    """What a vector was made with. Vectors of different cards are never mixed: the store is keyed by ``key()``.

    name: the encoder's; weights: hub id, folder or ``none``; revision: commit, or hash of the weight file; width: of the vector;
    input: e.g. ``16000 Hz mono``, ``224 px``, ``256 tokens``; licence and paper: of the weights; precision: of the computation.
    """

    name: str
    modality: Modality
    weights: str
    revision: str
    width: int
    input: str
    licence: str
    paper: str
    precision: str = "fp32"

    def key(self) -> str:
        """Sixteen hex digits that change with any field."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class About:
    """What can be told of an encoder without its weights; width: of its vectors, None where only the weights say it."""

    weights: str
    licence: str
    paper: str
    width: int | None = None


@dataclass(frozen=True)
class Repository:
    """What ``mmgraph encoders pull`` fetches: a repository of the Hugging Face hub, at a revision (None is ``main``).

    files: names of weight files, the first that the repository has is taken, with all small files beside it; argument: of the
    encoder, which takes a folder as well, written as ``form`` says (``{folder}``, and ``{file}`` of the weights in it).
    """

    id: str
    revision: str | None = None
    files: tuple[str, ...] = ("model.safetensors",)
    argument: str = "model"
    form: str = "{folder}"


class Encoder(abc.ABC):
    """One file with one class; built from ``class_path`` and keyword arguments, cheap until ``load``.

    ``available()`` says None, or in one line why the weights cannot be had (without downloading them). ``load(device)`` brings
    them and completes the card. ``encode`` checks what ``_encode`` gives.
    """

    modality: Modality

    @abc.abstractmethod
    def available(self) -> str | None:
        """None when ``load`` would work; else one line: what is missing and where it was looked for."""

    def identity(self) -> str | None:
        """What of the weights and arguments decides the vectors, found without loading anything; None where that takes a load.

        Equal identities give equal cards, so that a corpus whose vectors are all stored needs no weights.
        """
        return None

    def about(self) -> About | None:
        """For lists: told without loading, and without importing anything large; None where that is not possible."""
        try:
            card = self.card
        except (EncoderError, AttributeError):
            return None
        return About(card.weights, card.licence, card.paper, card.width)

    def repository(self) -> Repository | None:
        """Where weights that are not here come from; None for those that are in a folder, or that need none."""
        return None

    @abc.abstractmethod
    def load(self, device: str = "cpu") -> None:
        """Bring the weights to ``device``; raises EncoderError."""

    @property
    @abc.abstractmethod
    def card(self) -> EncoderCard:
        """Complete after ``load``."""

    def prepare(self, clip: Clip) -> Clip:
        """What of a clip the model looks at: frames at its size (uint8), sound mono at its rate. ``prepare(prepare(c))`` is ``prepare(c)``.

        Decoder threads call it ahead of ``encode``, so that little waits in memory; only after ``load``.
        """
        return clip

    def tunable(self, blocks: int, tokens: int | None) -> "Tunable | str":
        """Cut before its last ``blocks`` blocks, to train these; only after ``load``. Else one line: why that cannot be.

        tokens: where texts end, as the encoder does when None.
        """
        return "it has no blocks that could be trained"

    @abc.abstractmethod
    def _encode(self, clips: Sequence[Clip]) -> Floats:
        """Compute on prepared clips; deterministic, each vector independent of the rest of the batch."""

    def encode(self, clips: Sequence[Clip]) -> Floats:
        """Clips of this encoder's modality -> float32 [len(clips), card.width], every number finite.

        A clip of several frames gives the mean over its frames unless the encoder says otherwise. Raises EncoderError.
        """
        if not clips:
            return np.zeros((0, self.card.width), np.float32)
        vectors = np.ascontiguousarray(self._encode([self.prepare(clip) for clip in clips]), dtype=np.float32)
        if vectors.shape != (len(clips), self.card.width):
            raise EncoderError(f"{self.card.name} gave a wrong shape", given=vectors.shape, todo="mend the encoder")
        if not np.isfinite(vectors).all():
            raise EncoderError(f"{self.card.name} gave numbers that are not finite", todo="mend the encoder")
        return vectors
