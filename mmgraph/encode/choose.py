"""Of the encoders that a person prefers, the first whose weights can be had; loaded only when something is to be encoded."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from mmgraph import registry
from mmgraph.encode.cards import Cards
from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.encode.devices import resolved
from mmgraph.errors import EncoderError, MMGraphError, SettingsError
from mmgraph.settings import Component, ComponentLike, normal
from mmgraph.types import Modality

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Chosen:
    """An encoder that was taken, and (name, reason) of those that were preferred to it and could not be had.

    card: known, with or without the weights; component: what it was built from, for a process that builds its own.
    ``encoder()`` loads the weights when first called, on ``device``.
    """

    card: EncoderCard
    modality: Modality
    component: Component
    device: str
    passed_over: tuple[tuple[str, str], ...]
    _encoder: Encoder
    _identity: str | None = None
    _known: Cards | None = None
    _loaded: bool = True

    @property
    def name(self) -> str:
        """As the settings name it."""
        return self.component.class_path

    @property
    def place(self) -> str:
        """The device it computes on: ``auto`` resolved."""
        return resolved(self.device)

    def encoder(self) -> Encoder:
        """The loaded encoder. Raises EncoderError when its weights are gone since its card was remembered, or were replaced."""
        if not self._loaded:
            reason = self._encoder.available() or _load(self._encoder, self.place)
            if reason is not None:
                wrong = (
                    f"encoders.{self.modality}: {self.name} is needed for what the store lacks, and cannot be had: {reason}"
                )
                raise EncoderError(wrong)
            self._loaded = True
            self._check_card()
        return self._encoder

    def _check_card(self) -> None:
        found = self._encoder.card
        if found == self.card:
            return
        if self._known is not None and self._identity is not None:
            self._known.forget(self._encoder, self._identity)
        old, new = asdict(self.card), asdict(found)
        differs = ", ".join(f"{field} {old[field]} became {new[field]}" for field in old if old[field] != new[field])
        todo = "the same command starts with what is there now"
        raise EncoderError(f"encoders.{self.modality}: {self.name} is not what the store remembers", given=differs, todo=todo)


def choose(
    modality: Modality,
    components: Sequence[ComponentLike],
    when_unavailable: Literal["fallback", "error"],
    device: str = "auto",
    known: Cards | None = None,
) -> Chosen:
    """The first encoder that can be had, on ``device`` (``auto``: cuda or mps where there is one).

    Where ``known`` remembers the card, nothing is loaded and no weights are looked for; else it is loaded here. Each one
    passed over is logged as a warning. Raises EncoderError when the first cannot be had and ``when_unavailable`` is ``error``,
    or when none can; SettingsError for names, arguments and devices that do not exist.
    """
    passed_over: list[tuple[str, str]] = []
    for component in map(normal, components):
        name = component.class_path
        encoder = registry.create("encoder", component)
        _check(encoder, name, modality)
        taken = _remembered(encoder, component, device, known) or _loaded(encoder, component, device, known)
        if isinstance(taken, Chosen):
            taken.passed_over = tuple(passed_over)
            _log.info("%s by %s", modality, name)
            return taken
        if when_unavailable == "error":
            raise EncoderError(f"encoders.{modality}: {name} cannot be had: {taken}", todo="or set when_unavailable: fallback")
        _log.warning("encoders.%s: %s is passed over: %s", modality, name, taken)
        passed_over.append((name, taken))
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


def _remembered(encoder: Encoder, component: Component, device: str, known: Cards | None) -> Chosen | None:
    """Without loading: by the identity that the weights have now, or, where they are gone, by the one they had."""
    if known is None:
        return None
    identity = encoder.identity()
    card = known.of(encoder, identity) if identity is not None else None
    if identity is None and (last := known.last(encoder, component)) is not None and (reason := encoder.available()):
        identity, card = last
        _log.warning("encoders.%s: only what the store has by %s: %s", encoder.modality, component.class_path, reason)
    if card is None:
        return None
    return Chosen(card, encoder.modality, component, device, (), encoder, identity, known, _loaded=False)


def _loaded(encoder: Encoder, component: Component, device: str, known: Cards | None) -> Chosen | str:
    """Loaded and, where there is a store, remembered; or why it cannot be had."""
    reason = encoder.available()
    if reason is None:
        reason = _load(encoder, resolved(device))
    if reason is not None:
        return reason
    identity = encoder.identity() if known is not None else None
    if known is not None and identity is not None:
        known.put(encoder, identity, component)
    return Chosen(encoder.card, encoder.modality, component, device, (), encoder, identity, known)


def _load(encoder: Encoder, device: str) -> str | None:
    try:
        encoder.load(device)
    except SettingsError:
        raise
    except (MMGraphError, ImportError, OSError, RuntimeError, ValueError) as error:
        return str(error) or type(error).__name__
    return None
