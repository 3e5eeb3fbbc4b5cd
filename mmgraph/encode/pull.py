"""Fetch what a configuration needs, so that it runs without network."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mmgraph import registry
from mmgraph.encode.contract import Encoder, Repository
from mmgraph.encode.fetch import Fetched, HubClosed, fetch
from mmgraph.errors import EncoderError, MMGraphError
from mmgraph.settings import Component, EncoderSettings, normal
from mmgraph.types import MODALITIES, Modality


@dataclass(frozen=True)
class Pulled:
    """One encoder that is ready, or (``reason``) is not. ``fetched``: None where nothing had to be; setting: what to write."""

    modality: Modality
    name: str
    weights: str
    fetched: Fetched | None = None
    setting: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        """One line."""
        head = f"{self.modality}: {self.name}"
        if self.reason is not None:
            return f"{head} is left out: {self.reason}"
        if self.fetched is None:
            return f"{head} is here ({self.weights})"
        told = f"{len(self.fetched.files)} files, {sized(self.fetched.size)}, in {self.fetched.folder}"
        return f"{head}: {self.weights} at {self.fetched.commit[:12]}, {told}"


def pull(settings: EncoderSettings, *, every: bool = False, to: Path | None = None) -> Iterator[Pulled]:
    """Bring for each modality the first encoder that can be brought (``every``: all that are listed), and load it to prove it.

    Into the hub's cache, or folders below ``to``. Raises HubClosed where something is to be fetched and the hub cannot be asked;
    EncoderError where a modality is left with none.
    """
    for modality in MODALITIES:
        reasons = []
        components = [normal(one) for one in getattr(settings, modality)]
        for number, component in enumerate(components):
            one = _one(modality, component, to)
            if one.setting is not None:
                one = replace(one, setting=f"encoders.{modality}[{number}].init_args.{one.setting}")
            yield one
            if one.reason is not None:
                reasons.append(f"{one.name}: {one.reason}")
            elif not every:
                break
        if components and len(reasons) == len(components):
            todo = "add one that needs no weights"
            raise EncoderError(f"encoders.{modality}: no encoder can be had", given="; ".join(reasons), todo=todo)


def _one(modality: Modality, component: Component, to: Path | None) -> Pulled:
    name = component.class_path
    encoder: Encoder = registry.create("encoder", component)
    repository = encoder.repository()
    about = encoder.about()
    weights = repository.id if repository is not None else about.weights if about is not None else "weights of its own"
    try:
        fetched = fetch(repository, to) if repository is not None else None
        setting, value = _setting(repository, fetched, to)
        if setting is not None:
            component = msgspec.structs.replace(component, init_args={**component.init_args, setting: value})
            encoder = registry.create("encoder", component)
        reason = encoder.available()
        if reason is None:
            encoder.load("cpu")
    except HubClosed:
        raise
    except (MMGraphError, ImportError, OSError, RuntimeError, ValueError) as error:
        return Pulled(modality, name, weights, reason=str(error) or type(error).__name__)
    return Pulled(modality, name, weights, fetched, setting and f"{setting}: {value}", reason)


def _setting(repository: Repository | None, fetched: Fetched | None, to: Path | None) -> tuple[str | None, str]:
    """Which argument names the folder, and how."""
    if repository is None or fetched is None or to is None:
        return None, ""
    return repository.argument, repository.form.format(folder=fetched.folder.resolve(), file=fetched.file)


def sized(size: int) -> str:
    """Bytes as a person reads them.

    >>> sized(999), sized(88_400_000), sized(5_000_000_000)
    ('999 B', '88.4 MB', '5.0 GB')
    """
    number, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
