"""Knowledge graphs as text files of triples: head, relation, tail."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LINK_COLUMNS, Catalogue, Importer
from mmgraph.catalogue.lines import Form, read_lines
from mmgraph.catalogue.names import plain_names
from mmgraph.catalogue.tables import Table, joined, made_table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256

_log = logging.getLogger(__name__)
_ENDINGS = (".txt", ".tsv")
_FILES = {"train": ("train",), "valid": ("valid", "val", "dev"), "test": ("test",)}


@dataclass(frozen=True, kw_only=True)
class Triples(Importer):
    """Lines ``head<tab>relation<tab>tail`` in ``train``, ``valid`` (or val, dev) and ``test`` (.txt or .tsv), or in one ``file``.

    All items are of ``kind``. With the three files ``split`` is as they say (``split.links.method: given``); a triple that two of
    them hold stays in the last alone. Letters that a name of a relation cannot have (slashes) become underscores.
    """

    root: Path
    kind: str = "entity"
    file: str | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        files = self._files()
        links = joined("triples", [_read(path, split) for split, path in files])
        assert links is not None, "there is at least one file"
        links = _once(links)
        frame = links.frame.assign(relation=links.frame["relation"].map(plain_names(links.frame["relation"], "relations")))
        sources = {path.name: sha256(path) for _, path in files}
        return checked([self._items(links)], Table(frame, "triples", where=links.place), None, root=self.root, sources=sources)

    def _items(self, links: Table) -> Table:
        ends = links.frame[["source", "target"]].to_numpy().ravel()
        codes, ids = pd.factorize(ends)
        first = np.unique(codes, return_index=True)[1] // 2  # the row that names an item first
        return made_table(
            "triples", ITEM_COLUMNS, {"id": ids, "kind": self.kind}, len(ids), lambda i: links.place(int(first[i]))
        )

    def _files(self) -> list[tuple[str | None, Path]]:
        if self.file is not None:
            path = self.root / self.file
            if not path.is_file():
                todo = "mend catalogue.file or catalogue.root"
                raise CatalogueError("there is no such file of triples", given=path, todo=todo)
            return [(None, path)]
        found = {split: _one_of(self.root, split) for split in _FILES}
        lacking = [split for split, path in found.items() if path is None]
        if lacking:
            todo = "add it, or name one file by catalogue.file"
            raise CatalogueError(f"there is no {lacking[0]}.txt or {lacking[0]}.tsv", given=self.root, todo=todo)
        return [(split, path) for split, path in found.items() if path is not None]


def _one_of(root: Path, split: str) -> Path | None:
    found = [path for name in _FILES[split] for ending in _ENDINGS if (path := root / (name + ending)).is_file()]
    if len(found) > 1:
        given = ", ".join(path.name for path in found)
        raise CatalogueError(f"{root} has several files of {split} triples", given=given, todo="keep one of them")
    return found[0] if found else None


def _read(path: Path, split: str | None) -> Table:
    lines = read_lines(path, Form(("head", "relation", "tail"), separator="\t"))
    columns = dict(zip(("source", "relation", "target"), lines.columns, strict=True))
    return made_table(path.name, LINK_COLUMNS, {**columns, "split": split}, len(lines.line), lines.place)


def _once(links: Table) -> Table:
    """A triple that is in two files stays in the later one: what is tested is not trained on."""
    kept = np.flatnonzero(~links.frame.duplicated(["source", "relation", "target"], keep="last"))
    twice = links.frame.duplicated(["source", "relation", "target"], keep=False)
    apart = int((links.frame[twice].groupby(["source", "relation", "target"])["split"].nunique() > 1).sum())
    if apart:
        _log.warning("%d triples are in two of the files; they stay in the later one alone", apart)
    return Table(links.frame.iloc[kept].reset_index(drop=True), links.name, where=lambda i: links.place(int(kept[i])))
