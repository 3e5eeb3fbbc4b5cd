"""Processes that examine and decode files. A file that kills one, hangs it or takes too much memory costs that file alone."""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import TracebackType
from typing import Any

from mmgraph.errors import MediaError, RunError
from mmgraph.media.clip import Source
from mmgraph.media.wire import Answer, receive, send
from mmgraph.settings import MediaSettings, plain
from mmgraph.types import Modality

_SLOWEST = 250_000  # bytes a second that a decoder gets through at least
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mmgraph.media.serve import main; main()"
_START_S = 120.0  # for a process to start, on a machine that is busy
_PIPE_BYTES = 2**20
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class DeadError(MediaError):
    """The process died or hung on a file: no property of the file's bytes alone, so it is not remembered."""


class _Worker:
    """One process. ``served``: requests that it has answered, -1 until it has said that it is ready."""

    def __init__(self) -> None:
        self.owner, self.served = os.getpid(), -1
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_ONE_THREAD | os.environ,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._requests, self._answers = self.process.stdin, self.process.stdout.fileno()
        with contextlib.suppress(ImportError, AttributeError, OSError):  # frames cross in fewer pieces
            import fcntl

            fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def wait(self) -> None:
        """Until it is ready, which is no file's time; raises RunError."""
        if self.served < 0:
            try:
                self._hear(_START_S)
            except (TimeoutError, EOFError, ValueError) as error:
                raise RunError("a decoder process does not start", given=self._last_words()) from error
            self.served = 0

    def ask(self, request: dict[str, Any], patience_s: float) -> tuple[dict[str, Any], list[Answer]]:
        """Raises DeadError, after which the process is gone."""
        try:
            send(self._requests, request)
            found = self._hear(patience_s)
        except TimeoutError:
            self.end()
            raise DeadError(f"the decoder hung on it and was stopped after {patience_s:.0f} s") from None
        except (EOFError, BrokenPipeError, ValueError) as error:
            raise DeadError(f"the decoder crashed on it ({self._last_words()})") from error
        self.served += 1
        return found

    def _hear(self, patience_s: float) -> tuple[dict[str, Any], list[Answer]]:
        until = time.monotonic() + patience_s
        poll = select.poll()
        poll.register(self._answers, select.POLLIN | select.POLLHUP)

        def fill(buffer: memoryview) -> None:
            while len(buffer):
                if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                    raise TimeoutError
                count = os.readv(self._answers, [buffer])
                if count == 0:
                    raise EOFError
                buffer = buffer[count:]

        return receive(fill)

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)  # its pipe has closed: it is about to end
        code = self.process.poll()
        how = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        with contextlib.suppress(ValueError):  # closed, as the run was interrupted
            self._said.seek(0, os.SEEK_END)
            self._said.seek(max(0, self._said.tell() - 4096))
            said = self._said.read().decode(errors="replace").strip().rpartition("\n")[2][-200:]
            how += f", {said}" if said else ""
        self.end()
        return how

    def end(self) -> None:
        """Kill it and forget it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was not sent to a dead process
                pipe.close()
        self._said.close()


_idle: list[_Worker] = []  # started once, used for examining and for decoding
_lock = threading.Lock()


def rest() -> None:
    """End the processes that wait for work."""
    with _lock:
        waiting = [worker for worker in _idle if worker.owner == os.getpid()]
        _idle.clear()
    for worker in waiting:
        worker.end()


atexit.register(rest)


class Workers:
    """Decoder processes for the threads of one pool: each thread that asks has one to itself until it is answered.

    A file over which a process died is asked for once more in a fresh one, so that what another file did to the first process is
    not blamed on it.
    """

    def __init__(self, settings: MediaSettings) -> None:
        self._settings, self._asked = settings, plain(settings)
        self._busy: set[_Worker] = set()
        self._closed = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is still at work; it is answered by DeadError."""
        with _lock:
            self._closed = True
            busy = list(self._busy)
        for worker in busy:
            worker.process.kill()  # its pipes close, which wakes the thread that waits

    def examine(self, path: Path, kind: str) -> dict[str, Any]:
        """What ``media.examine.examine`` says; ``"dead": True`` where it is no property of the file's bytes alone."""
        try:
            message, _ = self._ask({"do": "examine", "path": str(path), "kind": kind}, path)
        except DeadError as error:
            return {"reason": error.wrong, "dead": True}
        found: dict[str, Any] = message["found"]
        return found

    def decode(self, source: Source, modalities: Sequence[Modality]) -> list[Answer]:
        """The clips of ``modalities`` of a source with a path, decoded together; raises DeadError."""
        assert source.path is not None
        span = [source.span.start_s, source.span.end_s]
        place = {"path": str(source.path), "key": source.key, "span": span, "moving": source.moving}
        request = {"do": "decode", **place, "modalities": list(modalities)}
        try:
            return self._ask(request, source.path)[1]
        except DeadError as error:
            raise DeadError(error.wrong, given=source.path, todo="look at this file") from error

    def _ask(self, request: dict[str, Any], path: Path) -> tuple[dict[str, Any], list[Answer]]:
        request = {**request, "settings": self._asked}
        patience_s = self._settings.timeout_s + _size(path) / _SLOWEST
        while True:
            worker = self._take()
            try:
                worker.wait()
                served = worker.served
                message, answers = worker.ask(request, patience_s)
                if "no_memory" in message:
                    worker.end()
                    raise DeadError(f"it takes more memory than media.memory_mb = {self._settings.memory_mb}")
            except RunError:
                self._drop(worker)
                raise
            except DeadError:
                self._drop(worker)
                if not served or self._closed:
                    raise
                continue
            self._give(worker)
            return message, answers

    def _take(self) -> _Worker:
        with _lock:
            if self._closed:
                raise DeadError("the run was stopped")
            mine = [worker for worker in _idle if worker.owner == os.getpid()]  # after a fork they are the parent's
            alive = [worker for worker in mine if worker.process.poll() is None]
            _idle[:] = alive[:-1]
            worker = alive[-1] if alive else _Worker()
            self._busy.add(worker)
            return worker

    def _give(self, worker: _Worker) -> None:
        with _lock:
            self._busy.discard(worker)
            if not self._closed:
                _idle.append(worker)
                return
        worker.end()

    def _drop(self, worker: _Worker) -> None:
        with _lock:
            self._busy.discard(worker)


def examined(files: Sequence[tuple[Path, str]], settings: MediaSettings) -> Iterator[tuple[int, dict[str, Any]]]:
    """Answers of ``examine`` for (path, kind) pairs, as (index, answer) in the order in which they come.

    An answer that is no property of the file's bytes alone (a crash, patience at its end) carries ``"dead": True``.
    """
    if not files:
        return
    count = max(1, min(settings.workers, len(files)))
    with Workers(settings) as workers, ThreadPoolExecutor(count, thread_name_prefix="examine") as pool:
        try:
            asked = {pool.submit(workers.examine, path, kind): index for index, (path, kind) in enumerate(files)}
            for future in as_completed(asked):
                yield asked[future], future.result()
        finally:
            workers.close()
            pool.shutdown(cancel_futures=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
