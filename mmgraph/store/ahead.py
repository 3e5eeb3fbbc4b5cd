"""Clips decoded ahead of the encoder, in order, by several workers, with a bound on what lies in memory."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from mmgraph.errors import MediaError
from mmgraph.media.clip import Clip, Frames, Sound, Source
from mmgraph.settings import MediaSettings
from mmgraph.store.worker import DecoderProcess
from mmgraph.types import Modality

Decode = Callable[[Source, Modality, MediaSettings], Clip | None]
Decoded = Clip | MediaError | None
BUDGET_BYTES = 256 * 1024**2
_GROUP = 4


class Decoders:
    """``workers`` threads; with ``decode`` None each has a decoding process of its own (for videos), else they call it."""

    def __init__(self, modality: Modality, settings: MediaSettings, decode: Decode | None) -> None:
        self._modality, self._settings, self._decode = modality, settings, decode
        self._own = threading.local()
        self._processes: list[DecoderProcess] = []

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            process.close()

    def attempt(self, source: Source) -> Decoded:
        """The clip, None where there is no such modality, or why it cannot be decoded."""
        try:
            if self._decode is not None:
                return self._decode(source, self._modality, self._settings)
            return self._process()(source)
        except MediaError as error:
            return error
        except Exception as error:  # noqa: BLE001 - decoders raise whatever they like; the file is at fault, not the run
            return MediaError(f"cannot decode {source.path or source.key}", given=repr(error))

    def _process(self) -> DecoderProcess:
        if not hasattr(self._own, "process"):
            self._own.process = DecoderProcess(self._modality, self._settings)
            self._processes.append(self._own.process)
        process: DecoderProcess = self._own.process
        return process


def by_file(sources: Sequence[Source]) -> list[list[int]]:
    """Positions in groups of at most four that share a file, so that one worker opens it; files in their first order."""
    files: dict[str, list[int]] = {}
    for position, source in enumerate(sources):
        files.setdefault(str(source.path), []).append(position)
    return [some[i : i + _GROUP] for some in files.values() for i in range(0, len(some), _GROUP)]


def ahead(sources: Sequence[Source], decoders: Decoders, workers: int, most: int) -> Iterator[tuple[int, Decoded]]:
    """Position and result of every source. At most ``most`` clips, or BUDGET_BYTES, wait (at least a group for each worker)."""
    groups = deque(by_file(sources))
    waiting: deque[tuple[list[int], Future[list[Decoded]]]] = deque()
    seen, seen_bytes = 0, 0
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        while groups or waiting:
            room = min(most, BUDGET_BYTES * (seen + 1) // (seen_bytes + 1))
            while groups and (len(waiting) < workers or sum(len(group) for group, _ in waiting) < room):
                group = groups.popleft()
                waiting.append(
                    (group, pool.submit(lambda some: [decoders.attempt(s) for s in some], [sources[i] for i in group]))
                )
            group, future = waiting.popleft()
            for position, result in zip(group, future.result(), strict=True):
                seen, seen_bytes = seen + 1, seen_bytes + size_of(result)
                yield position, result
    finally:
        pool.shutdown(cancel_futures=True)


def size_of(result: Decoded) -> int:
    """Bytes that a clip holds."""
    if isinstance(result, Frames):
        return result.pixels.nbytes
    return result.samples.nbytes if isinstance(result, Sound) else 1024
