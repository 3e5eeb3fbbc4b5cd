"""Sources -> vectors in the store: decoded once for all encoders and ahead of them, committed part by part."""

import contextlib
import ctypes
import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mmgraph.catalogue.contract import Unread
from mmgraph.encode.batches import Batches
from mmgraph.encode.choose import Chosen
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Source
from mmgraph.progress import Bar
from mmgraph.settings import MediaSettings
from mmgraph.store.ahead import Decode, Decoders, ahead
from mmgraph.store.parts import CLIPS, SIZE, Part, PartResult, cut_into_parts, encode_part
from mmgraph.store.store import ABSENT, PRESENT, Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """An encoder, and (content key, source) of everything whose vector by it is wanted."""

    chosen: Chosen
    sources: Sequence[tuple[str, Source]]


Results = Generator[tuple[Part, dict[int, PartResult]], None, None]
"""Every part and, by job number, what each job gets of it; in the order of the parts."""
Engine = Callable[[Sequence[Job], Sequence[Part], MediaSettings, Sequence[int]], Results]
"""What computes parts; the last argument are the numbers of the jobs that lack something."""


@dataclass(frozen=True)
class FillReport:
    """Contents encoded now, already there, and without this modality; every item that could not be read, and why."""

    encoded: int
    cached: int
    absent: int
    unread: tuple[Unread, ...] = ()


def fill(
    store: Store,
    jobs: Sequence[Job],
    media: MediaSettings,
    batch: int | Literal["auto"] = "auto",
    *,
    decode: Decode | None = None,
    part: int = SIZE,
    engine: "Engine | None" = None,
) -> list[FillReport]:
    """Encode what the store lacks of each job; only the encoders of jobs that lack something are loaded.

    The same content under several ids is encoded once, and what several jobs want of one stretch of a file (its frames, its
    sound) is decoded once. A source that cannot be decoded, or whose clip the encoder refuses, is unread and tried again by the
    next run. A run killed at any moment loses at most one part of ``part`` sources, and the next one ends with the same files.
    ``decode`` replaces ``media.decode.decode`` and its processes; ``engine`` what computes the parts. Raises EncoderError when
    an encoder refuses everything, StoreError, and RunError for a full disk.
    """
    counts = [_Count(store, job) for job in jobs]
    parts = cut_into_parts(
        [(job.chosen.card.modality, job.sources) for job in jobs], [count.lacking for count in counts], part
    )
    if parts:
        at_work = [number for number, count in enumerate(counts) if count.lacking]
        computed = engine(jobs, parts, media, at_work) if engine else _here(jobs, parts, at_work, (media, batch, decode))
        _run(store, jobs, counts, parts, computed)
    for count in counts:
        count.check()
    return [count.report() for count in counts]


def _run(store: Store, jobs: Sequence[Job], counts: Sequence["_Count"], parts: Sequence[Part], computed: Results) -> None:
    """Commit the parts in their order, whatever computes them."""
    names = ", ".join(jobs[number].chosen.card.name for number, count in enumerate(counts) if count.lacking)
    places = sum(len(part.places) for part in parts)
    with Bar(f"encoding by {names}", places, "clips") as bar, contextlib.closing(computed):
        for part, results in computed:
            for number, result in results.items():
                card = jobs[number].chosen.card
                store.add(card, result.keys, result.joined(card.width), result.absent)
                counts[number].take(result)
            bar.advance(len(part.places))


def _here(
    jobs: Sequence[Job],
    parts: Sequence[Part],
    at_work: Sequence[int],
    how: tuple[MediaSettings, int | Literal["auto"], Decode | None],
) -> Results:
    """The parts computed in this process, decoded ahead in others."""
    media, batch, decode = how
    size = None if batch == "auto" else batch
    batches = {number: Batches(jobs[number].chosen.encoder(), size, jobs[number].chosen.place) for number in at_work}
    _give_back()
    places = [place for part in parts for place in part.places]
    workers = min(max(media.workers, 1), len(places))
    with (
        Decoders(media, {number: some.encoder.prepare for number, some in batches.items()}, decode) as decoders,
        contextlib.closing(ahead(places, decoders, workers, 2 * CLIPS)) as decoded,
    ):
        for part in parts:
            yield part, encode_part(part, {number: some.encode for number, some in batches.items()}, decoded)


def _give_back() -> None:
    """To the system, what loading held beside the weights: some hundred MiB of a model that came in a file of its own."""
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@dataclass
class _Count:
    """What is known of one job before, and what becomes of it."""

    store: Store
    job: Job
    lacking: set[str] = field(init=False)
    encoded: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    last_refusal: EncoderError | None = None

    def __post_init__(self) -> None:
        card, contents = self.job.chosen.card, list(dict.fromkeys(key for key, _ in self.job.sources))
        self.store.settle(card)
        state = self.store.state(card, contents)
        self.lacking = {key for key, known in zip(contents, state.tolist(), strict=True) if known not in (PRESENT, ABSENT)}
        self.cached, self.absent = int((state == PRESENT).sum()), int((state == ABSENT).sum())

    def take(self, result: PartResult) -> None:
        self.encoded += len(result.keys)
        self.absent += len(result.absent)
        self.refused.update(result.refused)
        self.last_refusal = result.last_refusal or self.last_refusal

    def check(self) -> None:
        """An encoder that refuses everything is no bad file."""
        if self.last_refusal is not None and not self.encoded and not self.cached:
            raise self.last_refusal

    def report(self) -> FillReport:
        unread = tuple(_unread(source, self.refused[key]) for key, source in self.job.sources if key in self.refused)
        return FillReport(self.encoded, self.cached, self.absent, unread)


def _unread(source: Source, reason: str) -> Unread:
    return Unread(source.key, str(source.path) if source.path else "", reason)
