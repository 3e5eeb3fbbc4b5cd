"""Vectors that stand inside other files, written once as .npy files, which can be mapped into memory."""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from mmgraph.catalogue.contract import GivenFeatures
from mmgraph.errors import CatalogueError, RunError
from mmgraph.files import write_with
from mmgraph.types import Floats


@dataclass(frozen=True)
class Kept:
    """A folder of such vectors. The name of a file tells what it was made of, so that a changed source is written anew and runs
    that share the folder never see each other's half.
    """

    folder: Path

    @classmethod
    def beside(cls, root: Path, folder: Path | None) -> "Kept":
        """``folder``, or else ``<root>.vectors`` beside ``root``: data are not written into."""
        return cls(folder or root.absolute().with_name(f"{root.absolute().name}.vectors"))

    def given(
        self, kind: str, modality: str, ids: Sequence[str], made_of: str, chunks: Callable[[], Iterator[Floats]]
    ) -> GivenFeatures:
        """The vectors of ``ids`` as given features. made_of: hash of the source, and where in it they stand.

        chunks: float32 [n, width] at a time, asked for only where the file is not there yet. Raises CatalogueError.
        """
        key = hashlib.sha256("\n".join((kind, modality, made_of)).encode()).hexdigest()[:16]
        path = self.folder / (re.sub(r"[^\w.\-]", "_", f"{kind}.{modality}") + f".{key}.npy")
        if not path.exists():
            try:
                _write(path, f"{kind}.{modality}", len(ids), chunks())
            except RunError as error:
                todo = "name a folder that can be written by catalogue.cache"
                raise CatalogueError(f"vectors cannot be kept in {self.folder}", given=error.given, todo=todo) from None
        return GivenFeatures(kind, modality, path, tuple(ids))


def _write(path: Path, what: str, rows: int, chunks: Iterator[Floats]) -> None:
    first = next(chunks)

    def write(file: IO[bytes]) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, first.shape[1])}
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in itertools.chain([first], chunks):
            if chunk.shape[1] != first.shape[1]:
                given = f"{first.shape[1]} and {chunk.shape[1]} numbers"
                raise CatalogueError(f"vectors of {what} have different lengths", given=given, todo="give all the same length")
            file.write(np.ascontiguousarray(chunk, "<f4").data)

    write_with(path, write)
