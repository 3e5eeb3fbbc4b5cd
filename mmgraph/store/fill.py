"""Sources -> vectors in the store: decoded ahead, encoded in batches, each batch committed before the next."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmgraph.catalogue.contract import Unread
from mmgraph.catalogue.kinds import KIND_OF
from mmgraph.encode.contract import Encoder
from mmgraph.errors import EncoderError, MediaError
from mmgraph.media.clip import Clip, Source
from mmgraph.progress import Bar
from mmgraph.settings import MediaSettings
from mmgraph.store.ahead import BUDGET_BYTES, Decode, Decoded, Decoders, ahead, size_of
from mmgraph.store.store import ABSENT, PRESENT, Store
from mmgraph.types import Floats

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FillReport:
    """Contents encoded now, already there, and without this modality; every item that could not be read, and why."""

    encoded: int
    cached: int
    absent: int
    unread: tuple[Unread, ...] = ()


def fill(
    store: Store,
    encoder: Encoder,
    sources: Sequence[tuple[str, Source]],
    media: MediaSettings,
    batch: int,
    *,
    decode: Decode | None = None,
) -> FillReport:
    """Encode what the store lacks of ``sources`` (content key, source); the encoder is loaded.

    The same content under several ids is encoded once. A source that cannot be decoded, or whose clip the encoder refuses, is
    unread and tried again by the next run. A run killed at any moment loses at most one batch. ``decode`` replaces
    ``media.decode.decode``. Raises EncoderError when the encoder refuses everything, StoreError, and RunError for a full disk.
    """
    contents = dict.fromkeys(key for key, _ in sources)
    state = store.state(encoder.card, list(contents))
    lacking = set(store.missing(encoder.card, list(contents)))
    first: dict[str, Source] = {}
    for key, source in sources:
        if key in lacking:
            first.setdefault(key, source)
    work = _Work(store, encoder, max(batch, 1), list(first))
    _run(work, list(first.values()), media, decode)
    unread = tuple(_unread(source, work.refused[key]) for key, source in sources if key in work.refused)
    cached = int((state == PRESENT).sum())
    if work.last_refusal is not None and not work.encoded and not cached:
        raise work.last_refusal
    return FillReport(work.encoded, cached, int((state == ABSENT).sum()) + work.absent, unread)


def _unread(source: Source, reason: str) -> Unread:
    return Unread(source.key, str(source.path) if source.path else "", reason)


def _run(work: "_Work", sources: Sequence[Source], media: MediaSettings, decode: Decode | None) -> None:
    if not sources:
        return
    modality = work.encoder.modality
    if decode is None and (modality == "text" or not any(_may_be_video(source) for source in sources)):
        from mmgraph.media import decode as decoders_of_files  # here, as they are slow to import and may not be needed

        decode = decoders_of_files.decode
    workers = min(max(media.workers, 1), len(sources))
    bar = Bar(f"{modality} by {work.encoder.card.name}", len(sources), "clips")
    with Decoders(modality, media, decode) as decoders, bar:
        for position, result in ahead(sources, decoders, workers, 2 * work.batch):
            bar.advance(work.take(position, result))
        bar.advance(work.commit())


def _may_be_video(source: Source) -> bool:
    """Video libraries crash, and share state between threads, so each worker for them is a process of its own."""
    return source.path is not None and KIND_OF.get(source.path.suffix.lower(), "video") == "video"


@dataclass
class _Work:
    """What waits to be encoded, and what became of the rest."""

    store: Store
    encoder: Encoder
    batch: int
    keys: list[str]
    waiting: list[tuple[str, Clip]] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    waiting_bytes: int = 0
    encoded: int = 0
    absent: int = 0
    last_refusal: EncoderError | None = None

    def take(self, position: int, result: Decoded) -> int:
        """Keep one result; returns how many sources are done with."""
        key = self.keys[position]
        if isinstance(result, MediaError):
            _log.info("%s", result)
            self.refused[key] = str(result)
            return 1
        if result is None:
            self.without.append(key)
        else:
            self.waiting.append((key, result))
            self.waiting_bytes += size_of(result)
        full = len(self.waiting) >= self.batch or len(self.without) >= self.batch or self.waiting_bytes >= BUDGET_BYTES
        return self.commit() if full else 0

    def commit(self) -> int:
        """Encode and store what waits; returns how many sources that were."""
        done = len(self.waiting) + len(self.without)
        card = self.encoder.card
        self.store.add_absent(card, self.without)
        if self.waiting:
            keys, vectors = self._encoded()
            self.store.add(card, keys, vectors)
            self.encoded += len(keys)
        self.absent += len(self.without)
        self.waiting, self.without, self.waiting_bytes = [], [], 0
        return done

    def _encoded(self) -> tuple[list[str], Floats]:
        """Keys and vectors of the clips that wait; where the encoder refuses a batch, clip by clip."""
        try:
            return [key for key, _ in self.waiting], self.encoder.encode([clip for _, clip in self.waiting])
        except EncoderError as error:
            _log.info("a batch is encoded clip by clip: %s", error)
        keys, vectors = [], [np.zeros((0, self.encoder.card.width), np.float32)]
        for key, clip in self.waiting:
            try:
                vectors.append(self.encoder.encode([clip]))
                keys.append(key)
            except EncoderError as error:
                self.refused[key], self.last_refusal = str(error), error
        return keys, np.concatenate(vectors)
