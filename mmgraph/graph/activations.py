"""Encoders that are tuned: what enters their last blocks, for every item, stored like vectors and attached to the features."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.encode.choose import Chosen
from mmgraph.encode.memory import Rows, needed, refuse
from mmgraph.encode.tuning import Activations, Top, Tunable, disagreement
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Features
from mmgraph.media.clip import Source
from mmgraph.settings import AdaptationSettings, AdaptSettings, Component
from mmgraph.store.fill import Job
from mmgraph.store.store import MISSING, Store
from mmgraph.types import MODALITIES

log = logging.getLogger(__name__)
TUNED = ("last_blocks", "lora")
_AT_ONCE = 256


@dataclass(frozen=True)
class Group:
    """Items whose clips have up to the same number of frames: item id -> (content key, source)."""

    chosen: Chosen
    contents: Mapping[str, tuple[str, Source]]


@dataclass(frozen=True)
class Cut:
    """The encoder of one modality, cut: its top, and what enters it for each item."""

    modality: str
    settings: AdaptSettings
    top: Top
    groups: Sequence[Group]

    @property
    def jobs(self) -> list[Job]:
        """To be filled beside the vectors, from the same decoding."""
        return [Job(one.chosen, list(one.contents.values())) for one in self.groups]


def tuned(settings: AdaptationSettings) -> dict[str, AdaptSettings]:
    """The modalities whose encoders are to be trained."""
    found: dict[str, AdaptSettings] = {modality: getattr(settings, modality) for modality in MODALITIES}
    return {modality: one for modality, one in found.items() if one.method in TUNED}


def cut(chosen: Chosen, contents: Mapping[int, Mapping[str, tuple[str, Source]]], settings: AdaptSettings) -> Cut:
    """Cut an encoder; ``contents`` are grouped by the most frames of a clip. Raises SettingsError where it cannot be cut."""
    encoder, where = chosen.encoder(), f"model.adaptation.{chosen.modality}"
    found = encoder.tunable(settings.blocks, settings.tokens)
    reason = found if isinstance(found, str) else disagreement(encoder)
    if isinstance(found, str) or reason is not None:
        todo = "use method: adapter, which needs no encoder, or frozen"
        raise SettingsError(f"{where}: {chosen.name} cannot be tuned: {reason}", given=settings.method, todo=todo)
    groups = [Group(_chosen(chosen, found, settings, frames), some) for frames, some in contents.items() if some]
    return Cut(chosen.modality, settings, found.top, groups)


def _chosen(chosen: Chosen, tunable: Tunable, settings: AdaptSettings, frames: int) -> Chosen:
    """The lower part as an encoder of its own, which another process can build from its component."""
    made = Activations.of(chosen.encoder(), tunable, settings.blocks, frames, settings.tokens)
    arguments = {"blocks": settings.blocks, "frames": frames, "tokens": settings.tokens}
    component = Component(
        class_path="mmgraph.encode.tuning.Activations",
        init_args={"encoder": msgspec.to_builtins(chosen.component), **arguments},
    )
    return Chosen(made.card, chosen.modality, component, chosen.device, (), made)


def check_memory(cuts: Sequence[Cut], store: Store, cap_gb: float | None) -> None:
    """Raise SettingsError, before anything is encoded, where tuning does not fit into memory or onto the disk."""
    for one in cuts:
        need = needed(one.top, [_rows(group, store) for group in one.groups], one.settings)
        log.info("tuning the encoder of %s needs %.2f GB of memory", one.modality, need.memory / 1e9)
        refuse(f"model.adaptation.{one.modality}", one.settings, need, store.folder, cap_gb)


def _rows(group: Group, store: Store) -> Rows:
    keys = list(dict.fromkeys(key for key, _ in group.contents.values()))
    lacking = int((store.state(group.chosen.card, keys) == MISSING).sum())
    return Rows(len(group.contents), group.chosen.card.width, lacking)


def attach(catalogue: Catalogue, store: Store, one: Cut, features: dict[tuple[str, str], Features]) -> None:
    """Read the activations of every item into the features of its kind.

    An item whose activations could not be made is as one without the modality.
    """
    items = catalogue.items
    for group in one.groups:
        for kind in pd.unique(items.loc[items["id"].isin(group.contents.keys()), "kind"]):
            ids = items.loc[items["kind"] == kind, "id"]
            key, has = (str(kind), one.modality), np.flatnonzero(ids.isin(group.contents.keys()).to_numpy())
            rows = np.zeros((len(ids), group.chosen.card.width), np.float32)
            there = np.zeros(len(ids), bool)
            for first in range(0, len(has), _AT_ONCE):
                some = has[first : first + _AT_ONCE]
                wanted = [group.contents[item][0] for item in ids.iloc[some]]
                rows[some], there[some] = store.read(group.chosen.card, wanted)
            features[key] = replace(features[key], present=features[key].present & there, activations=rows)
