"""Transformers cut before their last blocks: what enters these, and a copy of them that may be trained."""

import copy
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from mmgraph.encode.tuning import Top, Tunable
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames
from mmgraph.types import Bytes, Floats
from mmgraph_encoders.clips import frames_of, texts_of
from mmgraph_encoders.token_batches import pooled_tokens

_PLACES = ("encoder.layer", "encoder.layers", "transformer.layer", "layers", "transformer.resblocks")
_AT_ONCE = 32
Pooling = Literal["mean", "cls", "last"]


class _ReachedError(Exception):
    """The hidden states that a block was handed."""

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden


def blocks_of(network: nn.Module) -> Sequence[nn.Module] | None:
    """The blocks of a transformer in their order, or None where they are not in one of the usual places."""
    for place in _PLACES:
        found: Any = network
        for name in place.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList) and len(found):
            return list(found)
    return None


def lacking(blocks: Sequence[nn.Module] | None, wanted: int) -> str | None:
    """One line where there are not as many blocks as wanted."""
    if blocks is None:
        return "it has no list of transformer blocks"
    return f"it has {len(blocks)} blocks, {wanted} are asked" if wanted > len(blocks) else None


def handed(block: nn.Module, run: Callable[[], object]) -> Tensor:
    """What ``run`` hands to ``block``; nothing after it is computed."""

    def stop(_block: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _ReachedError(given[0] if given else named["hidden_states"])

    hook = block.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        run()
    except _ReachedError as reached:
        return reached.hidden
    finally:
        hook.remove()
    raise EncoderError("a model does not reach its own last blocks", todo="use method: adapter")


class TextTop(Top):
    """Blocks, then pooling over the tokens (mean, cls, last), then length one where ``normalise``."""

    def __init__(self, blocks: Sequence[nn.Module], hidden: int, pooling: Pooling, normalise: bool) -> None:
        super().__init__(blocks, hidden)
        self.pooling, self.normalise = pooling, normalise

    def vectors(self, hidden: Tensor, counts: Tensor) -> Tensor:
        """See Top."""
        there = torch.arange(hidden.shape[1], device=hidden.device) < counts[:, None]
        mask = None
        if not bool(there.all()):
            heard = there | (torch.arange(hidden.shape[1], device=hidden.device) == 0)  # a softmax needs one
            mask = torch.zeros(heard.shape, device=hidden.device).masked_fill(~heard, torch.finfo(torch.float32).min)[
                :, None, None
            ]
        hidden = through(self.blocks, hidden, mask)
        vectors = pooled_tokens(hidden, there.long(), self.pooling)
        return nn.functional.normalize(vectors, dim=1) if self.normalise else vectors


def through(blocks: nn.ModuleList, hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Block after block; transformers before 5 give tuples."""
    for block in blocks:
        out = block(hidden, mask)
        hidden = out[0] if isinstance(out, tuple) else out
    return hidden


class FrameTop(Top):
    """Blocks and ``tail`` frame by frame, then the mean over a clip's frames, of length one."""

    def __init__(self, blocks: Sequence[nn.Module], hidden: int, tail: nn.Module, tokens: int) -> None:
        super().__init__(blocks, hidden)
        self.tail, self.tokens = tail, tokens

    def vectors(self, hidden: Tensor, counts: Tensor) -> Tensor:
        """See Top; every frame has ``tokens`` tokens."""
        frames = hidden.shape[1] // self.tokens
        there = (torch.arange(frames, device=hidden.device) < counts[:, None] // self.tokens).reshape(-1).nonzero()[:, 0]
        each = hidden[:, : frames * self.tokens].reshape(len(hidden) * frames, self.tokens, -1)
        of_frames = self.tail(through(self.blocks, each[there], None)).float()
        every = of_frames.new_zeros(len(each), of_frames.shape[1]).index_copy(0, there, of_frames)
        total = every.reshape(len(hidden), frames, -1).sum(1)
        return nn.functional.normalize(total / (counts[:, None] // self.tokens).clamp(min=1), dim=1)


class TunableText(Tunable):
    """A text transformer whose blocks take hidden states and an additive mask: BERT, RoBERTa, MPNet without relative positions.

    tokenize: texts -> what the network takes, with ``attention_mask``, padded on the right.
    """

    framed = False

    def __init__(self, network: Any, tokenize: Callable[[Sequence[str]], dict[str, Any]], top: TextTop, tokens: int) -> None:
        self.top, self.tokens = top, tokens
        self._network, self._tokenize = network, tokenize
        self._first = (blocks_of(network) or [])[-len(top.blocks)]

    def entering(self, clips: Sequence[Clip]) -> list[Floats]:
        """See Tunable."""
        texts, found = texts_of(clips), []
        for first in range(0, len(texts), _AT_ONCE):
            tokens = self._tokenize(texts[first : first + _AT_ONCE])
            with torch.inference_mode():
                hidden = handed(self._first, functools.partial(self._network, **tokens)).float().cpu().numpy()
            counts = tokens["attention_mask"].sum(1).tolist()
            found += [np.array(one[:count]) for one, count in zip(hidden, counts, strict=True)]
        return found


class TunableFrames(Tunable):
    """A vision transformer; ``run`` takes frames to the network's forward, whose ``block`` is where it is cut."""

    framed = True

    def __init__(self, run: Callable[[Sequence[Bytes]], object], block: nn.Module, top: FrameTop) -> None:
        self.top, self.tokens = top, top.tokens
        self._run, self._block = run, block

    def entering(self, clips: Sequence[Clip]) -> list[Floats]:
        """See Tunable."""
        pixels = frames_of(clips)
        every = [frame for some in pixels for frame in some]
        parts = []
        for first in range(0, len(every), _AT_ONCE):
            some = every[first : first + _AT_ONCE]
            with torch.inference_mode():
                hidden = handed(self._block, functools.partial(self._run, some))
            if hidden.ndim != 3 or hidden.shape[1] != self.tokens:
                raise EncoderError("frames of different sizes have different tokens", todo="use method: adapter")
            parts.append(hidden.float().cpu().numpy())
        starts = np.cumsum([0, *(len(some) for some in pixels)])
        joined = np.concatenate(parts)
        return [joined[a:b].reshape(-1, joined.shape[2]) for a, b in itertools.pairwise(starts)]


def cut_text(
    network: Any,
    tokenize: Callable[[Sequence[str]], dict[str, Any]],
    blocks: int,
    tokens: int,
    *,
    pooling: Pooling,
    normalise: bool,
) -> Tunable | str:
    """A text model cut before its last ``blocks`` blocks, or why it cannot be."""
    found = blocks_of(network)
    lack = lacking(found, blocks)
    if found is None or lack:
        return str(lack)
    if any(getattr(network, name, None) is not None for name in ("final_norm", "norm", "ln_f", "final_layer_norm")):
        return "something follows its last block"
    top = TextTop(copies(found[-blocks:]), int(network.config.hidden_size), pooling, normalise)
    return TunableText(network, tokenize, top, tokens)


def cut_frames(
    tower: Any,
    tail: nn.Module | str,
    run: Callable[[Sequence[Bytes]], object],
    prepare: Callable[[Clip], Clip],
    blocks: int,
) -> Tunable | str:
    """A vision tower cut before its last ``blocks`` blocks, or why it cannot be.

    tail: what follows the blocks, or why that is not known; run: prepared frames to the tower's forward.
    """
    found = blocks_of(tower)
    lack = lacking(found, blocks)
    if found is None or lack:
        return str(lack)
    if isinstance(tail, str):
        return tail
    (probe,) = frames_of([prepare(Frames(np.full((1, 64, 64, 3), 128, np.uint8)))])
    with torch.inference_mode():
        shape = handed(found[-blocks], lambda: run(list(probe))).shape
    if len(shape) != 3 or shape[0] != 1:
        return f"its blocks are handed {list(shape)} for one frame"
    top = FrameTop(copies(found[-blocks:]), int(shape[2]), copy.deepcopy(tail).float().cpu(), int(shape[1]))
    return TunableFrames(run, found[-blocks], top)


def copies(blocks: Sequence[nn.Module]) -> list[nn.Module]:
    """Copies in float32 on the CPU, apart from the encoder, which stays as it is."""
    return [copy.deepcopy(block).float().cpu() for block in blocks]
