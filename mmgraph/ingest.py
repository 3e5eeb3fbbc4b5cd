"""From files to vectors: the first half of the way, in a module of its own so that ``mmgraph encode`` loads no more than it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mmgraph import registry
from mmgraph.catalogue.contract import Catalogue
from mmgraph.encode.hub import stay_offline
from mmgraph.errors import EncoderError
from mmgraph.graph.collect import Collected, collect
from mmgraph.media.segments import content_hashes, cut
from mmgraph.settings import Settings


def encode(settings: Settings) -> list[str]:
    """Only read and encode; ``fit`` then finds every vector in the store. One line a modality."""
    catalogue, content = read(settings)
    collected = features(settings, catalogue, content)
    return [
        f"{modality}: {' '.join(f'{n} {what}' for what, n in counts.items())} by {collected.encoders[modality]['card']['name']}"
        for modality, counts in collected.counts.items()
    ]


def read(settings: Settings) -> tuple[Catalogue, dict[str, str]]:
    """Catalogue with videos cut into segments and bad files set aside; and the content key of every item with media."""
    catalogue: Catalogue = registry.create("importer", settings.catalogue).read()
    catalogue = cut(catalogue, settings.media, store_folder(settings))
    return catalogue, content_hashes(catalogue, store_folder(settings))


def features(
    settings: Settings, catalogue: Catalogue, content: dict[str, str], taken: Mapping[str, Any] | None = None
) -> Collected:
    """Vectors of every item with media, from the store where they are.

    taken: the ``encoders.json`` of a run that goes on or is opened again; its encoders are taken, also where one that was passed over can
    be had by now. Raises EncoderError where one of them is not what it was.
    """
    if settings.encoders.offline:
        stay_offline()
    adaptation, near = settings.model.adaptation, settings.graph.near_duplicates.find
    encoders = as_taken(settings, taken or {}).encoders
    found = collect(catalogue, content, encoders, settings.media, store_folder(settings), adaptation, near)
    for modality, before in _chosen(taken or {}).items():
        if (now := found.encoders.get(modality)) is not None:
            _check_same(modality, before["card"], now["card"])
            now["passed_over"] = before["passed_over"]
    return found


def as_taken(settings: Settings, taken: Mapping[str, Any]) -> Settings:
    """The settings with no encoder but those that a run took, of the modalities that its ``encoders.json`` has."""
    lists = {modality: getattr(settings.encoders, modality) for modality in _chosen(taken)}
    places = {modality: len(one["passed_over"]) for modality, one in _chosen(taken).items()}
    kept = {modality: some[places[modality] : places[modality] + 1] for modality, some in lists.items()}
    return msgspec.structs.replace(settings, encoders=msgspec.structs.replace(settings.encoders, **kept))


def _chosen(taken: Mapping[str, Any]) -> dict[str, Any]:
    """Without the modalities of which only a person's own vectors were read."""
    return {modality: one for modality, one in taken.items() if "modality" in one["card"]}


def _check_same(modality: str, before: Mapping[str, object], now: Mapping[str, object]) -> None:
    differs = ", ".join(f"{name} {before.get(name)} became {now[name]}" for name in now if before.get(name) != now[name])
    if differs:
        todo = "bring back the one that the run was made with, or run `mmgraph fit` again with --restart"
        raise EncoderError(f"encoders.{modality}: the encoder is not that of the run any more", given=differs, todo=todo)


def store_folder(settings: Settings) -> Path:
    """Where features are kept: shared by runs, beside the run folder unless set."""
    return settings.encoders.store or settings.run.dir.parent / "store"
