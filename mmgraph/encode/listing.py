"""All installed encoders, told without loading any."""

from dataclasses import asdict, dataclass
from typing import Any

from mmgraph import registry
from mmgraph.encode.contract import Encoder
from mmgraph.encode.fetch import in_cache
from mmgraph.encode.hub import cache, hub_closed
from mmgraph.errors import MMGraphError

_NOT_SAID = "not said"


@dataclass(frozen=True)
class Listed:
    """One encoder with its default arguments.

    at_hand: ``needs none``, ``here`` (installed, or in a folder), ``cache``, ``hub`` (can be fetched), ``missing`` or ``unknown``
    (it needs arguments, or cannot be imported); reason: why, for the last two. width: None where only the weights say it.
    """

    name: str
    modality: str
    weights: str
    width: int | None
    licence: str
    paper: str
    at_hand: str
    reason: str = ""


def installed() -> list[Listed]:
    """One line an entry point of the group ``mmgraph.encoders``, by modality and name."""
    found = [_listed(name) for name in registry.discover("encoder")]
    return sorted(found, key=lambda one: (one.modality, one.name))


def _listed(name: str) -> Listed:
    try:
        encoder: Encoder = registry.create("encoder", name)
        about = encoder.about()
        at_hand, reason = _where(encoder, about.weights if about is not None else "")
    except (MMGraphError, ImportError, OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return Listed(name, "unknown", _NOT_SAID, None, _NOT_SAID, _NOT_SAID, "unknown", said)
    if about is None:
        return Listed(name, encoder.modality, _NOT_SAID, None, _NOT_SAID, _NOT_SAID, at_hand, reason)
    return Listed(name, encoder.modality, **asdict(about), at_hand=at_hand, reason=reason)


def _where(encoder: Encoder, weights: str) -> tuple[str, str]:
    reason = encoder.available()
    if reason is not None:
        return "missing", reason
    repository = encoder.repository()
    if repository is None:
        return ("needs none" if weights == "none" else "here"), ""
    return ("cache" if in_cache(repository) is not None else "hub"), ""


def table(found: list[Listed]) -> Any:
    """A rich table for a hundred columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    out = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, leading=1)
    out.add_column("encoder", no_wrap=True)
    out.add_column("reads", no_wrap=True)
    out.add_column("width", justify="right", no_wrap=True)
    out.add_column("weights, licence, paper", ratio=1, overflow="fold")
    out.add_column("at hand", no_wrap=True)
    for one in found:
        told = "\n".join(dict.fromkeys((one.weights, one.licence, one.paper)))
        out.add_row(one.name, one.modality, "" if one.width is None else str(one.width), told, one.at_hand)
    return out


def notes(found: list[Listed]) -> list[str]:
    """What the words of the table mean here: the cache, the hub, and a line for each that is not at hand for a reason of its own."""
    closed = hub_closed()
    lines = [f"cache: {cache()}", "hub: " + (f"{closed}; what is missing is not in the cache" if closed else "can be reached")]
    own = [one for one in found if one.reason and not (closed and closed in one.reason)]
    lines += [f"{one.name}: {one.reason}" for one in own]
    return [*lines, "mmgraph encoders pull --config FILE brings the weights that a configuration names"]
