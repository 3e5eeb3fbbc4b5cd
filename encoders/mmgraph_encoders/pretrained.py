"""What encoders of transformers share: loading, and reading one vector out of what a model returns."""

import functools
import itertools
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import torch

from mmgraph.encode.batches import attempt
from mmgraph.encode.hub import pinned
from mmgraph.errors import EncoderError
from mmgraph.types import Floats
from mmgraph_encoders.weights import bring, folder_of

_log = logging.getLogger(__name__)
Precision = Literal["fp32", "bf16", "fp16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PIECE = 16  # things that one thread computes at a time
_TOO_LARGE = "out of memory for the smallest piece"
_NOT_IN = re.compile(r"not implemented for '(Half|BFloat16)'|(Half|BFloat16).* not supported")


def loaded(
    factory: Any, model: str, revision: str | None, device: str, precision: Precision = "fp32", **more: Any
) -> tuple[Any, bool]:
    """``factory.from_pretrained`` in ``precision`` on ``device``, for inference, and whether its pooler has weights.

    more: other arguments of ``from_pretrained``. Inputs go to the network through ``onto``. Raises EncoderError when anything
    but a pooler is missing from the weights: it would be filled with random numbers.
    """
    _log.info("loading %s", model)
    wanted = {"revision": pinned(model, revision), "dtype": DTYPES[precision], **more}
    network, report = bring(
        model,
        lambda: factory.from_pretrained(model, output_loading_info=True, **wanted),
        hub=folder_of(model) is None,
    )
    lost = sorted(key for key in report["missing_keys"] if "position_ids" not in key)
    invented = [key for key in lost if "pooler" not in key.lower()]
    if invented:
        raise EncoderError(
            f"the weights of {model} lack {len(invented)} tensors", given=invented[0], todo="use complete weights"
        )
    try:
        return network.eval().to(device), not lost
    except RuntimeError as error:
        raise EncoderError(f"{model} cannot be brought to {device}", given=error, todo="set encoders.device: cpu") from error


def onto(inputs: Any, network: Any) -> Any:
    """A tensor, or what a processor returns, on the device of ``network``, its floating numbers in the type of its weights."""
    weight = next(parameter for parameter in network.parameters() if parameter.is_floating_point())
    if isinstance(inputs, torch.Tensor):
        return inputs.to(weight.device, weight.dtype if inputs.is_floating_point() else None)
    return {name: onto(one, network) if isinstance(one, torch.Tensor) else one for name, one in inputs.items()}


def part(name: str, factory: Any, model: str, revision: str | None, **settings: Any) -> Any:
    """A tokenizer or processor of the same weights; ``name`` says which in the error."""
    return bring(
        f"{name} of {model}",
        lambda: factory.from_pretrained(model, revision=pinned(model, revision), **settings),
        hub=folder_of(model) is None,
    )


def pooled(output: Any, *, has_pooler: bool = True, otherwise: Literal["first", "mean"] = "first") -> torch.Tensor:
    """[n, width] of a model's output: itself, its projected or pooled vector, or the first token or mean where it has none."""
    if isinstance(output, torch.Tensor):
        return output.flatten(1)
    projected = getattr(output, "image_embeds", None)
    if projected is not None:
        return projected
    found = getattr(output, "pooler_output", None)
    if found is not None and has_pooler:
        return found.flatten(1)
    last: torch.Tensor = output.last_hidden_state
    return last[:, 0] if last.ndim == 3 and otherwise == "first" else over_positions(last)


def hidden(output: Any, layer: int, network: Any) -> torch.Tensor:
    """What the ``layer``-th of a network's layers made of its input, from 1: [n, positions, width] or [n, width, rows, columns].

    output: with ``hidden_states``; where embeddings come first, as many states as the configuration counts layers are after
    them. Raises EncoderError for a layer that is not there, and a network that keeps no states.
    """
    states = output.hidden_states
    if not states:
        raise EncoderError("this model keeps no hidden layers", todo="leave init_args.layer out")
    layers = getattr(network.config, "num_hidden_layers", len(states))
    if not 1 <= layer <= layers <= len(states):
        raise EncoderError(f"init_args.layer of this model must be from 1 to {min(layers, len(states))}", given=layer)
    found: torch.Tensor = states[len(states) - layers + layer - 1]
    return found


def over_positions(hidden: torch.Tensor) -> torch.Tensor:
    """Mean of [n, positions, width] or [n, width, rows, columns] over what is not n or width: [n, width]."""
    return hidden.mean(dim=(2, 3)) if hidden.ndim == 4 else hidden.mean(dim=1)


def in_chunks(
    things: Sequence[Any], compute: Callable[[Sequence[Any]], torch.Tensor], size: int = 64, device: str = ""
) -> Floats:
    """``compute`` on at most ``size`` things at a time, fewer where memory ends, without gradients: float32 [len(things), width].

    device: where this is the CPU, several pieces are computed at once (``side_by_side``). Raises EncoderError where the device
    does not know the precision.
    """
    parts: list[torch.Tensor] = []
    done = 0
    if device == "cpu":
        parts = side_by_side([things[first : first + PIECE] for first in range(0, len(things), PIECE)], compute)
        done = sum(len(part) for part in parts)
        size = PIECE // 2 if done < len(things) else size
    while done < len(things):
        some = things[done : done + size]
        found = attempt(lambda some: _vectors(compute, some), some)
        if found is not None:
            parts.append(found)
            done += len(some)
        elif len(some) == 1:
            raise MemoryError(_TOO_LARGE)  # for ``Batches``, which gives the encoder fewer clips, or says that one is too many
        else:
            size = len(some) // 2
    return torch.cat(parts).numpy()


def side_by_side(pieces: Sequence[Sequence[Any]], compute: Callable[[Sequence[Any]], torch.Tensor]) -> list[torch.Tensor]:
    """``compute`` on each piece, as many at once as there are threads for; only the first ones where memory ends.

    Threads that share one product wait for each other at its end, above all where decoders take turns with them; those that
    have a piece each do not. Of a transformer on two cores that is a sixth more a second, and a third more beside decoders.
    """

    def one(some: Sequence[Any]) -> torch.Tensor | None:
        return attempt(lambda some: _vectors(compute, some), some)

    threads = torch.get_num_threads()
    streams = min(threads, len(pieces))
    if streams < 2:
        return _while_memory_lasts(one(some) for some in pieces)
    return _while_memory_lasts(_pool(os.getpid(), streams, threads // streams, threads).map(one, pieces))


def _while_memory_lasts(found: Iterable[torch.Tensor | None]) -> list[torch.Tensor]:
    return [part for part in itertools.takewhile(lambda part: part is not None, found) if part is not None]


@functools.lru_cache(maxsize=1)
def _pool(_process: int, streams: int, each: int, threads: int) -> ThreadPoolExecutor:
    """Threads that compute with ``each`` threads of their own; after a fork they would be gone, hence the process's number."""
    ready = threading.Barrier(streams + 1)

    def begin() -> None:
        torch.get_num_threads()  # a thread that has not asked would take the common number at its first product
        torch.set_num_threads(each)
        ready.wait()

    pool = ThreadPoolExecutor(streams, "encode", begin)
    for _ in range(streams):
        pool.submit(int)
    ready.wait()
    torch.set_num_threads(threads)  # it was changed for threads yet to come as well
    return pool


def _vectors(compute: Callable[[Sequence[Any]], torch.Tensor], things: Sequence[Any]) -> torch.Tensor:
    with torch.inference_mode():
        return _known(compute, things).float().cpu()


def _known(compute: Callable[[Sequence[Any]], torch.Tensor], things: Sequence[Any]) -> torch.Tensor:
    try:
        return compute(things)
    except RuntimeError as error:
        found = _NOT_IN.search(str(error))
        if found is None:
            raise
        raise EncoderError(
            "this device cannot compute in this precision", given=error, todo="set init_args.precision: fp32"
        ) from error


def unloaded(name: str) -> EncoderError:
    """What to raise when an encoder is asked before its weights are there."""
    return EncoderError(f"{name} has no weights yet", todo="call load() first")
