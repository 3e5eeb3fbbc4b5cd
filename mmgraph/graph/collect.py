"""Every item that has media -> features of its kind and modality, encoded where the store does not have them yet."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue, Unread
from mmgraph.encode.cards import Cards
from mmgraph.encode.choose import Chosen, choose
from mmgraph.errors import StoreError
from mmgraph.graph.contract import Features
from mmgraph.media.segments import text_hash
from mmgraph.media.source import sources
from mmgraph.settings import EncoderSettings, MediaSettings
from mmgraph.store.fill import fill
from mmgraph.store.store import Store
from mmgraph.types import MODALITIES, Floats, Modality

log = logging.getLogger(__name__)
_KINDS: Mapping[str, tuple[str, ...]] = {"image": ("image", "segment", "video"), "audio": ("music", "segment", "video")}


@dataclass
class Collected:
    """features by (kind, modality), rows in the catalogue's order of the kind; encoders as ``encoders.json`` holds them."""

    features: dict[tuple[str, str], Features] = field(default_factory=dict)
    encoders: dict[str, Any] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def collect(
    catalogue: Catalogue, content: Mapping[str, str], encoders: EncoderSettings, media: MediaSettings, folder: Path
) -> Collected:
    """Encode what is missing; videos that were cut get the mean of their segments' vectors."""
    found = Collected()
    store = Store(folder)
    for modality in MODALITIES:
        items = _with_modality(catalogue, modality)
        if len(items):
            _collect_one(catalogue, items, modality, content, (encoders, media, store), found)
    _pool_parents(catalogue, found)
    for given in catalogue.features:
        found.features[given.kind, given.modality] = _given(catalogue, given.kind, given.path, given.ids)
    return found


def _with_modality(catalogue: Catalogue, modality: Modality) -> pd.DataFrame:
    items = catalogue.items
    if modality == "text":
        return items[items["text"].notna() | ((items["kind"] == "text") & items["path"].notna())]
    chosen = items["kind"].isin(_KINDS[modality]) & items["path"].notna()
    cut = set(items.loc[items["kind"] == "segment", "parent"])
    return items[chosen & ~items["id"].isin(cut)]


def _collect_one(
    catalogue: Catalogue,
    items: pd.DataFrame,
    modality: Modality,
    content: Mapping[str, str],
    tools: tuple[EncoderSettings, MediaSettings, Store],
    found: Collected,
) -> None:
    settings, media, store = tools
    known = Cards(store.folder)
    chosen: Chosen = choose(modality, getattr(settings, modality), settings.when_unavailable, settings.device, known)
    encoder, batch = chosen.encoder(), 32 if settings.batch == "auto" else settings.batch
    source_of = sources(catalogue)
    rows = zip(items["id"], items["kind"], items["text"], strict=True)
    if modality == "text":  # a photo's caption is not its file
        keys = {
            item: _key(content[item] if text is None else text_hash(text), modality, kind, media) for item, kind, text in rows
        }
    else:
        keys = {item: _key(content[item], modality, kind, media) for item, kind, _ in rows}
    report = fill(store, encoder, [(key, source_of[item]) for item, key in keys.items()], media, batch)
    found.unread += list(report.unread)
    found.counts[modality] = {"encoded": report.encoded, "cached": report.cached, "absent": report.absent}
    found.encoders[modality] = {
        "card": asdict(encoder.card),
        "passed_over": [{"encoder": name, "reason": reason} for name, reason in chosen.passed_over],
    }
    for kind in pd.unique(items["kind"]):
        ids = catalogue.items.loc[catalogue.items["kind"] == kind, "id"]
        has = ids.isin(keys.keys()).to_numpy()
        vectors = np.zeros((len(ids), encoder.card.width), np.float32)
        present = np.zeros(len(ids), bool)
        vectors[has], present[has] = store.read(encoder.card, [keys[item] for item in ids[has]])
        found.features[str(kind), modality] = Features(vectors, present, encoder.card.key())


def _key(content: str, modality: Modality, kind: str, media: MediaSettings) -> str:
    """The content and everything that decides which samples of it are decoded."""
    frames = media.frames_per_segment if modality == "image" and kind in ("segment", "video") else 1
    limit = media.max_sound_s if modality == "audio" else 0
    return f"{content}:{modality}:{frames}:{limit}"


def _pool_parents(catalogue: Catalogue, found: Collected) -> None:
    items = catalogue.items
    segments = items[items["kind"] == "segment"]
    videos = items.loc[items["kind"] == "video", "id"].reset_index(drop=True)
    if not len(segments) or not len(videos):
        return
    position = pd.Series(videos.index, index=videos)
    parent = segments["parent"].map(position).to_numpy(np.float64)
    for modality in ("image", "audio"):
        of_segments = found.features.get(("segment", modality))
        if of_segments is not None:
            pooled = _mean(of_segments, parent, len(videos))
            found.features["video", modality] = _merged(found.features.get(("video", modality)), pooled)


def _mean(features: Features, parent: "np.ndarray[Any, np.dtype[np.float64]]", count: int) -> Features:
    use = features.present & np.isfinite(parent)
    rows, counts = parent[use].astype(np.int64), np.zeros(count, np.int64)
    np.add.at(counts, rows, 1)
    total: Floats = np.zeros((count, features.vectors.shape[1]), np.float32)
    np.add.at(total, rows, features.vectors[use])
    mean: Floats = total / np.maximum(counts, 1).astype(np.float32)[:, None]
    return Features(mean, counts > 0, features.encoder)


def _merged(own: Features | None, pooled: Features) -> Features:
    if own is None:
        return pooled
    present = own.present | pooled.present
    return Features(np.where(own.present[:, None], own.vectors, pooled.vectors), present, pooled.encoder)


def _given(catalogue: Catalogue, kind: str, path: Path, ids: tuple[str, ...]) -> Features:
    """A person's own vectors, reordered to the catalogue's order of the kind."""
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    if vectors.ndim != 2 or len(vectors) != len(ids):
        raise StoreError(f"{path} does not fit its ids", given=f"{vectors.shape} for {len(ids)} ids", todo="one row an id")
    wanted = catalogue.items.loc[catalogue.items["kind"] == kind, "id"]
    row = pd.Series(np.arange(len(ids)), index=pd.Index(ids)).reindex(wanted).to_numpy(np.float64)
    present = np.isfinite(row)
    out = np.zeros((len(wanted), vectors.shape[1]), np.float32)
    out[present] = vectors[row[present].astype(np.int64)]
    return Features(out, present, f"given:{path.name}")
