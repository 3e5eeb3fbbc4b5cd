"""A tree of media files: videos, music, images and texts, with what their places and names tell."""

import logging
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from mmgraph.catalogue.bring import Brought, read_root
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, Catalogue, Importer
from mmgraph.catalogue.kinds import KIND_OF
from mmgraph.catalogue.tables import Table
from mmgraph.catalogue.walk import Found, walk
from mmgraph.errors import CatalogueError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Folder(Importer):
    """Every media file under ``root`` is an item; its id is its path relative to ``root`` with ``/``.

    Its ending tells its kind; a gif that moves is a video. A text beside a media file of the same stem is its side-car: an item
    of kind text with that file as parent. Tables and vectors at the root are read too: a row of ``items`` whose id or path is
    a file's stands for that file; other rows add items. labels_from: weak labels, field ``folder`` (name of the file's folder)
    or ``name`` (the file name up to its first digit or ``_``); side-cars get none. parents_from: ``folder`` makes every
    sub-folder an item, the parent of what is in it.
    """

    root: Path
    labels_from: Literal["none", "folder", "file_name"] = "none"
    parents_from: Literal["none", "folder"] = "none"

    def read(self) -> Catalogue:
        """Walk, read the tables and check; raises CatalogueError that names file, row and column."""
        brought = read_root(self.root)
        walked = walk(self.root)
        if brought.items is None and not walked.files:
            todo = f"endings that are read: {' '.join(KIND_OF)}"
            raise CatalogueError("there is no media file and no items.csv", given=self.root, todo=todo)
        brought, files = _claimed(brought, walked.files)
        tables = [self._folders(files), self._files(files), *([brought.items] if brought.items else [])]
        catalogue = brought.checked(tables, {".": walked.listing})
        labels = self._weak_labels(files, catalogue)
        return replace(catalogue, labels=labels, unread=walked.unread + catalogue.unread)

    def _files(self, files: Sequence[Found]) -> Table:
        parents = {one.id: one.parent or self._folder_of(one.id) for one in files}
        rows = [{"id": one.id, "kind": one.kind, "path": one.id, "parent": parents[one.id]} for one in files]
        return _table(rows, "file")

    def _folder_of(self, name: str) -> str | None:
        return None if self.parents_from == "none" else posixpath.dirname(name) or None

    def _folders(self, files: Sequence[Found]) -> Table:
        if self.parents_from == "none":
            return _table([], "folder")
        above = {parent.as_posix() for one in files for parent in PurePosixPath(one.id).parents} - {"."}
        return _table([{"id": name, "kind": "folder", "parent": self._folder_of(name)} for name in sorted(above)], "folder")

    def _weak_labels(self, files: Sequence[Found], catalogue: Catalogue) -> pd.DataFrame:
        if self.labels_from == "none":
            return catalogue.labels
        kept = set(catalogue.items["id"])
        field = "folder" if self.labels_from == "folder" else "name"
        rows = [
            {"id": one.id, "field": field, "value": value, "split": None}
            for one in files
            if one.id in kept and not one.parent and (value := _value(one, field))
        ]
        weak = pd.DataFrame(rows, columns=list(LABEL_COLUMNS), dtype=object)
        _log.info("%d weak labels %r were taken from names", len(weak), field)
        joined = pd.concat([catalogue.labels, weak], ignore_index=True)
        return joined.drop_duplicates(["id", "field", "value"]).reset_index(drop=True)


def _value(one: Found, field: str) -> str:
    if field == "folder":
        return PurePosixPath(one.folder).name
    return re.split(r"[\d_]", one.stem, maxsplit=1)[0].strip(" -.")


def _table(rows: list[dict[str, str | None]], name: str) -> Table:
    frame = pd.DataFrame(rows, columns=list(ITEM_COLUMNS), dtype=object)
    return Table(frame.astype(object).where(frame.notna(), None), name)


def _claimed(brought: Brought, files: tuple[Found, ...]) -> tuple[Brought, tuple[Found, ...]]:
    """Files that rows of ``items`` stand for are left to those rows, which get the file's path and side-car parent."""
    if brought.items is None:
        return brought, files
    table = brought.items
    by_id = {one.id: one for one in files}
    frame = table.frame.copy()
    own = frame["id"].isin(by_id) & frame["path"].isna() & (frame["kind"] != "segment")
    frame.loc[own, "path"] = frame.loc[own, "id"]
    named = frame["path"].map(lambda path: _relative(path, brought.root), na_action="ignore")
    claims = named.isin(by_id) & (frame["kind"] != "segment")
    id_of = dict(zip(named[claims], frame.loc[claims, "id"], strict=True))
    parent = named[claims].map(lambda name: by_id[name].parent)
    frame.loc[claims, "parent"] = frame.loc[claims, "parent"].where(frame.loc[claims, "parent"].notna(), parent)
    frame["parent"] = _renamed(frame["parent"], id_of)
    rest = tuple(replace(one, parent=id_of.get(one.parent or "", one.parent)) for one in files if one.id not in id_of)
    return replace(brought, items=replace(table, frame=frame)), rest


def _renamed(parents: pd.Series, id_of: dict[str, str]) -> pd.Series:
    renamed = parents.map(lambda name: id_of.get(name, name), na_action="ignore").astype(object)
    return renamed.where(renamed.notna(), None)


def _relative(path: str, root: Path) -> str:
    joined = Path(root, path)
    return joined.relative_to(root).as_posix() if joined.is_relative_to(root) else path
