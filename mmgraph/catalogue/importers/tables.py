"""Tables that a person brings: items, links and labels as CSV or Parquet, vectors as .npy."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmgraph.catalogue.bring import read_root
from mmgraph.catalogue.contract import Catalogue, Importer
from mmgraph.catalogue.tables import SUFFIXES
from mmgraph.errors import CatalogueError, first_of

_log = logging.getLogger(__name__)
_NAMES = ("items", "links", "labels")


@dataclass(frozen=True, kw_only=True)
class Tables(Importer):
    """``items.csv`` (or .parquet), with ``links``, ``labels`` and ``features/`` where they are there, in the folder ``root``.

    Columns and rules: docs/formats.md. Paths in ``items`` are relative to ``root``. repeated: of rows of the same link, ``add`` adds the
    weights and keeps the earliest time, ``last`` keeps the newest row, as it is with ratings.
    """

    root: Path
    repeated: Literal["add", "last"] = "add"

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names file, row and column."""
        brought = read_root(self.root)
        if others := [path.name for path in sorted(self.root.iterdir()) if _is_stray(path)]:
            _log.warning(
                "left out, as only tables named %s are read: %s in %s", ", ".join(_NAMES), first_of(others), self.root
            )
        if brought.items is None:
            todo = "add items.csv with the columns id,kind, or use the importer Folder"
            raise CatalogueError("there is no items.csv or items.parquet", given=self.root, todo=todo)
        return brought.checked([brought.items], repeated=self.repeated)


def _is_stray(path: Path) -> bool:
    """``Links.csv`` or ``label.csv``, whose writer may wonder where the links are."""
    return path.suffix.lower() in SUFFIXES and path.name not in {name + suffix for name in _NAMES for suffix in SUFFIXES}
