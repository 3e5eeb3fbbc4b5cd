"""Cards of encoders by what decides their vectors, so that a corpus whose vectors are all stored needs no weights."""

import functools
import hashlib
import importlib.metadata
import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.media.cache import Remembered
from mmgraph.settings import Component


class Cards:
    """``cards.jsonl`` in the folder of the store: what ``Encoder.identity()`` said -> the card that loading then gave.

    The key holds the encoder's source as well: a changed encoder states its card anew. An entry that cannot be read is none.
    """

    def __init__(self, store: Path) -> None:
        self.path = store / "cards.jsonl"

    def of(self, encoder: Encoder, identity: str) -> EncoderCard | None:
        """The card that an encoder of this identity had when it was last loaded; None where that is not known."""
        return _card(Remembered(self.path).get(_key(encoder, identity)))

    def last(self, encoder: Encoder, component: Component) -> tuple[str, EncoderCard] | None:
        """Identity and card that ``component`` last had, for when its weights are no longer there to ask."""
        known = Remembered(self.path)
        identity = known.get(_named(component))
        card = _card(known.get(_key(encoder, identity))) if isinstance(identity, str) else None
        return (identity, card) if card is not None and isinstance(identity, str) else None

    def put(self, encoder: Encoder, identity: str, component: Component) -> None:
        """Remember a loaded encoder's card; on disk at once. Raises RunError where the disk is full."""
        with Remembered(self.path) as known:  # read anew, so that what another process wrote meanwhile stays
            key, card = _key(encoder, identity), asdict(encoder.card)
            if known.get(key) != card:
                known.put(key, card)
            if known.get(_named(component)) != identity:
                known.put(_named(component), identity)

    def forget(self, encoder: Encoder, identity: str) -> None:
        """The next run loads this encoder again to know its card."""
        with Remembered(self.path) as known:
            known.put(_key(encoder, identity), None)


def _card(found: Any) -> EncoderCard | None:
    try:
        return msgspec.convert(found, EncoderCard)
    except msgspec.ValidationError:
        return None


def _named(component: Component) -> str:
    return "last " + msgspec.json.encode(component, order="deterministic").decode()


def _key(encoder: Encoder, identity: str) -> str:
    kind = type(encoder)
    version = importlib.metadata.version("mmgraph")
    return f"{kind.__module__}.{kind.__qualname__} {version} {_source(kind)} {identity}"


@functools.cache
def _source(kind: type[Encoder]) -> str:
    """Twelve hex digits of the SHA-256 of the class's module and of those beside it, which it may share code with."""
    try:
        module = Path(inspect.getfile(kind))
        beside = sorted(module.parent.glob("*.py")) if "." in kind.__module__ else [module]
        parts = [hashlib.sha256(path.read_bytes()).digest() for path in beside]
    except (OSError, TypeError):  # a class typed into a console has no file
        return "no source"
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
