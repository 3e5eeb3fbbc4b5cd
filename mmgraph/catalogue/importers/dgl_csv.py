"""DGL's CSVDataset: a folder of meta.yaml and CSV files of nodes and edges."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS, Catalogue, GivenFeatures, Importer
from mmgraph.catalogue.kept import Kept
from mmgraph.catalogue.masks import MASKS, split_of, truth
from mmgraph.catalogue.names import plain_names
from mmgraph.catalogue.sheets import Sheet
from mmgraph.catalogue.tables import Table, joined, made_table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Strings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DglCsv(Importer):
    """The folder of ``dgl.data.CSVDataset``: types of nodes are kinds, (source, name, target) of edges are relations.

    Ids are as written where there is one type of nodes and one graph, else ``<type>/<id>``, ``<graph>/<type>/<id>``. Columns that hold
    lists of numbers are vectors, one modality a column; ``labels`` name columns of labels; masks are splits; ``weight`` and ``time`` of
    edges are those of links. Where nodes have masks, labels in none of them are left out. What else there is, is left out too, and
    the log says so. cache: where vectors are kept as .npy, ``<root>.vectors`` where not given.
    """

    root: Path
    labels: Sequence[str] = ("label",)
    cache: Path | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names file and line."""
        meta = _Meta.read(self.root)
        graphs = {graph for part in meta.nodes for graph in part.graphs()}
        parts = [_Nodes(part, meta.kinds[part.type], meta.prefix(part.type, len(graphs) > 1)) for part in meta.nodes]
        links = [_links(part, meta, len(graphs) > 1) for part in meta.edges]
        kept = Kept.beside(self.root, self.cache)
        return checked(
            [part.items() for part in parts],
            joined("edges", links),
            joined("labels", [table for part in parts for table in part.labels(self.labels)]),
            root=self.root,
            features=tuple(given for part in parts for given in part.features(kept, self.labels)),
            sources={path.name: sha256(path) for path in meta.files},
        )


@dataclass(frozen=True)
class _Part:
    """One CSV file of nodes or edges; ``type``: name of nodes, or (source, name, target); ``ids``: its columns of ids."""

    sheet: Sheet
    type: Any
    graph: str
    ids: tuple[str, ...]

    @property
    def more(self) -> list[str]:
        """Columns that are neither ids nor nameless."""
        taken = {*self.ids, self.graph}
        return [name for name in self.sheet.names if name and "Unnamed" not in name and name not in taken]

    def graphs(self) -> list[str]:
        return self.sheet.text([self.graph])[self.graph].unique().tolist() if self.graph in self.sheet.names else ["0"]

    def text(self, columns: Sequence[str]) -> pd.DataFrame:
        return self.sheet.text([name for name in columns if name in self.sheet.names])

    def named(self, column: str, prefix: str, several: bool, frame: pd.DataFrame) -> Strings:
        """Ids of items; nothing where none is given, which ``checked`` refuses."""
        named = prefix + frame[column].fillna("")
        if several and self.graph in frame:
            named = frame[self.graph].fillna("") + "/" + named
        return named.where(frame[column].notna(), None).to_numpy(dtype=object)

    def split(self, frame: pd.DataFrame) -> Strings:
        masks = {name: truth(frame[name].tolist(), name, self.sheet.place) for name in MASKS if name in frame}
        return split_of(masks, len(frame), self.sheet.place)


class _Nodes:
    def __init__(self, part: _Part, kind: str, prefix: tuple[str, bool]) -> None:
        self.part, self.kind = part, kind
        self._frame = part.text([*part.ids, part.graph, *MASKS])
        self._ids = part.named(part.ids[0], *prefix, self._frame)

    def items(self) -> Table:
        sheet = self.part.sheet
        return made_table(sheet.path.name, ITEM_COLUMNS, {"id": self._ids, "kind": self.kind}, len(self._ids), sheet.place)

    def labels(self, fields: Sequence[str]) -> list[Table]:
        part = self.part
        masked = bool(set(MASKS) & set(part.more))
        split = part.split(self._frame)
        found = []
        for field in [name for name in fields if name in part.more]:
            if part.sheet.lists(field):
                wrong = f"{part.sheet.path.name}, column {field!r}: labels are lists"
                raise CatalogueError(
                    wrong, given=part.sheet.first(field), todo="give one class a node, or take it out of catalogue.labels"
                )
            values = part.sheet.text([field])[field].to_numpy()
            rows = np.flatnonzero(pd.notna(values) & (pd.notna(split) | (not masked)))
            if len(rows) < pd.notna(values).sum():
                _log.info("%d labels %r in no mask are left out", pd.notna(values).sum() - len(rows), field)
            given = {"id": self._ids[rows], "field": field, "value": values[rows], "split": split[rows]}
            found.append(_rows_of(part.sheet, LABEL_COLUMNS, given, rows))
        return found

    def features(self, kept: Kept, labels: Sequence[str]) -> list[GivenFeatures]:
        sheet, left, found = self.part.sheet, [], []
        for name in [name for name in self.part.more if name not in {*labels, *MASKS}]:
            if not sheet.lists(name):
                left.append(name)
                continue
            ids = self._ids[sheet.present(name)].tolist()
            made_of = f"{sha256(sheet.path)} {name}"
            found.append(kept.given(self.kind, name, ids, made_of, partial(sheet.vectors, name, ",")))
        _left_out(sheet, left)
        return found


def _rows_of(sheet: Sheet, columns: Sequence[str], given: Mapping[str, Any], rows: Any) -> Table:
    return made_table(sheet.path.name, columns, given, len(rows), lambda i: sheet.place(int(rows[i])))


def _left_out(sheet: Sheet, columns: Sequence[str]) -> None:
    if columns:
        _log.info("%s: %d columns are left out: %s", sheet.path.name, len(columns), ", ".join(columns))


def _links(part: _Part, meta: "_Meta", several: bool) -> Table:
    source, name, target = part.type
    frame = part.text([*part.ids, part.graph, "weight", "time", *MASKS])
    _left_out(part.sheet, [one for one in part.more if one not in {"weight", "time", *MASKS}])
    given: dict[str, Any] = {column: frame[column].to_numpy() for column in ("weight", "time") if column in frame}
    given |= {
        "source": part.named(part.ids[0], *meta.prefix(source, several), frame),
        "target": part.named(part.ids[1], *meta.prefix(target, several), frame),
        "relation": meta.relations[name],
        "split": part.split(frame),
    }
    return _rows_of(part.sheet, LINK_COLUMNS, given, np.arange(len(frame)))


@dataclass(frozen=True)
class _Meta:
    """meta.yaml, as https://www.dgl.ai/dgl_docs/guide/data-loadcsv.html says, with DGL's defaults."""

    root: Path
    nodes: tuple[_Part, ...]
    edges: tuple[_Part, ...]
    kinds: Mapping[str, str]
    relations: Mapping[str, str]

    @property
    def files(self) -> list[Path]:
        return [self.root / "meta.yaml", *(part.sheet.path for part in (*self.nodes, *self.edges))]

    def prefix(self, type_of_node: str, several: bool) -> tuple[str, bool]:
        return (f"{type_of_node}/" if len(self.nodes) > 1 else "", several)

    @classmethod
    def read(cls, root: Path) -> "_Meta":
        said = _yaml(root / "meta.yaml")
        if str(said.get("version", "1.0.0")) != "1.0.0":
            raise CatalogueError("meta.yaml: not a version that is read", given=said["version"], todo="save it as 1.0.0")
        if said.get("graph_data"):
            _log.info("what is said of whole graphs (graph_data) is left out")
        nodes = tuple(_part(root, said, one, "ntype", "_V", ("node_id",)) for one in _listed(said, "node_data"))
        edges = tuple(
            _part(root, said, one, "etype", ("_V", "_E", "_V"), ("src_id", "dst_id")) for one in _listed(said, "edge_data")
        )
        types = [part.type for part in nodes]
        for part in edges:
            unknown = [one for one in (part.type[0], part.type[2]) if one not in types]
            if unknown:
                wrong = f"meta.yaml: an etype of {part.sheet.path.name} names a type of nodes that is not there"
                raise CatalogueError(wrong, given=unknown[0], todo=f"there are: {', '.join(types)}")
        for one in (types, [part.type for part in edges]):
            twice = [name for name in one if one.count(name) > 1]
            if twice:
                raise CatalogueError("meta.yaml names a type twice", given=twice[0], todo="put all of one type into one file")
        return cls(root, nodes, edges, plain_names(types, "kinds"), plain_names([part.type[1] for part in edges], "relations"))


def _yaml(path: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path.name} cannot be read", given=error, todo="give DGL's CSVDataset folder") from None
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path.name} is no YAML", given=error, todo="mend it") from None
    if not isinstance(said, dict):
        raise CatalogueError(f"{path.name} holds no keys", given=said, todo="write node_data and edge_data")
    return said


def _listed(said: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    parts = said.get(key)
    if not isinstance(parts, list) or not parts or not all(isinstance(one, dict) and "file_name" in one for one in parts):
        raise CatalogueError(f"meta.yaml: {key} is no list of files", given=parts, todo=f"write {key}: [{{file_name: …}}]")
    return parts


def _part(root: Path, said: Mapping[str, Any], one: Mapping[str, Any], key: str, default: Any, ids: tuple[str, ...]) -> _Part:
    sheet = Sheet(root / str(one["file_name"]), str(said.get("separator", ",")))
    kind = one.get(key, default)
    if isinstance(default, tuple):
        if not isinstance(kind, list | tuple) or len(kind) != 3:
            todo = "write etype: [source type, name, target type]"
            raise CatalogueError(f"meta.yaml: the etype of {sheet.path.name} is no triple", given=kind, todo=todo)
        kind = tuple(map(str, kind))
    columns = tuple(str(one.get(f"{name}_field", name)) for name in ids)
    lacking = [name for name in columns if name not in sheet.names]
    if lacking:
        given = ", ".join(sheet.names)
        todo = "add it, or name another one in meta.yaml"
        raise CatalogueError(f"{sheet.path.name} lacks column {lacking[0]!r}", given=given, todo=todo)
    return _Part(sheet, kind if isinstance(kind, tuple) else str(kind), str(one.get("graph_id_field", "graph_id")), columns)
