"""Processes that examine files. One that dies or hangs costs the file it had in hand, and is replaced."""

import contextlib
import json
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmgraph.settings import MediaSettings, plain

PATIENCE_S = 120.0  # for one file, and more for a large one; decord is known to hang on some damaged ones
_SLOWEST = 250_000  # bytes a second
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mmgraph.media.examine import main; main()"


class _Worker:
    """One process, and the index of the file that it has in hand."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _START, json.dumps(sys.path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.requests, self.answers = self.process.stdin, self.process.stdout
        self.index = -1
        self.until = 0.0
        self.heard = b""

    def ask(self, index: int, request: dict[str, Any]) -> None:
        self.index, self.heard = index, b""
        self.until = time.monotonic() + PATIENCE_S + _size(request["path"]) / _SLOWEST
        with contextlib.suppress(BrokenPipeError):  # it died: the closed pipe of its answers says so
            self.requests.write(json.dumps(request).encode() + b"\n")

    def hear(self) -> dict[str, Any] | None:
        """What has come: an answer, None while it is not whole, a reason where the process has died."""
        piece = self.answers.read(65_536)
        self.heard += piece or b""
        if self.heard.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(self.heard)
            return answer
        return None if piece else {"reason": f"the decoder crashed on it (exit {self.process.wait()})", "dead": True}

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.requests.close()
        self.answers.close()


def examined(files: Sequence[tuple[Path, str]], settings: MediaSettings) -> Iterator[tuple[int, dict[str, Any]]]:
    """Answers of ``examine`` for (path, kind) pairs, as (index, answer) in the order in which they come.

    An answer that is no property of the file's bytes alone (a crash, patience at its end) carries ``"dead": True``.
    """
    if not files:
        return
    asked = plain(settings)
    requests = iter(enumerate({"path": str(path), "kind": kind, "settings": asked} for path, kind in files))
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(max(1, min(settings.workers, len(files)))):
                _begin(selector, requests)
            while selector.get_map():
                yield from _answers(selector, requests)
        finally:
            for key in list(selector.get_map().values()):
                key.data.end()


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _begin(selector: selectors.BaseSelector, requests: Iterator[tuple[int, dict[str, Any]]]) -> None:
    """Start a process for the next file, if there is one."""
    following = next(requests, None)
    if following is not None:
        worker = _Worker()
        selector.register(worker.answers, selectors.EVENT_READ, worker)
        worker.ask(*following)


def _answers(
    selector: selectors.BaseSelector, requests: Iterator[tuple[int, dict[str, Any]]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Wait a little for answers; replace what died or was too slow; give the next file to who is free."""
    ready = {key.data for key, _ in selector.select(timeout=1.0)}
    for worker in [key.data for key in selector.get_map().values()]:
        answer = worker.hear() if worker in ready else None
        if answer is None and time.monotonic() > worker.until:
            answer = {"reason": "the decoder hung on it and was stopped", "dead": True}
        if answer is None:
            continue
        index = worker.index
        following = None if answer.get("dead") else next(requests, None)
        if following is not None:
            worker.ask(*following)
        else:
            selector.unregister(worker.answers)
            worker.end()
            if answer.get("dead"):
                _begin(selector, requests)
        yield index, answer
