"""Parts: the work of encoding, cut into pieces that depend on the list of contents alone.

A part is computed the same way wherever and whenever that happens (after a kill, on another machine), and committed whole, so
the store's files come out the same to the byte.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmgraph.errors import EncoderError, MMGraphError
from mmgraph.media.clip import Clip, Frames, Sound, Source
from mmgraph.types import Floats, Modality

_log = logging.getLogger(__name__)
SIZE = 128  # places in a part: what a kill costs at most, and rows of the store's smallest shards
WAITING_BYTES = 64 * 2**20  # prepared clips of one encoder that wait for each other
CLIPS = 64

Encode = Callable[[Sequence[Clip]], Floats]
Decoded = Clip | MMGraphError | None
"""A clip; None where there is no such modality; or why it cannot be had."""


@dataclass(frozen=True)
class Want:
    """Job number ``job`` wants the ``modality`` of a place, to be stored under ``key``."""

    job: int
    modality: Modality
    key: str


@dataclass(frozen=True)
class Place:
    """One stretch of one file, or one text: decoded once for all who want something of it."""

    source: Source
    wants: tuple[Want, ...]


@dataclass(frozen=True)
class Part:
    """Places that are encoded and committed together; ``number`` counts within the whole list of contents."""

    number: int
    places: tuple[Place, ...]

    @property
    def wants(self) -> int:
        """How many vectors are wanted."""
        return sum(len(place.wants) for place in self.places)


@dataclass
class PartResult:
    """What one job gets from a part: ``vectors`` float32 [len(keys), width]; keys without the modality; keys refused, and why."""

    keys: list[str] = field(default_factory=list)
    vectors: list[Floats] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    last_refusal: EncoderError | None = None

    def joined(self, width: int) -> Floats:
        """float32 [len(keys), width]."""
        return np.concatenate([np.zeros((0, width), np.float32), *self.vectors])


def cut_into_parts(
    jobs: Sequence[tuple[Modality, Sequence[tuple[str, Source]]]], lacking: Sequence[set[str]], size: int = SIZE
) -> list[Part]:
    """Parts of ``size`` places of all that the ``jobs`` (modality, (content key, source)) want, less what is not ``lacking``.

    The cut is made through the whole list, stored or not; so a run that goes on after a kill finds the same parts. A content
    that a job has under several names is taken from the first.
    """
    wanted: dict[object, list[Want]] = {}
    sources: dict[object, Source] = {}
    for number, (modality, contents) in enumerate(jobs):
        seen: set[str] = set()
        for key, source in contents:
            if key not in seen:
                seen.add(key)
                where = (source.path, source.span, source.text, source.moving)
                sources.setdefault(where, source)
                wanted.setdefault(where, []).append(Want(number, modality, key))
    parts = []
    for number, some in enumerate(
        itertools.batched(wanted, size) if hasattr(itertools, "batched") else _batched(wanted, size)
    ):
        left = ((where, tuple(want for want in wanted[where] if want.key in lacking[want.job])) for where in some)
        if places := tuple(Place(sources[where], wants) for where, wants in left if wants):
            parts.append(Part(number, places))
    return parts


def encode_part(part: Part, encoders: Mapping[int, Encode], decoded: Iterator[Sequence[Decoded]]) -> dict[int, PartResult]:
    """Job number -> what it gets of ``part``.

    encoders: ``encode`` of each job; decoded: for each place of the part, in order, an answer for each of its wants, prepared
    by the job's encoder. No more is taken from it than the part has. Encoders get the clips in order, CLIPS (or
    WAITING_BYTES of them) at a time, which depends on the part alone.
    """
    waiting = {want.job: _Waiting(encoders[want.job]) for place in part.places for want in place.wants}
    for place in part.places:
        for want, answer in zip(place.wants, next(decoded), strict=True):
            waiting[want.job].take(want.key, answer)
    return {job: some.finished() for job, some in waiting.items()}


def size_of(result: Decoded) -> int:
    """Bytes that a clip holds."""
    if isinstance(result, Frames):
        return result.pixels.nbytes
    return result.samples.nbytes if isinstance(result, Sound) else 1024


@dataclass
class _Waiting:
    """Clips of one job that wait to be encoded together, and what became of the rest."""

    encode: Encode
    result: PartResult = field(default_factory=PartResult)
    clips: list[tuple[str, Clip]] = field(default_factory=list)
    held_bytes: int = 0

    def take(self, key: str, answer: Decoded) -> None:
        if isinstance(answer, MMGraphError):
            _log.info("%s", answer)
            self.result.refused[key] = str(answer)
            if isinstance(answer, EncoderError):
                self.result.last_refusal = answer
        elif answer is None:
            self.result.absent.append(key)
        else:
            self.clips.append((key, answer))
            self.held_bytes += size_of(answer)
            if len(self.clips) >= CLIPS or self.held_bytes >= WAITING_BYTES:
                self._encode()

    def finished(self) -> PartResult:
        self._encode()
        return self.result

    def _encode(self) -> None:
        """All that waits; where the encoder refuses it, clip by clip."""
        clips, self.clips, self.held_bytes = self.clips, [], 0
        if not clips:
            return
        try:
            vectors = self.encode([clip for _, clip in clips])
        except EncoderError as error:
            _log.info("a batch is encoded clip by clip: %s", error)
        else:
            self.result.keys += [key for key, _ in clips]
            self.result.vectors.append(vectors)
            return
        for key, clip in clips:
            try:
                self.result.vectors.append(self.encode([clip]))
                self.result.keys.append(key)
            except EncoderError as error:
                self.result.refused[key], self.result.last_refusal = str(error), error


def _batched(things: Mapping[object, object], size: int) -> Iterator[tuple[object, ...]]:
    each = iter(things)
    while some := tuple(itertools.islice(each, size)):
        yield some
