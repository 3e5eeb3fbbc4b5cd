"""Clips decoded and prepared ahead of the encoders, in order, with a bound on what lies in memory."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from mmgraph.errors import EncoderError, MediaError
from mmgraph.media.clip import Clip, Source
from mmgraph.media.workers import DeadError, Workers
from mmgraph.settings import MediaSettings
from mmgraph.store.parts import Decoded, Place, size_of
from mmgraph.types import Modality

Decode = Callable[[Source, Modality, MediaSettings], Clip | None]
Prepare = Callable[[Clip], Clip]
BUDGET_BYTES = 256 * 1024**2
_GROUP = 8  # places of one file that one worker decodes in turn, so that it opens and seeks less
_DEATHS = 2  # over one file, after which the rest of it is not tried


class Decoders:
    """Threads that each have a decoder process (or call ``decode``), and prepare what it gives for the encoders of the jobs."""

    def __init__(self, settings: MediaSettings, prepare: Mapping[int, Prepare], decode: Decode | None = None) -> None:
        self._settings, self._prepare, self._decode = settings, prepare, decode
        self._workers = Workers(settings)
        self._deaths: Counter[object] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the processes that are at work."""
        self._workers.close()

    def attempt(self, place: Place) -> list[Decoded]:
        """For each want of a place the prepared clip, None where there is no such modality, or why it cannot be had."""
        found = self._clips(place.source, sorted({want.modality for want in place.wants}))
        return [self._prepared(want.job, found[want.modality], place.source) for want in place.wants]

    def _clips(self, source: Source, modalities: list[Modality]) -> dict[Modality, Decoded]:
        apart = [modality for modality in modalities if self._needs_process(source, modality)]
        found = {modality: self._here(source, modality) for modality in modalities if modality not in apart}
        if apart:
            try:
                found.update(zip(apart, self._in_process(source, apart), strict=True))
            except MediaError as error:
                found.update(dict.fromkeys(apart, error))
        return found

    def _needs_process(self, source: Source, modality: Modality) -> bool:
        return self._decode is None and modality != "text" and source.path is not None

    def _here(self, source: Source, modality: Modality) -> Decoded:
        try:
            if self._decode is not None:
                return self._decode(source, modality, self._settings)
            if modality == "text" and source.text is not None:
                from mmgraph.media import words

                return words.plain(source.text, source.key)
            from mmgraph.media.decode import decode  # slow to import, and not needed for texts of the catalogue

            return decode(source, modality, self._settings)
        except MediaError as error:
            return error
        except Exception as error:  # noqa: BLE001 - decoders raise whatever they like; the file is at fault, not the run
            return MediaError(f"cannot decode {source.path or source.key}", given=repr(error))

    def _in_process(self, source: Source, modalities: list[Modality]) -> list[Decoded]:
        if self._deaths[source.path] >= _DEATHS:
            raise DeadError("the decoder died over it before; the rest of it is left out", given=source.path)
        try:
            return list(self._workers.decode(source, modalities))
        except DeadError:
            with self._lock:
                self._deaths[source.path] += 1
            raise

    def _prepared(self, job: int, clip: Decoded, source: Source) -> Decoded:
        if clip is None or isinstance(clip, Exception):
            return clip
        try:
            return self._prepare[job](clip)
        except EncoderError as error:
            return error
        except Exception as error:  # noqa: BLE001 - as for decoders
            return EncoderError(f"cannot prepare {source.path or source.key}", given=repr(error))


def by_file(places: Sequence[Place]) -> list[Sequence[Place]]:
    """Neighbours that share a file, in groups of at most eight."""
    groups: list[list[Place]] = []
    for place in places:
        last = groups[-1] if groups else []
        if last and place.source.path is not None and last[0].source.path == place.source.path and len(last) < _GROUP:
            last.append(place)
        else:
            groups.append([place])
    return list(groups)


def ahead(places: Sequence[Place], decoders: Decoders, workers: int, most: int) -> Generator[list[Decoded], None, None]:
    """The answers of every place, in order. At most ``most`` places, or BUDGET_BYTES, wait (at least a group for each worker)."""
    groups = deque(by_file(places))
    waiting: deque[tuple[int, Future[list[list[Decoded]]]]] = deque()
    seen, seen_bytes = 0, 0
    pool = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="decode")
    try:
        while groups or waiting:
            room = min(most, BUDGET_BYTES * (seen + 1) // (seen_bytes + 1))
            while groups and (len(waiting) < workers or sum(count for count, _ in waiting) < room):
                group = groups.popleft()
                waiting.append((len(group), pool.submit(lambda some: [decoders.attempt(place) for place in some], group)))
            _, future = waiting.popleft()
            for answers in future.result():
                seen, seen_bytes = seen + 1, seen_bytes + sum(size_of(answer) for answer in answers)
                yield answers
    except BaseException:
        decoders.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
