"""Settings -> the adaptations of a graph's features."""

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mmgraph.encode.tuning import Top
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Features, Graph
from mmgraph.model.adapters.adapter import Adapter
from mmgraph.model.adapters.contract import Adaptation
from mmgraph.model.adapters.last_blocks import LastBlocks
from mmgraph.model.adapters.lora import Lora
from mmgraph.model.moments import Moments
from mmgraph.settings import AdaptationSettings, AdaptSettings
from mmgraph.types import MODALITIES

log = logging.getLogger(__name__)
Key = tuple[str, str]  # kind, modality


@dataclass(frozen=True)
class Shared:
    """One adaptation for all kinds whose vectors one encoder made."""

    name: str
    keys: tuple[Key, ...]
    adaptation: Adaptation


def check_installed(settings: AdaptationSettings) -> None:
    """Raise SettingsError where LoRA is asked and peft is not installed; it is not imported for that."""
    for modality in MODALITIES:
        if getattr(settings, modality).method == "lora" and importlib.util.find_spec("peft") is None:
            todo = "pip install 'mmgraph[adapt]', or use last_blocks or adapter"
            raise SettingsError(f"model.adaptation.{modality}: lora needs the package peft", todo=todo)


def adaptations(graph: Graph, settings: AdaptationSettings, tops: Mapping[str, Top], seed: int) -> list[Shared]:
    """What is trained of each modality; none where all are frozen.

    Draws random numbers of its own, so that the rest of the model starts alike whatever the method. Raises SettingsError where a
    top is asked for features that have no activations.
    """
    made = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for modality in MODALITIES:
            one: AdaptSettings = getattr(settings, modality)
            there = {key: f for key, f in graph.features.items() if key[1] == modality and f.present.any()}
            if one.method != "frozen" and not there:
                log.warning("model.adaptation.%s: no item has vectors of this modality, so nothing is adapted", modality)
            elif one.method == "adapter":
                made += _adapters(there, one)
            elif one.method != "frozen":
                made.append(_tuned(modality, there, one, tops.get(modality)))
    return made


def _adapters(there: Mapping[Key, Features], settings: AdaptSettings) -> list[Shared]:
    by_encoder: dict[tuple[str, int], list[Key]] = {}
    for key, features in there.items():
        by_encoder.setdefault((features.encoder, features.vectors.shape[1]), []).append(key)
    made = []
    for (encoder, width), keys in by_encoder.items():
        moments = Moments.of(*(there[key] for key in keys))
        bottleneck = settings.rank or max(width // 4, 1)
        adapter = Adapter(moments.mean, moments.deviation, bottleneck, settings.learning_rate)
        made.append(Shared(f"{keys[0][1]} {encoder}", tuple(keys), adapter))
    return made


def _tuned(modality: str, there: Mapping[Key, Features], settings: AdaptSettings, top: Top | None) -> Shared:
    keys = tuple(key for key, features in there.items() if features.activations is not None)
    if top is None or not keys:
        raise SettingsError(
            f"model.adaptation.{modality}: {settings.method} needs the encoder of these vectors, and they have none",
            given=", ".join(sorted({features.encoder for features in there.values()})),
            todo="use method: adapter or frozen",
        )
    lora = settings.method == "lora"
    made = Lora(top, settings.rank or 8, settings.learning_rate) if lora else LastBlocks(top, settings.learning_rate)
    return Shared(f"{modality} {there[keys[0]].encoder}", keys, made)


def described(made: Sequence[Shared], settings: AdaptationSettings) -> dict[str, dict[str, Any]]:
    """Modality -> method, kinds, how many numbers are trained, and what the method has to say; for ``encoders.json``."""
    found: dict[str, dict[str, Any]] = {}
    for shared in made:
        modality = shared.keys[0][1]
        one: AdaptSettings = getattr(settings, modality)
        entry = found.setdefault(modality, {"method": one.method, "kinds": [], "trained": 0})
        entry["kinds"] += [kind for kind, _ in shared.keys]
        entry["trained"] += shared.adaptation.trained()
        entry["learning_rate"] = shared.adaptation.learning_rate or "of the model"
        entry |= {"blocks": one.blocks} if one.method in ("last_blocks", "lora") else {}
        entry |= {"rank": one.rank or 8} if one.method == "lora" else {}
    return found
