"""The contract of encoders whose last blocks can be trained: what enters them is stored, what follows is a torch module."""

import abc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph import registry
from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames, Words
from mmgraph.settings import ComponentLike
from mmgraph.types import Floats

_AGREE = {"fp32": 1e-3}  # largest difference of a component of the two ways to a vector; half precisions differ by more
_AGREE_HALF = 3e-2


class Top(nn.Module, abc.ABC):
    """The last blocks of an encoder and all that follows them, in float32.

    A stored row holds the number of its tokens, then their activations, then zeros: float32 [1 + capacity * hidden].
    """

    def __init__(self, blocks: Sequence[nn.Module], hidden: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.hidden = hidden

    def counts(self, stored: Float[Tensor, "items stored"]) -> Int[Tensor, "items"]:
        """Tokens of each row: what it costs."""
        return stored[:, 0].long()

    def forward(self, stored: Float[Tensor, "items stored"]) -> Float[Tensor, "items width"]:
        """The vectors that the whole encoder gives; padding beyond the longest of these rows is not computed."""
        if not len(stored):  # blocks do not take nothing
            return self(stored.new_zeros(1, stored.shape[1]))[:0]
        counts = self.counts(stored)
        longest = max(int(counts.max()), 1)
        hidden = stored[:, 1 : 1 + longest * self.hidden].reshape(len(stored), longest, self.hidden)
        return self.vectors(hidden, counts)

    @abc.abstractmethod
    def vectors(
        self, hidden: Float[Tensor, "items tokens hidden"], counts: Int[Tensor, "items"]
    ) -> Float[Tensor, "items width"]:
        """Blocks, pooling, projection; tokens from ``counts`` on are padding and may not be heard."""

    def floats_kept(self) -> int:
        """Numbers that the backward pass keeps of each token, from above: what enters and leaves each linear map, and norms."""
        linear = sum(m.in_features + m.out_features for m in self.blocks.modules() if isinstance(m, nn.Linear))
        return linear + 8 * self.hidden * len(self.blocks)


class Tunable(abc.ABC):
    """A loaded encoder in two parts: ``top``, a copy that may be trained, and what enters it.

    tokens: the most of one text or one frame; frame by frame where ``framed``.
    """

    top: Top
    tokens: int
    framed: bool

    @abc.abstractmethod
    def entering(self, clips: Sequence[Clip]) -> list[Floats]:
        """Prepared clips -> float32 [their tokens, hidden] of each: what enters the first block of ``top``."""


class Activations(Encoder):
    """What enters the last ``blocks`` blocks of ``encoder``, as rows for its ``Top``.

    frames: the most of one clip; tokens: of a text, where its end may be cut off.
    """

    def __init__(self, *, encoder: ComponentLike, blocks: int, frames: int = 1, tokens: int | None = None) -> None:
        self._inner: Encoder = registry.create("encoder", encoder)
        self.modality = self._inner.modality
        self.blocks, self.frames, self.tokens = blocks, frames, tokens
        self._tunable: Tunable | None = None

    @classmethod
    def of(cls, loaded: Encoder, tunable: Tunable, blocks: int, frames: int, tokens: int | None) -> "Activations":
        """The same of an encoder that is loaded already, so that its weights are in memory once."""
        made = cls.__new__(cls)
        made._inner, made.modality, made._tunable = loaded, loaded.modality, tunable
        made.blocks, made.frames, made.tokens = blocks, frames, tokens
        return made

    def available(self) -> str | None:
        """As the encoder says."""
        return self._inner.available()

    def identity(self) -> str | None:
        """The encoder's, and where it is cut."""
        inner = self._inner.identity()
        return None if inner is None else f"{inner} / last {self.blocks} blocks, {self.frames} frames, {self.tokens} tokens"

    def load(self, device: str = "cpu") -> None:
        """Load the encoder; raises EncoderError where it cannot be tuned."""
        self._inner.load(device)
        found = self._inner.tunable(self.blocks, self.tokens)
        if isinstance(found, str):
            raise EncoderError(f"{self._inner.card.name} cannot be tuned: {found}")
        self._tunable = found

    @property
    def card(self) -> EncoderCard:
        """The encoder's, with what is stored instead of its vector."""
        inner, tunable = self._inner.card, self._ready()
        clip = f"{self.frames} frames of {tunable.tokens}" if tunable.framed else str(tunable.tokens)
        return replace(
            inner,
            name=f"{inner.name}: what enters its last {self.blocks} blocks",
            width=1 + self._capacity * tunable.top.hidden,
            input=f"{inner.input}; {clip} tokens of width {tunable.top.hidden}",
        )

    @property
    def _capacity(self) -> int:
        tunable = self._ready()
        return tunable.tokens * (self.frames if tunable.framed else 1)

    def _ready(self) -> Tunable:
        if self._tunable is None:
            raise EncoderError("the encoder to be tuned has no weights yet", todo="call load() first")
        return self._tunable

    def prepare(self, clip: Clip) -> Clip:
        """As the encoder does."""
        return self._inner.prepare(clip)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        rows = np.zeros((len(clips), self.card.width), np.float32)
        for row, hidden in zip(rows, self._ready().entering(clips), strict=True):
            if len(hidden) > self._capacity:
                given = f"{len(hidden)} tokens where there is room for {self._capacity}"
                raise EncoderError("a clip holds more than was stated", given=given, todo="raise media.frames_per_segment")
            row[0] = len(hidden)
            row[1 : 1 + hidden.size] = hidden.reshape(-1)
        return rows


def disagreement(encoder: Encoder) -> str | None:
    """None where the cut encoder gives the vectors of the whole one on an ordinary clip, else by how much they differ.

    It catches models whose blocks are handed more than hidden states and a mask, such as relative positions.
    """
    tunable = encoder.tunable(1, None)
    if isinstance(tunable, str):
        return tunable
    clip = _ordinary(encoder)
    rows = Activations.of(encoder, tunable, 1, 1, None).encode([clip])
    with torch.no_grad():
        device = next(tunable.top.parameters()).device
        cut = tunable.top.eval()(torch.from_numpy(rows).to(device)).cpu().numpy()
    apart = float(np.abs(cut - encoder.encode([clip])).max())
    if apart <= _AGREE.get(encoder.card.precision, _AGREE_HALF):
        return None
    return f"its last block is handed more than hidden states (cut and whole differ by {apart:.2g})"


def _ordinary(encoder: Encoder) -> Clip:
    if encoder.modality == "text":
        return Words("A man is eating food.")
    return Frames(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8))
