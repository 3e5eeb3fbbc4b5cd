"""LightGCN's text files: a user and all its items a line."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import Catalogue, Importer
from mmgraph.catalogue.lines import Form, Lines, Ragged, read_lines, read_ragged
from mmgraph.catalogue.tables import Table, joined
from mmgraph.catalogue.written import Named, Written, named_items, prefixed
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Strings

_FILES = {"train": "train.txt", "valid": "valid.txt", "test": "test.txt"}
_LISTS = {"user": "user_list.txt", "item": "item_list.txt"}


@dataclass(frozen=True, kw_only=True)
class LightGCN(Importer):
    """Lines ``user item item ...`` in ``train.txt`` and ``test.txt``, and ``valid.txt`` where it is there; the files are the given split.

    As LightGCN publishes them (He et al. 2020, arXiv 2002.02126). Links: user/interacts/item. Where ``user_list.txt`` or
    ``item_list.txt`` (a header, then ``original number`` and perhaps more) are there, ids are ``user/<original>`` and
    ``item/<original>``, and all that they list are items; else ids are numbers as written. A user may have no item.
    """

    root: Path

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        parts = {split: read_ragged(self.root / name, _FORM) for split, name in _FILES.items() if self._there(split, name)}
        lists = {kind: _listed(path) for kind, name in _LISTS.items() if (path := self.root / name).is_file()}
        users = {split: _original(_users(one), lists.get("user"), "user") for split, one in parts.items()}
        items = {split: _original(_items(one), lists.get("item"), "item") for split, one in parts.items()}
        links = [
            Written({}, len(one.row), one.name, _items(one).place).links(
                users[split].ids[one.row], "interacts", items[split].ids, split=split
            )
            for split, one in parts.items()
        ]
        declared = [_declared(one, kind) for kind, one in lists.items()]
        named = [named_items(kind, list(of.values())) for kind, of in (("user", users), ("item", items)) if kind not in lists]
        names = [*(_FILES[split] for split in parts), *(_LISTS[kind] for kind in lists)]
        sources = {name: sha256(self.root / name) for name in names}
        return checked([*declared, *named], joined("interactions", links), None, root=self.root, sources=sources)

    def _there(self, split: str, name: str) -> bool:
        if (self.root / name).is_file():
            return True
        if split == "valid":
            return False
        raise CatalogueError(f"there is no {name}", given=self.root, todo="give the folder of both files by catalogue.root")


_FORM = Form(("user", "item", "item", "..."), what="interactions")


def _users(one: Ragged) -> Named:
    return Named(one.first, one.name, lambda i: f"{one.name}, line {one.line[i]}")


def _items(one: Ragged) -> Named:
    return Named(one.others, one.name, lambda i: f"{one.name}, line {one.line[one.row[i]]}")


def _listed(path: Path) -> Lines:
    """Columns: the original id, and the number of it in the other files."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline().split()
    form = Form(("org_id", "remap_id", *header[2:]), max(len(header) - 2, 0), " ", header=True, what="ids")
    return read_lines(path, form)


def _declared(one: Lines, kind: str) -> Table:
    return Written.of_lines(one, ("org_id", "remap_id")).items(prefixed(one.columns[0], kind), kind)


def _original(named: Named, listed: Lines | None, kind: str) -> Named:
    """With ids in the place of numbers."""
    if listed is None:
        return Named(prefixed(named.ids, kind), named.name, named.place)
    numbers = pd.Index(listed.columns[1])
    if numbers.has_duplicates:
        at = int(np.argmax(numbers.duplicated()))
        raise CatalogueError(f"{listed.place(at)}: the number came before", given=repr(numbers[at]), todo="number each once")
    at_list = numbers.get_indexer(pd.Index(named.ids, dtype=object))
    if (at_list < 0).any():
        first = int(np.argmax(at_list < 0))
        wrong = f"{named.place(first)}: {listed.name} does not list this {kind}"
        raise CatalogueError(wrong, given=repr(named.ids[first]), todo="add it to the list, or take the list away")
    original: Strings = prefixed(listed.columns[0], kind)
    return Named(original[at_list], named.name, named.place)
