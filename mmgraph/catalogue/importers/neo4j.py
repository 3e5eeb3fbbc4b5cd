"""Neo4j's CSV files: those of ``neo4j-admin database import``, and what ``apoc.export.csv.all`` writes."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS, Catalogue, GivenFeatures, Importer
from mmgraph.catalogue.kept import Kept
from mmgraph.catalogue.names import plain_names
from mmgraph.catalogue.neo4j import VECTORS, Part, find_parts
from mmgraph.catalogue.tables import Table, joined, made_table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Bools, Floats, Strings

_log = logging.getLogger(__name__)
LABEL, SPLIT = "label.", "split."  # before the name of a field; what `mmgraph export` writes


@dataclass(frozen=True, kw_only=True)
class Neo4j(Importer):
    """The CSV files of ``root`` (or ``files`` of it), with neo4j-admin's headers (``:ID``, ``:LABEL``) or apoc's (``_id``, ``_labels``).

    An item's kind is its first label (``kind`` where it has none), its id as written, or ``<id space>/<id>`` where there are several
    spaces. Read by name are path, text, parent, start_s and end_s of nodes, weight, time and split of relationships; ``labels`` and
    ``label.<field>`` with ``split.<field>`` are labels; ``float[]`` and ``double[]`` are vectors, one modality each. Other properties
    are left out, and the log says so. cache: where vectors are kept as .npy, ``<root>.vectors`` where not given.
    """

    root: Path
    files: Sequence[str] = ()
    kind: str = "node"
    labels: Sequence[str] = ()
    separator: str = ","
    array_separator: str = ";"
    cache: Path | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names file and line."""
        parts = find_parts(self.root, self.files, self.separator)
        several = len({part.columns.space for part in parts if part.columns.id}) > 1
        nodes = [_Nodes(part, several, self.kind) for part in parts if part.columns.id]
        edges = [_edges(part, several) for part in parts if part.columns.start]
        kinds = plain_names([kind for one in nodes for kind in one.kinds], "kinds")
        return checked(
            [one.items(kinds) for one in nodes],
            joined("relationships", _renamed(edges)),
            joined("labels", [table for one in nodes for table in one.labels(self.labels, self.array_separator)]),
            root=self.root,
            features=_features(nodes, Kept.beside(self.root, self.cache), kinds, self.array_separator),
            sources={path.name: sha256(path) for part in parts for path in part.files},
        )


def _named(ids: pd.Series, space: str, several: bool) -> Strings:
    """An id space is part of the ids only where there are several."""
    named = f"{space}/" + ids.fillna("") if several and space else ids
    return named.where(ids.notna(), None).to_numpy(dtype=object)


class _Nodes:
    """The nodes of one file: where they stand (``rows``), their ids, and their first labels."""

    def __init__(self, part: Part, several: bool, kind: str) -> None:
        self.part, columns = part, part.columns
        frame = part.sheet.text([name for name in (columns.id, columns.label, columns.start) if name])
        is_node = frame[columns.start].isna().to_numpy() if columns.start else np.ones(len(frame), bool)
        self.rows = np.flatnonzero(is_node)
        self.ids = _named(frame[columns.id].iloc[self.rows], columns.space, several)
        labels = frame[columns.label].iloc[self.rows] if columns.label else pd.Series([None] * len(self.rows), dtype=object)
        # ``Person;Actor`` is neo4j-admin's form, ``:Person:Actor`` apoc's
        first = {one: re.split("[:;]", one.strip(":;"))[0].strip() or kind for one in labels.dropna().unique()}
        self.kinds = np.array([first.get(one, kind) for one in labels], dtype=object)

    def place(self, row: int) -> str:
        return self.part.sheet.place(int(self.rows[row]))

    def items(self, kinds: Mapping[str, str]) -> Table:
        columns, sheet = self.part.columns, self.part.sheet
        known = {name: columns.properties[name][0] for name in ITEM_COLUMNS[2:] if name in columns.properties}
        frame = sheet.text(list(known.values()))
        given: dict[str, Any] = {name: frame[column].to_numpy()[self.rows] for name, column in known.items()}
        given |= {"id": self.ids, "kind": np.array([kinds[one] for one in self.kinds], dtype=object)}
        return made_table(sheet.path.name, ITEM_COLUMNS, given, len(self.ids), self.place)

    def labels(self, fields: Sequence[str], separator: str) -> list[Table]:
        sheet, properties = self.part.sheet, self.part.columns.properties
        asked = {name: name.removeprefix(LABEL) for name in properties if name in fields or name.startswith(LABEL)}
        read = {*asked, *(SPLIT + field for field in asked.values() if SPLIT + field in properties)}
        vectors = {name for name, (_, kind) in properties.items() if kind in VECTORS}
        edges = {"weight", "time", "split"} if self.part.columns.start else set()
        _left_out(sheet.path.name, set(properties) - read - vectors - edges - set(ITEM_COLUMNS))
        return [self._labels(name, field, separator) for name, field in asked.items()]

    def _labels(self, name: str, field: str, separator: str) -> Table:
        values = self._lists(name, separator)
        splits = self._lists(SPLIT + field, separator)
        odd = [i for i, split in enumerate(splits) if split and len(split) != len(values[i])]
        if odd:
            wrong = f"{self.place(odd[0])}: {len(values[odd[0]])} values of {name!r} and {len(splits[odd[0]])} of {SPLIT + field!r}"
            raise CatalogueError(wrong, given=splits[odd[0]], todo="give one split for each value, or none")
        rows = np.repeat(np.arange(len(values)), [len(one) for one in values])
        flat = [split or None for one, given in zip(splits, values, strict=True) for split in (one or [""] * len(given))]
        given = {"id": self.ids[rows], "field": field, "value": [value for one in values for value in one], "split": flat}
        return made_table(self.part.sheet.path.name, LABEL_COLUMNS, given, len(rows), lambda i: self.place(int(rows[i])))

    def _lists(self, name: str, separator: str) -> list[list[str]]:
        """The values of a property of each node: several where its type ends in ``[]``, none where nothing stands there."""
        if name not in self.part.columns.properties:
            return [[]] * len(self.rows)
        column, kind = self.part.columns.properties[name]
        texts = self.part.sheet.text([column])[column].to_numpy()[self.rows]
        if kind.endswith("[]"):
            return [text.split(separator) if text else [] for text in texts]
        return [[text] if text else [] for text in texts]


def _left_out(name: str, properties: set[str]) -> None:
    if properties:
        _log.info("%s: properties are left out: %s", name, ", ".join(sorted(properties)))


def _edges(part: Part, several: bool) -> Table:
    columns, sheet = part.columns, part.sheet
    known = {name: columns.properties[name][0] for name in ("weight", "time", "split") if name in columns.properties}
    if not columns.id:
        _left_out(sheet.path.name, set(columns.properties) - set(known))
    frame = sheet.text([columns.start, columns.end, columns.type, *known.values()])
    rows = np.flatnonzero(frame[columns.start].notna()) if columns.id else np.arange(len(frame))
    frame = frame.iloc[rows]
    given: dict[str, Any] = {name: frame[column].to_numpy() for name, column in known.items()}
    given["source"] = _named(frame[columns.start], columns.start_space, several)
    given["target"] = _named(frame[columns.end], columns.end_space, several)
    given["relation"] = frame[columns.type].to_numpy()
    return made_table(sheet.path.name, LINK_COLUMNS, given, len(rows), lambda i: sheet.place(int(rows[i])))


def _renamed(tables: Sequence[Table]) -> list[Table]:
    """With names that a relation can have."""
    names = plain_names([name for table in tables for name in table.frame["relation"] if name], "relations")
    found = []
    for table in tables:
        plain = np.array([*(names.get(name) for name in table.frame["relation"]), None], dtype=object)[:-1]
        found.append(replace(table, frame=table.frame.assign(relation=plain)))
    return found


def _features(nodes: Sequence[_Nodes], kept: Kept, kinds: Mapping[str, str], separator: str) -> tuple[GivenFeatures, ...]:
    """One for each kind and property: a file may hold several kinds, and a kind may stand in several files."""
    found: dict[tuple[str, str], list[tuple[_Nodes, str, Bools]]] = {}
    ids: dict[tuple[str, str], list[str]] = {}
    for one in nodes:
        for name, (column, kind) in one.part.columns.properties.items():
            if kind not in VECTORS:
                continue
            present = one.part.sheet.present(column)[one.rows]
            for label in dict.fromkeys(one.kinds[present]):
                key = (kinds[label], name)
                found.setdefault(key, []).append((one, column, (one.kinds == label)[present]))
                ids.setdefault(key, []).extend(one.ids[present & (one.kinds == label)])
    return tuple(
        kept.given(*key, ids[key], _made_of(parts), partial(_vectors, parts, separator)) for key, parts in found.items()
    )


def _made_of(parts: Sequence[tuple[_Nodes, str, Bools]]) -> str:
    return " ".join(f"{sha256(node.part.sheet.path)} {column}" for node, column, _ in parts)


def _vectors(parts: Sequence[tuple[_Nodes, str, Bools]], separator: str) -> Iterator[Floats]:
    for node, column, chosen in parts:
        start = 0
        for rows in node.part.sheet.vectors(column, separator):
            yield rows[chosen[start : start + len(rows)]]
            start += len(rows)
