"""The headers of Neo4j's CSV files: which column means what, and which file has which header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmgraph.catalogue.sheets import Sheet, header_of
from mmgraph.errors import CatalogueError

_NUMBERS = {"int", "long", "float", "double", "boolean", "byte", "short", "vector"}
_TIMES = {"date", "localtime", "time", "localdatetime", "datetime", "duration"}
_TYPES = _NUMBERS | _TIMES | {"char", "string", "point"}
_FIELD = re.compile(r"(?P<name>.*?):(?P<type>ID|START_ID|END_ID|LABEL|TYPE|IGNORE)(\((?P<space>.*)\))?(\{.*\})?")
_APOC = {"_id": "id", "_labels": "label", "_start": "start", "_end": "end", "_type": "type"}
_PLACES = {"ID": "id", "LABEL": "label", "START_ID": "start", "END_ID": "end", "TYPE": "type"}
VECTORS = ("float[]", "double[]")


@dataclass
class Columns:
    """Names of the columns as they stand in the file: of ids, labels, ends and types (``""``: there is none); properties by name, with
    their types, e.g. ``{"age": ("age:int", "int")}``. space, start_space, end_space: in which the ids are unique.
    """

    id: str = ""
    label: str = ""
    start: str = ""
    end: str = ""
    type: str = ""
    space: str = ""
    start_space: str = ""
    end_space: str = ""
    properties: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, names: Sequence[str]) -> "Columns":
        """From the names of one header."""
        columns = cls()
        apoc = {"_id", "_start"} <= set(names)
        for name in names:
            place = _APOC.get(name, "") if apoc else ""
            found = None if apoc else _FIELD.fullmatch(name)
            if found and found["type"] != "IGNORE":
                place = _PLACES[found["type"]]
                space = {"id": "space", "start": "start_space", "end": "end_space"}.get(place)
                if space:
                    setattr(columns, space, found["space"] or "")
            if place:
                setattr(columns, place, name)
            elif not found and name:
                plain, _, kind = name.rpartition(":")
                known = not apoc and bool(plain) and kind.partition("{")[0].removesuffix("[]").lower() in _TYPES
                columns.properties[plain if known else name] = (name, kind.partition("{")[0].lower() if known else "string")
        return columns


@dataclass(frozen=True)
class Part:
    """One file of nodes, of relationships, or (apoc's) of both; ``files``: itself, and the one that has its header."""

    sheet: Sheet
    columns: Columns
    files: tuple[Path, ...]


def find_parts(root: Path, files: Sequence[str], separator: str) -> list[Part]:
    """The CSV files of a folder, by name. A file ``<stem>header.csv`` is the header of all others whose names begin with the stem.

    Raises CatalogueError where there are none, or one has no header that is known.
    """
    paths = [root / name for name in files] or sorted(root.glob("*.csv"))
    stems = {path.name.removesuffix("header.csv"): path for path in paths if path.name.endswith("header.csv")}
    headers = {
        stem: header for stem, header in stems.items() if any(path.name.startswith(stem) and path != header for path in paths)
    }
    parts = [_part(path, headers, separator) for path in paths if path not in headers.values()]
    if not any(part.columns.id for part in parts):
        todo = "export with neo4j-admin's headers (:ID, :LABEL, …), or by apoc.export.csv.all"
        raise CatalogueError("there is no CSV file of nodes", given=root, todo=todo)
    return parts


def _part(path: Path, headers: dict[str, Path], separator: str) -> Part:
    stems = [stem for stem in headers if path.name.startswith(stem)]
    other = headers[max(stems, key=len)] if stems else None
    sheet = Sheet(path, separator, header_of(other, separator) if other else None)
    columns = Columns.read(sheet.names)
    edges = bool(columns.start) and bool(columns.end)
    if not columns.id and not edges:
        todo = "its header needs :ID, or :START_ID and :END_ID; or apoc's _id, _labels, _start, _end, _type"
        raise CatalogueError(f"{path.name} has no header of Neo4j's", given=", ".join(sheet.names), todo=todo)
    if edges and not columns.type:
        raise CatalogueError(f"{path.name} has no column :TYPE", given=", ".join(sheet.names), todo="add the type of each")
    return Part(sheet, columns, (path, other) if other else (path,))
