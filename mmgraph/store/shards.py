"""One encoder's folder of the store: immutable shards, each committed by the rename of its index.

A shard is ``NNNNNN.npy`` (float32 [rows, width]) and ``NNNNNN.parquet`` (columns ``key``, ``row``; row -1 says that the clip has
no such modality). The index is written last: a shard exists when its index does. All writing happens under one file
lock that the system drops when a process dies, so whatever has no index while the lock is held belongs to a dead writer.
"""

import contextlib
import fcntl
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mmgraph.errors import RunError, StoreError
from mmgraph.files import whole, write_with
from mmgraph.types import Floats, Ints, Strings

FANOUT = 16
_BLOCK = 8192
_MERGED = b"merged"


@dataclass(frozen=True)
class Shard:
    """``keys`` pyarrow strings [n]; ``rows`` int64 [n] into ``path``, -1 where there is no such modality.

    merged: names of the shards that it was made of, which are gone unless the merge was cut off.
    """

    path: Path
    keys: "pa.Array[Any]"
    rows: Ints
    merged: tuple[str, ...] = ()

    @functools.cached_property
    def hashes(self) -> "npt.NDArray[np.uint64]":
        """64 bits of each key, sorted: tells in log(n) that a key is not here."""
        return np.sort(hashes_of(self.keys.to_numpy(zero_copy_only=False)))

    def may_hold(self, hashes: "npt.NDArray[np.uint64]") -> bool:
        """False only when none of the keys with these hashes is here."""
        place = np.minimum(np.searchsorted(self.hashes, hashes), max(len(self.hashes) - 1, 0))
        return bool(len(self.hashes) and (self.hashes[place] == hashes).any())

    @property
    def index(self) -> Path:
        """The file whose presence makes the shard exist."""
        return self.path.with_suffix(".parquet")

    def vectors(self, width: int) -> Floats:
        """Memory-mapped float32 [rows, width]; raises StoreError where the file is damaged."""
        try:
            found: Floats = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise _damaged(self.path, error) from error
        if found.dtype != np.float32 or found.ndim != 2 or found.shape[1] != width or len(found) <= self.rows.max(initial=-1):
            raise _damaged(
                self.path, f"{found.dtype} {found.shape}, index of {self.rows.max(initial=-1) + 1} rows, width {width}"
            )
        return found


def hashes_of(keys: Sequence[str] | Strings) -> "npt.NDArray[np.uint64]":
    """64 bits of each key, the same in every process."""
    return pd.util.hash_array(np.array(keys, dtype=object), categorize=False)


def _damaged(path: Path, given: object) -> StoreError:
    return StoreError(f"{path} is damaged", given=given, todo="delete it and its .parquet: what it held is encoded again")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's write lock, made where it is not there; leftovers of dead writers are removed first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "ab")  # noqa: SIM115 - closed below
    except OSError as error:
        raise RunError(f"cannot write {folder}", given=error.strerror, todo="choose another encoders.store") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if _left_over(path):
            path.unlink(missing_ok=True)


def _left_over(path: Path) -> bool:
    """What only a writer that is gone, or one that holds the lock, can have left."""
    return path.suffix == ".part" or (path.suffix == ".npy" and not path.with_suffix(".parquet").exists())


def names(folder: Path) -> list[str]:
    """Names of the shards, oldest first."""
    return sorted(path.stem for path in folder.glob("[0-9]*.parquet"))


def open_shard(folder: Path, name: str) -> Shard:
    """Read a shard's index; raises FileNotFoundError when it was merged away, StoreError when it is damaged."""
    index = folder / f"{name}.parquet"
    try:
        table = pq.read_table(index, memory_map=False)
        rows = table["row"].to_numpy().astype(np.int64)
        merged = (table.schema.metadata or {}).get(_MERGED, b"").decode().split()
        return Shard(folder / f"{name}.npy", table["key"].cast(pa.string()).combine_chunks(), rows, tuple(merged))
    except FileNotFoundError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise _damaged(index, error) from error


def append(folder: Path, keys: Sequence[str], vectors: Floats, *, absent: Sequence[str] = ()) -> str:
    """Commit one shard: ``vectors`` [len(keys), width], and keys without any. Call under ``locked``."""
    name = _next(folder)
    write_with(folder / f"{name}.npy", lambda file: np.save(file, vectors, allow_pickle=False))
    _commit(folder, name, pa.array([*keys, *absent], pa.string()), _rows(len(keys), len(absent)))
    return name


def _rows(present: int, absent: int) -> Ints:
    return np.concatenate([np.arange(present, dtype=np.int64), np.full(absent, -1, np.int64)])


def _next(folder: Path) -> str:
    last = names(folder)[-1:]
    return f"{int(last[0]) + 1 if last else 0:09d}"


def _commit(folder: Path, name: str, keys: "pa.Array[Any]", rows: Ints, merged: Sequence[str] = ()) -> None:
    table = pa.table({"key": keys, "row": pa.array(rows)}, metadata={_MERGED: " ".join(merged).encode()} if merged else None)
    with whole(folder / f"{name}.parquet") as temporary:
        pq.write_table(table, temporary)


def unsettled(folder: Path, shards: Sequence[Shard]) -> bool:
    """Whether a writer was killed here: half-written files, a merge cut off, or one that was due."""
    return bool(full_level(shards)) or bool(_cut_off(shards)) or any(_left_over(path) for path in folder.iterdir())


def _cut_off(shards: Sequence[Shard]) -> list[Shard]:
    """Shards that were merged into another and are still there."""
    merged = {name for shard in shards for name in shard.merged}
    return [shard for shard in shards if shard.path.stem in merged]


def remove_merged(shards: Sequence[Shard]) -> None:
    """Remove shards that were merged into another. Call under ``locked``."""
    for shard in _cut_off(shards):
        shard.index.unlink(missing_ok=True)
        shard.path.unlink(missing_ok=True)


def full_level(shards: Sequence[Shard]) -> list[Shard]:
    """FANOUT shards of about one size, to be merged into one; empty when no size has so many.

    Merged by levels (as in a log-structured merge tree, O'Neil et al. 1996), so that a vector is copied only
    log(n) / log(FANOUT) times, and n vectors lie in at most about FANOUT log(n) files.
    """
    levels: dict[int, list[Shard]] = {}
    for shard in shards:
        levels.setdefault(int(math.log(max(len(shard.rows), 1), FANOUT)), []).append(shard)
    return next((some for some in levels.values() if len(some) >= FANOUT), [])


def merge(folder: Path, shards: Sequence[Shard], width: int) -> str:
    """Copy shards into one new shard, then remove them.

    Killed in between, keys are there twice with the same vectors, until the next writer removes what was merged: the new
    shard's index names it.
    """
    name = _next(folder)
    counts = [int((shard.rows >= 0).sum()) for shard in shards]
    with whole(folder / f"{name}.npy") as temporary:
        joined = np.lib.format.open_memmap(temporary, "w+", np.float32, (sum(counts), width))
        done = 0
        for shard in shards:
            done = _copy(shard, joined, done, width)
        joined.flush()
    starts = np.cumsum([0, *counts[:-1]])
    rows = [_moved(shard.rows, int(start)) for shard, start in zip(shards, starts, strict=True)]
    merged = [shard.path.stem for shard in shards]
    _commit(folder, name, pa.concat_arrays([shard.keys for shard in shards]), np.concatenate(rows), merged)
    for shard in shards:
        shard.index.unlink()
        shard.path.unlink()
    return name


def _copy(shard: Shard, merged: Floats, done: int, width: int) -> int:
    vectors, rows = shard.vectors(width), shard.rows[shard.rows >= 0]
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        merged[done : done + len(block)] = vectors[block]
        done += len(block)
    return done


def _moved(rows: Ints, start: int) -> Ints:
    present = rows >= 0
    return np.where(present, np.cumsum(present) - 1 + start, -1)
