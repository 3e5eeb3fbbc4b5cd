"""Of the encoders that a person prefers, the first whose weights can be had."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mmgraph import registry
from mmgraph.encode.contract import Encoder
from mmgraph.errors import EncoderError, MMGraphError
from mmgraph.settings import ComponentLike, normal
from mmgraph.types import Modality

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """A loaded encoder, and (name, reason) of those that were preferred to it and could not be had."""

    encoder: Encoder
    passed_over: tuple[tuple[str, str], ...] = ()


def choose(
    modality: Modality,
    components: Sequence[ComponentLike],
    when_unavailable: Literal["fallback", "error"],
    device: str = "auto",
) -> Chosen:
    """Load the first available encoder on ``device`` (``auto``: cuda where there is one).

    Each one passed over is logged as a warning. Raises EncoderError when the first is not available and ``when_unavailable`` is
    ``error``, or when none is; SettingsError for names and arguments that do not exist.
    """
    place = _device(device)
    passed_over: list[tuple[str, str]] = []
    for component in components:
        name = normal(component).class_path
        encoder = registry.create("encoder", component)
        _check(encoder, name, modality)
        reason = encoder.available() or _load(encoder, place)
        if reason is None:
            _log.info("%s by %s on %s", modality, name, place)
            return Chosen(encoder, tuple(passed_over))
        if when_unavailable == "error":
            raise EncoderError(
                f"encoders.{modality}: {name} cannot be had: {reason}", todo="or set when_unavailable: fallback"
            )
        _log.warning("encoders.%s: %s is passed over: %s", modality, name, reason)
        passed_over.append((name, reason))
    tried = "; ".join(f"{name}: {reason}" for name, reason in passed_over) or "the list is empty"
    raise EncoderError(f"encoders.{modality}: no encoder can be had", given=tried, todo="add one that needs no weights")


def _check(encoder: object, name: str, modality: Modality) -> None:
    if not isinstance(encoder, Encoder):
        raise EncoderError(
            f"encoders.{modality}: {name} is no Encoder", given=type(encoder).__name__, todo="derive it from Encoder"
        )
    if encoder.modality != modality:
        raise EncoderError(
            f"encoders.{modality}: {name} reads {encoder.modality}", todo=f"list it under encoders.{encoder.modality}"
        )


def _load(encoder: Encoder, device: str) -> str | None:
    try:
        encoder.load(device)
    except (MMGraphError, ImportError, OSError, RuntimeError, ValueError) as error:
        return str(error) or type(error).__name__
    return None


def _device(device: str) -> str:
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
