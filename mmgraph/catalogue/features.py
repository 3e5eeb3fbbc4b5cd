"""Vectors that a person brings: ``features/<kind>.<modality>.npy`` beside ``features/<kind>.<modality>.ids.txt``."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmgraph.catalogue.contract import Catalogue, GivenFeatures
from mmgraph.errors import CatalogueError

_log = logging.getLogger(__name__)
FOLDER = "features"
_ROWS = 65_536  # looked at in one step, so that memory stays bounded


def find_features(root: Path) -> tuple[GivenFeatures, ...]:
    """The pairs of files in ``root/features``, ids read, vectors not yet looked at. Raises CatalogueError."""
    folder = root / FOLDER
    if not folder.is_dir():
        return ()
    names = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
    stems = {name.removesuffix(".npy") for name in names if name.endswith(".npy")}
    listed = {name.removesuffix(".ids.txt") for name in names if name.endswith(".ids.txt")}
    for stem in sorted(stems ^ listed):
        has, lacks = (".npy", ".ids.txt") if stem in stems else (".ids.txt", ".npy")
        raise CatalogueError(f"{FOLDER}/{stem}{has} has no {FOLDER}/{stem}{lacks} beside it", todo="add the other file")
    other = names - {stem + end for stem in stems for end in (".npy", ".ids.txt")}
    if other:
        _log.warning("%d files in %s/ are ignored: %s", len(other), FOLDER, ", ".join(sorted(other)[:5]))
    return tuple(_found(folder, stem) for stem in sorted(stems))


def _found(folder: Path, stem: str) -> GivenFeatures:
    kind, _, modality = stem.rpartition(".")
    if not kind or not modality:
        todo = "name it <kind>.<modality>.npy, e.g. image.image.npy"
        raise CatalogueError(f"{FOLDER}/{stem}.npy does not name a kind and a modality", todo=todo)
    path = folder / f"{stem}.ids.txt"
    try:
        ids = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{FOLDER}/{path.name} cannot be read", given=error, todo="save it as UTF-8") from error
    return GivenFeatures(kind, modality, folder / f"{stem}.npy", tuple(ids))


def check_features(catalogue: Catalogue) -> None:
    """Check every brought table of vectors against the items; raises CatalogueError that names file, row and id."""
    kind_of = pd.Series(catalogue.items["kind"].to_numpy(), index=catalogue.items["id"].to_numpy(), dtype=object)
    for given in catalogue.features:
        _check_ids(given, kind_of)
        _check_vectors(given)


def _check_ids(given: GivenFeatures, kind_of: "pd.Series[str]") -> None:
    name = f"{FOLDER}/{given.path.name.removesuffix('.npy')}.ids.txt"
    ids = pd.Series(given.ids, dtype=object)
    twice = ids.duplicated().to_numpy()
    if twice.any():
        raise CatalogueError(f"{name}, row {_first(twice)}: the id came before", given=repr(ids[_first(twice) - 1]))
    unknown = ~ids.isin(kind_of.index).to_numpy()
    if unknown.any():
        todo = "add the item, or leave out the row in both files"
        raise CatalogueError(
            f"{name}, row {_first(unknown)}: no item has this id", given=repr(ids[_first(unknown) - 1]), todo=todo
        )
    other = (kind_of.reindex(ids).to_numpy() != given.kind) & (len(ids) > 0)
    if other.any():
        row = _first(other)
        wrong = f"{name}, row {row}: the item is of kind {kind_of[ids[row - 1]]}, not {given.kind}"
        raise CatalogueError(wrong, given=repr(ids[row - 1]), todo="one pair of files for each kind")


def _first(wrong: npt.NDArray[np.bool_]) -> int:
    return int(np.argmax(wrong)) + 1


def _check_vectors(given: GivenFeatures) -> None:
    name = f"{FOLDER}/{given.path.name}"
    try:
        vectors = np.load(given.path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CatalogueError(f"{name} cannot be read", given=error, todo="write it with numpy.save, not as objects") from None
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise CatalogueError(f"{name} is not [items, width]", given=vectors.shape, todo="save a table of one row an item")
    if vectors.dtype.kind != "f":
        raise CatalogueError(
            f"{name} does not hold float numbers", given=vectors.dtype, todo="convert with .astype('float32')"
        )
    if len(vectors) != len(given.ids):
        wrong = f"{name} has {len(vectors)} rows, its .ids.txt has {len(given.ids)}"
        raise CatalogueError(wrong, todo="give one id for each row, in the same order")
    for start in range(0, len(vectors), _ROWS):
        bad = ~np.isfinite(vectors[start : start + _ROWS].astype(np.float32)).all(1)
        if bad.any():
            row = start + int(np.argmax(bad))
            wrong = f"{name}, row {row + 1} holds a number that is not finite (NaN or infinite)"
            raise CatalogueError(wrong, given=f"id {given.ids[row]!r}", todo="leave out the row in both files, or mend it")
