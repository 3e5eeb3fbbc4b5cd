"""What encoders of transformers share: loading, and reading one vector out of what a model returns."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from mmgraph.errors import EncoderError
from mmgraph.types import Floats
from mmgraph_encoders.weights import bring, folder_of

_log = logging.getLogger(__name__)
Precision = Literal["fp32", "bf16", "fp16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def loaded(factory: Any, model: str, revision: str | None, device: str, precision: Precision = "fp32") -> tuple[Any, bool]:
    """``factory.from_pretrained`` in this precision on ``device``, for inference, and whether its pooler has weights.

    Raises EncoderError when anything but a pooler is missing from the weights: it would be filled with random numbers.
    """
    _log.info("loading %s", model)
    network, report = bring(
        model,
        lambda: factory.from_pretrained(model, revision=revision, output_loading_info=True, dtype=DTYPES[precision]),
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


def part(name: str, factory: Any, model: str, revision: str | None, **settings: Any) -> Any:
    """A tokenizer or processor of the same weights; ``name`` says which in the error."""
    return bring(
        f"{name} of {model}",
        lambda: factory.from_pretrained(model, revision=revision, **settings),
        hub=folder_of(model) is None,
    )


def pooled(output: Any, *, has_pooler: bool = True, otherwise: Literal["first", "mean"] = "first") -> torch.Tensor:
    """[n, width] of a model's output: itself, its pooled vector, or the first token or mean where it has none."""
    if isinstance(output, torch.Tensor):
        return output.flatten(1)
    found = getattr(output, "pooler_output", None)
    if found is not None and has_pooler:
        return found.flatten(1)
    hidden = output.last_hidden_state
    if hidden.ndim == 4:
        return hidden.mean(dim=(2, 3))
    return hidden[:, 0] if otherwise == "first" else hidden.mean(dim=1)


def in_chunks(things: Sequence[Any], compute: Callable[[Sequence[Any]], torch.Tensor], size: int = 64) -> Floats:
    """``compute`` on at most ``size`` things at a time, without gradients: float32 [len(things), width]."""
    with torch.inference_mode():
        parts = [compute(things[first : first + size]).float().cpu() for first in range(0, len(things), size)]
    return torch.cat(parts).numpy()


def unloaded(name: str) -> EncoderError:
    """What to raise when an encoder is asked before its weights are there."""
    return EncoderError(f"{name} has no weights yet", todo="call load() first")
