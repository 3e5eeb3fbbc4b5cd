"""Edge lists: two ends a line, then perhaps a weight and a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LINK_COLUMNS, Catalogue, Importer
from mmgraph.catalogue.lines import Form, Lines, read_lines
from mmgraph.catalogue.tables import Table, made_table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Strings

_ENDINGS = (".txt", ".tsv", ".csv", ".edges", ".edgelist")


@dataclass(frozen=True, kw_only=True)
class EdgeList(Importer):
    """Lines ``source target [weight [time]]`` in one text file, separated by tabs, commas, semicolons or white space.

    file: may be left out where ``root`` holds one such file only. Lines that begin with ``comment`` are left out, and so is the
    first one where ``header`` says that it holds names. With two kinds an id is ``<kind>/<what is written>``, since the numbers of the
    two usually overlap; with one (no target_kind) it is as written.
    """

    root: Path
    file: str | None = None
    source_kind: str = "node"
    target_kind: str | None = None
    relation: str = "links"
    separator: str | None = None
    comment: str = "#"
    header: bool = False

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        path = self._path()
        form = Form(("source", "target", "weight", "time"), 2, self.separator, self.comment, self.header)
        lines = read_lines(path, form)
        ends = self._ends(lines)
        more = dict(zip(("weight", "time"), lines.columns[2:], strict=False))
        given = {"source": ends[0], "target": ends[1], "relation": self.relation, **more}
        links = made_table(path.name, LINK_COLUMNS, given, len(lines.line), lines.place)
        return checked(self._items(lines, ends), links, None, root=self.root, sources={path.name: sha256(path)})

    def _path(self) -> Path:
        if self.file is not None:
            if not (self.root / self.file).is_file():
                todo = "mend catalogue.file or catalogue.root"
                raise CatalogueError("there is no such file of links", given=self.root / self.file, todo=todo)
            return self.root / self.file
        found = sorted(path for ending in _ENDINGS for path in self.root.glob(f"*{ending}"))
        if len(found) != 1:
            wrong = "there are several files of links" if found else f"there is no file of links ({' '.join(_ENDINGS)})"
            given = ", ".join(path.name for path in found) or self.root
            raise CatalogueError(wrong, given=given, todo="name one by catalogue.file")
        return found[0]

    def _two(self) -> bool:
        return self.target_kind is not None and self.target_kind != self.source_kind

    def _ends(self, lines: Lines) -> tuple[Strings, Strings]:
        source, target = lines.columns[:2]
        if not self._two():
            return source, target
        return f"{self.source_kind}/" + source, f"{self.target_kind}/" + target

    def _items(self, lines: Lines, ends: tuple[Strings, Strings]) -> Sequence[Table]:
        kinds = (self.source_kind, self.target_kind or self.source_kind)
        if self._two():
            return [_items(lines, one, kind, 1) for one, kind in zip(ends, kinds, strict=True)]
        return [_items(lines, np.stack(ends, 1).ravel(), kinds[0], 2)]


def _items(lines: Lines, ids: Strings, kind: str, each: int) -> Table:
    """Items in the order in which ``ids`` name them, ``each`` of a line."""
    codes, names = pd.factorize(ids)
    first = np.unique(codes, return_index=True)[1] // each
    given = {"id": names, "kind": kind}
    return made_table(lines.name, ITEM_COLUMNS, given, len(names), lambda i: lines.place(int(first[i])))
