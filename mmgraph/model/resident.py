"""How far this process grows, as the system counts it: what tensors need, and what the C library keeps of those that were freed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Growth:
    """Bytes from the entry to the highest point within, known at its end; None where the system does not say (only Linux does)."""

    bytes: int | None = None


@contextmanager
def growth() -> Iterator[Growth]:
    """Watches the process's resident size, all threads included. One at a time: the system keeps one highest size.

    Blocks below 32 MiB are not given back by glibc when they are freed (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD): a training
    of small tensors grows to more than it ever holds at once.
    """
    found = Growth()
    try:
        _FORGET.write_text("5")  # the highest size so far is forgotten: proc_pid_clear_refs(5)
        before = _bytes("VmRSS")
    except (OSError, ValueError):
        yield found
        return
    yield found
    found.bytes = max(_bytes("VmHWM") - before, 0)


def _bytes(name: str) -> int:
    line = next(one for one in _STATUS.read_text().splitlines() if one.startswith(name))
    return int(line.split()[1]) * 1024
