"""embeddings/: the vector of every item, by kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from mmgraph.errors import StoreError
from mmgraph.files import write_text, write_with
from mmgraph.types import Floats, Strings


def write_embeddings(folder: Path, ids: Mapping[str, Strings], vectors: Mapping[str, Floats]) -> None:
    """Write ``<kind>.npy`` float32 [items, width] and ``<kind>.ids.txt``, one id a line, for every kind in ``vectors``.

    Raises StoreError where ids and vectors do not fit or a number is not finite, RunError where the disk is full.
    """
    for kind, values in vectors.items():
        _check(kind, ids.get(kind, np.empty(0, object)), values)
    for kind, values in vectors.items():
        _write(folder, kind, ids[kind], np.ascontiguousarray(values, dtype=np.float32))


def read_embeddings(folder: Path, kind: str) -> tuple[list[str], Floats]:
    """Ids and their vectors, memory-mapped."""
    names = (folder / f"{kind}.ids.txt").read_text(encoding="utf-8").split("\n")[:-1]
    vectors: Floats = np.load(folder / f"{kind}.npy", mmap_mode="r", allow_pickle=False)
    return names, vectors


def _check(kind: str, names: Strings, values: Floats) -> None:
    if values.ndim != 2 or len(values) != len(names):
        raise StoreError(
            f"vectors of {kind} do not fit its {len(names)} ids", given=values.shape, todo="give float32 [items, width]"
        )
    if not np.isfinite(values).all():
        raise StoreError(f"vectors of {kind} are not finite", todo="train again with a smaller learning_rate")


def _write(folder: Path, kind: str, names: Strings, values: Floats) -> None:
    def write(file: IO[bytes]) -> None:
        np.save(file, values, allow_pickle=False)

    write_with(folder / f"{kind}.npy", write)
    write_text(folder / f"{kind}.ids.txt", "".join(f"{name}\n" for name in names))
