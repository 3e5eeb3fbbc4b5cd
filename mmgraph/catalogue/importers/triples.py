"""Knowledge graphs as text files of triples: head, relation, tail."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LINK_COLUMNS, Catalogue, Importer
from mmgraph.catalogue.tables import Table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256

_log = logging.getLogger(__name__)
_ENDINGS = (".txt", ".tsv")
_SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, kw_only=True)
class Triples(Importer):
    """Lines ``head<tab>relation<tab>tail`` in ``train``, ``valid`` and ``test`` (.txt or .tsv), or in one ``file``.

    All items are of ``kind``. With the three files ``split`` is as they say (``split.links.method: given``). Letters that a name of a
    relation cannot have (slashes) become underscores.
    """

    root: Path
    kind: str = "entity"
    file: str | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        files = self._files()
        parts = [_read(path).assign(split=split) for split, path in files]
        rows = pd.concat(parts, ignore_index=True).drop_duplicates(["source", "relation", "target"], keep="last")
        rows["relation"] = rows["relation"].map(_names(rows["relation"].unique().tolist()))
        ids = pd.unique(rows[["source", "target"]].to_numpy().ravel())
        items = _table({"id": ids, "kind": self.kind}, ITEM_COLUMNS, len(ids))
        links = _table(
            {name: rows[name].to_numpy() for name in ("source", "relation", "target", "split")}, LINK_COLUMNS, len(rows)
        )
        sources = {path.relative_to(self.root).as_posix(): sha256(path) for _, path in files}
        return checked([items], links, None, root=self.root, sources=sources)

    def _files(self) -> list[tuple[str | None, Path]]:
        if self.file is not None:
            path = self.root / self.file
            if not path.is_file():
                raise CatalogueError(
                    "there is no such file of triples", given=path, todo="mend catalogue.file or catalogue.root"
                )
            return [(None, path)]
        found = [(split, _one_of(self.root, split)) for split in _SPLITS]
        lacking = [split for split, path in found if path is None]
        if lacking:
            todo = "add it, or name one file by catalogue.file"
            raise CatalogueError(f"there is no {lacking[0]}.txt or {lacking[0]}.tsv", given=self.root, todo=todo)
        return [(split, path) for split, path in found if path is not None]


def _one_of(root: Path, name: str) -> Path | None:
    return next((root / (name + ending) for ending in _ENDINGS if (root / (name + ending)).is_file()), None)


def _read(path: Path) -> pd.DataFrame:
    """Columns source, relation, target; raises CatalogueError for a line that is no triple."""
    lines = pd.Series(path.read_text(encoding="utf-8-sig").splitlines(), dtype=object)
    lines = lines[lines.str.strip() != ""]
    if not len(lines):
        raise CatalogueError(f"{path.name} holds no triples", given=path, todo="one a line: head<tab>relation<tab>tail")
    parts = lines.str.split("\t")
    bad = parts[parts.map(lambda fields: len(fields) != 3 or not all(field.strip() for field in fields))]
    if len(bad):
        todo = "write head<tab>relation<tab>tail"
        raise CatalogueError(f"{path.name}, line {bad.index[0] + 1}: no triple", given=lines[bad.index[0]], todo=todo)
    return pd.DataFrame([[field.strip() for field in fields] for fields in parts], columns=["source", "relation", "target"])


def _names(relations: Sequence[str]) -> dict[str, str]:
    """Relation as written -> a name it can have, each its own."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for relation in relations:
        plain = re.sub(r"[^\w.\-]", "_", relation).strip("_") or "relation"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        names[relation] = name
        taken.add(name)
    changed = [relation for relation, name in names.items() if relation != name]
    if changed:
        _log.info("%d relations get other names, e.g. %s for %s", len(changed), names[changed[0]], changed[0])
    return names


def _table(given: dict[str, object], columns: Sequence[str], count: int) -> Table:
    frame = pd.DataFrame({name: given.get(name) for name in columns}, index=range(count)).astype(object)
    return Table(frame.where(frame.notna(), None), "triples")
