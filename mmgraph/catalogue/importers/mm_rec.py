"""MMRec's files: interactions with their split, and vectors of the items."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, Catalogue, GivenFeatures, Importer
from mmgraph.catalogue.lines import Form, read_lines
from mmgraph.catalogue.sheets import header_of
from mmgraph.catalogue.tables import made_table
from mmgraph.catalogue.written import Named, Written, named_items
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Strings

_SPLITS = {"0": "train", "1": "valid", "2": "test"}


@dataclass(frozen=True, kw_only=True)
class MMRec(Importer):
    """``<name>.inter`` with columns by tabs, and ``image_feat.npy`` and ``text_feat.npy`` where they are there: row i is of item i.

    As MMRec reads them (Zhou 2023, arXiv 2302.03497), but no pickles. Items are ``user/<number>`` and ``item/<number>``, all that a
    file of vectors has a row for. Links: user/interacts/item with ``rating`` and ``timestamp`` where they are there, and the given
    split that the column ``split`` says: 0 train, 1 valid, 2 test. file: may be left out where ``root`` holds one .inter.
    """

    root: Path
    file: str | None = None
    user: str = "userID"
    item: str = "itemID"
    rating: str = "rating"
    time: str = "timestamp"
    split: str = "x_label"

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        path = self._path()
        one = self._written(path)
        vectors = {name: at for name in ("image", "text") if (at := self.root / f"{name}_feat.npy").is_file()}
        rows = {at: _rows(at) for at in vectors.values()}
        users, items = one.ids(self.user, "user"), one.ids(self.item, "item")
        count = max(rows.values(), default=0)
        self._check_items(one, rows)
        numbered = np.array([f"item/{row}" for row in range(count)], dtype=object)
        tables = [named_items("user", [Named(users, one.name, one.place)])]
        if count:
            tables.append(made_table("vectors", ITEM_COLUMNS, {"id": numbered, "kind": "item"}, count))
        else:
            tables.append(named_items("item", [Named(items, one.name, one.place)]))
        more = {key: one.columns[name] for key, name in (("weight", self.rating), ("time", self.time)) if name in one.columns}
        links = one.links(users, "interacts", items, split=self._splits(one), **more)
        given = [GivenFeatures("item", name, at, tuple(numbered[: rows[at]].tolist())) for name, at in vectors.items()]
        sources = {at.name: sha256(at) for at in (path, *vectors.values())}
        return checked(tables, links, None, root=self.root, features=tuple(given), sources=sources, repeated="last")

    def _path(self) -> Path:
        found = [self.root / self.file] if self.file is not None else sorted(self.root.glob("*.inter"))
        if len(found) != 1 or not found[0].is_file():
            wrong = "there are several files .inter" if len(found) > 1 else "there is no such file .inter"
            given = ", ".join(path.name for path in found) or self.root
            raise CatalogueError(wrong, given=given, todo="name one by catalogue.file")
        return found[0]

    def _written(self, path: Path) -> Written:
        names = header_of(path, "\t")
        for name in (self.user, self.item):
            if name not in names:
                todo = "name the columns of ids by catalogue.user and catalogue.item"
                raise CatalogueError(f"{path.name} lacks column {name!r}", given=", ".join(names), todo=todo)
        empty = tuple(name for name in names if name not in (self.user, self.item))
        lines = read_lines(path, Form(names, 0, "\t", header=True, empty=empty, what="interactions"))
        return Written.of_lines(lines, names)

    def _splits(self, one: Written) -> Strings | None:
        if self.split not in one.columns:
            return None
        written = one.columns[self.split]
        found = pd.Series(written, dtype=object).map(_SPLITS).to_numpy(dtype=object)
        odd = np.flatnonzero(pd.isna(found))
        if len(odd):
            wrong = f"{one.place(int(odd[0]))}, column {self.split!r}: not a split"
            raise CatalogueError(wrong, given=repr(written[odd[0]]), todo="write 0 for train, 1 for valid, 2 for test")
        return found

    def _check_items(self, one: Written, rows: dict[Path, int]) -> None:
        """Items are numbers of rows, and all files of vectors have the same."""
        if not rows:
            return
        if len({*rows.values()}) > 1:
            given = ", ".join(f"{at.name} {count}" for at, count in rows.items())
            raise CatalogueError("files of vectors have different numbers of rows", given=given, todo="give each item one row")
        written = one.columns[self.item]
        number = pd.to_numeric(pd.Series(written, dtype=object), errors="coerce").to_numpy(np.float64)
        plain = np.array([str(word).isdecimal() and str(word) == str(int(word)) for word in pd.unique(written)])
        odd = ~(number < next(iter(rows.values()))) | pd.Index(written).isin(pd.unique(written)[~plain])
        if odd.any():
            at, name = int(np.argmax(odd)), next(iter(rows)).name
            wrong = f"{one.place(at)}, column {self.item!r}: {name} has no row for this item"
            raise CatalogueError(wrong, given=repr(written[at]), todo="number items by the rows of their vectors, from 0")


def _rows(path: Path) -> int:
    """How many vectors a file has; that it is a table of finite numbers is checked with all others."""
    try:
        return len(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError, TypeError) as error:
        todo = "write it with numpy.save, not as objects"
        raise CatalogueError(f"{path.name} cannot be read", given=error, todo=todo) from None
