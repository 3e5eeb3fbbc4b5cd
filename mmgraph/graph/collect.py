"""Every item that has media -> features of its kind and modality, encoded where the store does not have them yet."""

import functools
import logging
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue, Unread
from mmgraph.encode.cards import Cards
from mmgraph.encode.choose import Chosen, choose
from mmgraph.errors import StoreError
from mmgraph.graph.contract import Features
from mmgraph.graph.prints import prints
from mmgraph.media.clip import Source
from mmgraph.media.content import text_hash
from mmgraph.media.modalities import having, moving
from mmgraph.media.source import sources
from mmgraph.media.workers import rest
from mmgraph.settings import AdaptationSettings, EncoderSettings, MediaSettings
from mmgraph.store.fill import Engine, FillReport, Job, fill
from mmgraph.store.store import ABSENT, PRESENT, Store
from mmgraph.types import MODALITIES, Floats, Modality

if TYPE_CHECKING:  # these import torch, which takes seconds and is not needed where every vector is stored
    from mmgraph.encode.tuning import Top
    from mmgraph.graph.activations import Cut

log = logging.getLogger(__name__)
_TRIED = 12  # clips of each modality that a dry run encodes to know how fast it goes


@dataclass
class Collected:
    """features by (kind, modality), rows in the catalogue's order of the kind; encoders as ``encoders.json`` holds them.

    tops: what is to be trained of encoders, by modality.
    """

    features: dict[tuple[str, str], Features] = field(default_factory=dict)
    encoders: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[tuple[str, str], Features] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    tops: "dict[str, Top]" = field(default_factory=dict)


@dataclass(frozen=True)
class _Asked:
    """One encoder and what it is asked for: item id -> (content key, source)."""

    modality: Modality
    chosen: Chosen
    contents: dict[str, tuple[str, Source]]


def collect(
    catalogue: Catalogue,
    content: Mapping[str, str],
    encoders: EncoderSettings,
    media: MediaSettings,
    folder: Path,
    adaptation: AdaptationSettings | None = None,
    near_duplicates: bool = True,
) -> Collected:
    """Encode what is missing; videos that were cut get the mean of their segments' vectors.

    near_duplicates: take the fingerprints as well by which copies are found, of the same decoded clips.
    Where an encoder is to be tuned, what enters its last blocks is encoded and attached as well, once it is known to fit.
    """
    found = Collected()
    store = Store(folder)
    asked = _asked(catalogue, content, encoders, media, folder)
    cuts = _cuts(catalogue, asked, media, adaptation or AdaptationSettings())
    if cuts:
        from mmgraph.graph.activations import attach, check_memory

        check_memory(cuts, store, None if adaptation is None else adaptation.memory_gb)
    looks = _looks(catalogue, asked, media) if near_duplicates else []
    jobs = [Job(one.chosen, list(one.contents.values())) for one in (*asked, *looks)]
    reports = fill(store, [*jobs, *(job for one in cuts for job in one.jobs)], media, encoders.batch, engine=_engine(encoders))
    rest()
    for one, report in zip(asked, reports[: len(asked)], strict=True):
        _record(found, one, report)
        _read(catalogue, store, one, found.features)
    for one in looks:
        _read(catalogue, store, one, found.fingerprints)
    for some in cuts:
        attach(catalogue, store, some, found.features)
        found.tops[some.modality] = some.top
    _pool_parents(catalogue, found)
    for given in catalogue.features:
        found.features[given.kind, given.modality] = _given(catalogue, given.kind, given.path, given.ids)
    return found


@dataclass(frozen=True)
class Foreseen:
    """What ``collect`` would give and do. features: stored vectors, and random ones of the card's width where none is stored yet.

    lacking: modality -> contents that are not encoded yet; seconds: modality -> of one of them, measured on a few.
    """

    features: dict[tuple[str, str], Features]
    lacking: dict[str, int]
    seconds: dict[str, float]


def foresee(
    catalogue: Catalogue, content: Mapping[str, str], encoders: EncoderSettings, media: MediaSettings, folder: Path
) -> Foreseen:
    """Nothing is encoded but a few clips, into a store of their own that is thrown away."""
    store, found = Store(folder), Foreseen({}, {}, {})
    given = Collected()
    for one in _asked(catalogue, content, encoders, media, folder):
        keys = dict(one.contents.values())
        state = dict(zip(keys, store.state(one.chosen.card, list(keys)).tolist(), strict=True))
        lacking = {key for key, known in state.items() if known not in (PRESENT, ABSENT)}
        _read(catalogue, store, one, given.features)
        for (kind, modality), stored in list(given.features.items()):
            if modality == one.modality:
                given.features[kind, modality] = _filled(catalogue, kind, one, stored, lacking)
        if lacking:
            found.lacking[one.modality] = len(lacking)
            found.seconds[one.modality] = _measured(one, [(key, keys[key]) for key in sorted(lacking)], encoders, media)
    rest()
    _pool_parents(catalogue, given)
    for own in catalogue.features:
        given.features[own.kind, own.modality] = _given(catalogue, own.kind, own.path, own.ids)
    found.features.update(given.features)
    return found


def stand_ins(catalogue: Catalogue) -> dict[tuple[str, str], Features]:
    """A single 0, float32 [items, 1], in place of every vector that ``collect`` is going to give; none where nothing is to be encoded."""
    found = Collected()
    for modality in MODALITIES:
        having = _with_modality(catalogue, modality)
        for kind, some in having.groupby("kind", sort=False):
            found.features[str(kind), modality] = _stand_in(catalogue, str(kind), some["id"])
    if found.features:
        _pool_parents(catalogue, found)
        for given in catalogue.features:
            found.features[given.kind, given.modality] = _stand_in(catalogue, given.kind, given.ids)
    return found.features


def _stand_in(catalogue: Catalogue, kind: str, having: Iterable[str]) -> Features:
    ids = catalogue.items.loc[catalogue.items["kind"] == kind, "id"]
    return Features(np.zeros((len(ids), 1), np.float32), ids.isin(set(having)).to_numpy(bool), "a stand-in")


def _filled(catalogue: Catalogue, kind: str, one: _Asked, stored: Features, lacking: set[str]) -> Features:
    """Random vectors, where none is stored yet."""
    ids = catalogue.items.loc[catalogue.items["kind"] == kind, "id"].tolist()
    rows = np.array([item in one.contents and one.contents[item][0] in lacking for item in ids], bool)
    vectors = np.random.default_rng(0).standard_normal((len(ids), stored.vectors.shape[1]), np.float32)
    return Features(np.where(rows[:, None], vectors, stored.vectors), stored.present | rows, stored.encoder)


def _measured(one: _Asked, lacking: list[tuple[str, Source]], encoders: EncoderSettings, media: MediaSettings) -> float:
    """Seconds of decoding and encoding a clip, once models are loaded and decoders run."""
    step = max(1, len(lacking) // (2 * _TRIED))
    some = lacking[::step]
    first, then = some[:2], some[2 : 2 + _TRIED] or some
    with tempfile.TemporaryDirectory() as folder:
        fill(Store(Path(folder) / "first"), [Job(one.chosen, first)], media, encoders.batch)
        start = time.perf_counter()
        fill(Store(Path(folder) / "then"), [Job(one.chosen, then)], media, encoders.batch)
        return (time.perf_counter() - start) / len(then)


def _engine(encoders: EncoderSettings) -> Engine | None:
    """What computes the parts; this process where nothing else is asked for."""
    if encoders.engine == "local":
        return None
    from mmgraph.store.cluster import over_ray

    return functools.partial(over_ray, encoders)


def _asked(
    catalogue: Catalogue, content: Mapping[str, str], encoders: EncoderSettings, media: MediaSettings, folder: Path
) -> list[_Asked]:
    """For each modality that any item has, the encoder and the contents."""
    known, source_of = Cards(folder), sources(catalogue)
    asked = []
    for modality in MODALITIES:
        items = _with_modality(catalogue, modality)
        if len(items):
            chosen = choose(modality, getattr(encoders, modality), encoders.when_unavailable, encoders.device, known)
            contents = {
                item: (key, source_of[item]) for item, key in _keys(catalogue, items, modality, content, media).items()
            }
            asked.append(_Asked(modality, chosen, contents))
    return asked


def _cuts(catalogue: Catalogue, asked: list[_Asked], media: MediaSettings, settings: AdaptationSettings) -> "list[Cut]":
    """The encoders that are to be tuned; clips of photos have one frame."""
    if all(getattr(settings, modality).method in ("frozen", "adapter") for modality in MODALITIES):
        return []
    from mmgraph.graph.activations import cut, tuned

    moves, wanted, cuts = _moves(catalogue), tuned(settings), []
    for one in asked:
        if one.modality in wanted:
            groups: dict[int, dict[str, tuple[str, Source]]] = {}
            for item, content in one.contents.items():
                groups.setdefault(_frames(one.modality, moves[item], media), {})[item] = content
            cuts.append(cut(one.chosen, groups, wanted[one.modality]))
    return cuts


def _looks(catalogue: Catalogue, asked: list[_Asked], media: MediaSettings) -> list[_Asked]:
    """The fingerprints of the same clips."""
    kinds = dict(zip(catalogue.items["id"].tolist(), catalogue.items["kind"].tolist(), strict=True))
    moves = _moves(catalogue)
    return [
        _Asked(one.modality, chosen, {item: one.contents[item] for item in items})
        for one in asked
        for chosen, items in prints(one.modality, one.contents, kinds, moves, media.frames_per_segment)
    ]


def _with_modality(catalogue: Catalogue, modality: Modality) -> pd.DataFrame:
    """The items that have it; a video that was cut has the pictures and the sound of its segments."""
    items = catalogue.items
    chosen = having(catalogue, modality)
    if modality == "text":
        return items[chosen]
    cut = set(items.loc[items["kind"] == "segment", "parent"])
    return items[chosen & ~(items["kind"].eq("video") & items["id"].isin(cut))]


def _keys(
    catalogue: Catalogue, items: pd.DataFrame, modality: Modality, content: Mapping[str, str], media: MediaSettings
) -> dict[str, str]:
    """Item id -> key of its content in the store."""
    if modality == "text":  # a photo's caption is not its file
        texts = zip(items["id"].tolist(), items["text"].tolist(), strict=True)
        return {item: _key(content[item] if text is None else text_hash(text), modality, False, media) for item, text in texts}
    moves = _moves(catalogue)
    return {item: _key(content[item], modality, moves[item], media) for item in items["id"].tolist()}


def _moves(catalogue: Catalogue) -> dict[str, bool]:
    """Item id -> whether its file holds moving pictures."""
    return dict(zip(catalogue.items["id"].tolist(), moving(catalogue).tolist(), strict=True))


def _record(found: Collected, one: _Asked, report: FillReport) -> None:
    found.unread += list(report.unread)
    found.counts[one.modality] = {"encoded": report.encoded, "cached": report.cached, "absent": report.absent}
    found.encoders[one.modality] = {
        "card": asdict(one.chosen.card),
        "passed_over": [{"encoder": name, "reason": reason} for name, reason in one.chosen.passed_over],
    }


def _read(catalogue: Catalogue, store: Store, one: _Asked, found: dict[tuple[str, str], Features]) -> None:
    card = one.chosen.card
    items = catalogue.items
    for kind in pd.unique(items.loc[items["id"].isin(one.contents.keys()), "kind"]):
        ids = items.loc[items["kind"] == kind, "id"]
        has = ids.isin(one.contents.keys()).to_numpy()
        vectors = np.zeros((len(ids), card.width), np.float32)
        present = np.zeros(len(ids), bool)
        vectors[has], present[has] = store.read(card, [one.contents[item][0] for item in ids[has]])
        found[str(kind), one.modality] = Features(vectors, present, card.key())


def _key(content: str, modality: Modality, moves: bool, media: MediaSettings) -> str:
    """The content and everything that decides which samples of it are decoded."""
    frames = _frames(modality, moves, media)
    limit = media.max_sound_s if modality == "audio" else 0
    return f"{content}:{modality}:{frames}:{limit}"


def _frames(modality: Modality, moves: bool, media: MediaSettings) -> int:
    return media.frames_per_segment if modality == "image" and moves else 1


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
