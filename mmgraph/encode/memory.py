"""What tuning an encoder needs, against what the machine has; said before anything is computed."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from mmgraph.encode.tuning import Top
from mmgraph.errors import SettingsError
from mmgraph.settings import AdaptSettings

KEPT_AT_MOST = 2**30  # bytes that the backward pass may keep of all items; beyond that it computes them again, piece by piece
PIECE_TOKENS = 8192
_GB = 1e9
_MEMORY = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")
_LIMITS = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),  # version 1
)


@dataclass(frozen=True)
class Need:
    """Bytes. activations: of all rows, in memory; model: weights of the top, gradients and moments; steps: what a pass keeps;
    disk: rows that are not stored yet.
    """

    rows: int
    activations: int
    model: int
    steps: int
    disk: int

    @property
    def memory(self) -> int:
        """All but the disk."""
        return self.activations + self.model + self.steps


@dataclass(frozen=True)
class Rows:
    """Stored rows of one width in numbers: all of them, and those that are not in the store yet."""

    count: int
    width: int
    lacking: int


def needed(top: Top, rows: list[Rows], settings: AdaptSettings) -> Need:
    """What ``settings`` takes for these rows, from above. AdamW holds two moments of each trained number, and its gradient."""
    weights = sum(parameter.numel() for parameter in top.parameters())
    trained = weights if settings.method == "last_blocks" else lora_size(top, settings.rank or 8)
    numbers = sum(one.count * one.width for one in rows)
    tokens = numbers // max(top.hidden, 1)
    kept = min(4 * tokens * top.floats_kept(), KEPT_AT_MOST) + 4 * min(tokens, PIECE_TOKENS) * top.floats_kept()
    return Need(
        rows=sum(one.count for one in rows),
        activations=4 * numbers,
        model=4 * (weights + 3 * trained),
        steps=kept,
        disk=4 * sum(one.lacking * one.width for one in rows),
    )


def lora_size(top: Top, rank: int) -> int:
    """Numbers that LoRA trains: two thin matrices beside each linear map."""
    return sum(rank * (one.in_features + one.out_features) for _, one in linear_maps(top))


def linear_maps(top: Top) -> list[tuple[str, nn.Linear]]:
    """Name and map of each linear layer of the blocks.

    Those inside ``nn.MultiheadAttention`` are left out: it reads their weights without calling them.
    """
    inside = {
        f"{name}.{inner}" for name, one in top.named_modules() if isinstance(one, nn.MultiheadAttention)
        for inner, _ in one.named_modules()
    }  # fmt: skip
    found = [(name, one) for name, one in top.named_modules() if isinstance(one, nn.Linear) and name not in inside]
    return [(name, one) for name, one in found if name.startswith("blocks.")]


def refuse(where: str, settings: AdaptSettings, need: Need, store: Path, cap_gb: float | None) -> None:
    """Raise SettingsError where ``need`` is more than the machine has free, or than ``cap_gb`` allows; ``where`` names the key."""
    _too_large(where, settings, need, free_memory(), cap_gb)
    device = free_on_gpu()
    if device is not None and need.model + need.steps > device:
        raise _error(
            where, settings, need.model + need.steps, device, "on the GPU", "fewer blocks, or method: lora or adapter"
        )
    disk = free_on_disk(store)
    if 2 * need.disk > disk:  # shards are merged by copying
        raise _error(
            where, settings, 2 * need.disk, disk, f"on the disk of {store}", "another encoders.store, or method: adapter"
        )


def _too_large(where: str, settings: AdaptSettings, need: Need, free: int, cap_gb: float | None) -> None:
    allowed = free if cap_gb is None else min(free, int(cap_gb * _GB))
    if need.memory <= allowed:
        return
    what = f"of memory, {_shown(need.activations)} of it activations of {need.rows:,} rows,"
    if cap_gb is not None and allowed < free:
        what += " within model.adaptation.memory_gb"
    fewer = "media.frames_per_segment" if where.endswith("image") else f"{where}.tokens"
    todo = (
        f"a smaller {fewer}, or method: adapter"
        if need.activations > need.memory // 2
        else "fewer blocks, or method: lora or adapter"
    )
    raise _error(where, settings, need.memory, allowed, what, todo)


def _error(where: str, settings: AdaptSettings, need: int, there: int, what: str, todo: str) -> SettingsError:
    blocks = "the last block" if settings.blocks == 1 else f"the last {settings.blocks} blocks"
    return SettingsError(
        f"{where}: {settings.method} on {blocks} does not fit",
        given=f"needs {_shown(need)} {what} and {_shown(there)} are there",
        todo=f"set {todo}",
    )


def _shown(size: int) -> str:
    """Bytes as a person reads them.

    >>> _shown(2_500_000_000), _shown(3_000_000)
    ('2.5 GB', '3.0 MB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def free_memory() -> int:
    """Bytes that a process may still take: what the system calls available, or less where a container sets a limit."""
    limits = [_left(*(_CONTAINER / name for name in names)) for names in _LIMITS]
    return max(min([_available(), *(one for one in limits if one is not None)]), 0)


def _available() -> int:
    try:
        for line in _MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # all there is, where nothing says what is free


def _left(limit: Path, used: Path, stat: Path) -> int | None:
    """Files that were read and can be forgotten count as used, so they are added again."""
    try:
        held = dict(line.split() for line in stat.read_text(encoding="ascii").splitlines())
        left = int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii"))
        return left + int(held.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def free_on_gpu() -> int | None:
    """Bytes that are free on the first GPU; None without one."""
    import torch

    return int(torch.cuda.mem_get_info(0)[0]) if torch.cuda.is_available() else None


def free_on_disk(folder: Path) -> int:
    """Bytes that are free where ``folder`` is, or will be."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free
