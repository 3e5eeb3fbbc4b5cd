"""A process that examines and decodes files, one request at a time, until its input ends.

A file that kills a decoder, or asks for too much memory, kills this process only, and nothing of the parent (threads, open
readers, its main module) is inherited.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from mmgraph.errors import MediaError
from mmgraph.media.clip import Source, Span
from mmgraph.media.wire import Answer, from_file, receive, send
from mmgraph.settings import MediaSettings, convert


def main() -> None:
    """Answer requests from standard input. Whatever libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends this process by closing the pipe
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from mmgraph.media import decode, examine  # noqa: F401 - slow to import: before the limit, which counts from here

    send(answers, {"ready": True})
    base = _data_bytes()
    fill = from_file(sys.stdin.buffer)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            asked, _ = receive(fill)
            settings = convert(asked["settings"], MediaSettings)
            _limit(base + settings.memory_mb * 2**20)
            message, found = _answer(asked, settings)
            send(answers, message, found)
            del found


def _answer(asked: dict[str, Any], settings: MediaSettings) -> tuple[dict[str, Any], list[Answer]]:
    path = Path(asked["path"])
    if asked["do"] == "examine":
        from mmgraph.media.examine import examine

        try:
            return {"found": examine(path, asked["kind"], settings)}, []
        except MemoryError:
            return {"no_memory": True}, []
    source = Source(asked["key"], path, Span(*asked["span"]), moving=asked["moving"])
    found: list[Answer] = []
    for modality in asked["modalities"]:
        from mmgraph.media.decode import decode

        try:
            found.append(decode(source, modality, settings))
        except MediaError as error:
            if isinstance(error.__cause__, MemoryError):
                return {"no_memory": True}, []
            found.append(error)
        except MemoryError:
            return {"no_memory": True}, []
        except Exception as error:  # noqa: BLE001 - decoders raise whatever they like; the file is at fault, not the run
            found.append(MediaError(f"cannot decode {path}", given=repr(error)))
    return {}, found


def _data_bytes() -> int:
    """What this process holds already, as the limit counts it."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmData:")).split()[1]) * 1024
    return 2**30


def _limit(data_bytes: int) -> None:
    """What would take more memory fails (or dies) instead of taking the machine down; nothing where there are no limits."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = data_bytes if hard == resource.RLIM_INFINITY else min(data_bytes, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


if __name__ == "__main__":
    main()
