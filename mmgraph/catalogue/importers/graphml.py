"""GraphML, as networkx and others write it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS, Catalogue, Importer
from mmgraph.catalogue.graphml import Element, read_graphml
from mmgraph.catalogue.names import plain_names
from mmgraph.catalogue.tables import Table, made_table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256

_log = logging.getLogger(__name__)
_ENDINGS = (".graphml", ".xml")
LABEL, SPLIT = "label:", "split:"  # before the name of a field; what `mmgraph export` writes


@dataclass(frozen=True, kw_only=True)
class GraphML(Importer):
    """One GraphML file; ``file`` may be left out where ``root`` holds one only.

    Attributes of nodes are read by their names: kind (``kind`` where there is none), path, text, parent, start_s, end_s; ``labels`` and
    ``label:<field>`` with ``split:<field>`` are labels. Those of edges: relation (``relation`` where there is none), weight, time, split.
    Others are left out, and the log says so. An undirected edge is read from source to target.
    """

    root: Path
    file: str | None = None
    kind: str = "node"
    relation: str = "links"
    labels: Sequence[str] = ()

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names file and line."""
        path = self._path()
        found = read_graphml(path)
        if found.undirected:
            _log.info("%s: %d undirected edges are read from source to target", path.name, found.undirected)
        fields = {name: name for name in self.labels} | {
            name: name.removeprefix(LABEL) for node in found.nodes for name in node.data if name.startswith(LABEL)
        }
        self._left_out(path.name, "nodes", found.nodes, {"kind", *ITEM_COLUMNS[2:], *fields})
        self._left_out(path.name, "edges", found.edges, set(LINK_COLUMNS) - {"source", "target"})
        return checked(
            [_table(path.name, found.nodes, ("id",), ITEM_COLUMNS, ("kind", self.kind))],
            _table(path.name, found.edges, ("source", "target"), LINK_COLUMNS, ("relation", self.relation)),
            _labels(path.name, found.nodes, fields),
            root=self.root,
            sources={path.name: sha256(path)},
        )

    def _path(self) -> Path:
        if self.file is not None:
            return self.root / self.file
        found = sorted(path for ending in _ENDINGS for path in self.root.glob(f"*{ending}"))
        if len(found) != 1:
            wrong = "there are several GraphML files" if found else f"there is no GraphML file ({' '.join(_ENDINGS)})"
            given = ", ".join(path.name for path in found) or self.root
            raise CatalogueError(wrong, given=given, todo="name one by catalogue.file")
        return found[0]

    def _left_out(self, name: str, what: str, elements: Sequence[Element], known: set[str]) -> None:
        other = {one for element in elements for one in element.data if one not in known and not one.startswith(SPLIT)}
        if other:
            _log.info("%s: attributes of %s are left out: %s", name, what, ", ".join(sorted(other)))


def _table(
    name: str, elements: Sequence[Element], ends: Sequence[str], columns: Sequence[str], typed: tuple[str, str]
) -> Table:
    """typed: the attribute that is a name, and what it is where it is not given."""
    given = {column: [one.data.get(column, [None])[-1] for one in elements] for column in columns if column not in ends}
    given |= {end: [one.ends[i] for one in elements] for i, end in enumerate(ends)}
    attribute, default = typed
    written = [one or default for one in given[attribute]]
    plain = plain_names([one for one in written if one], f"{attribute}s")
    given[attribute] = [plain[one] for one in written]
    return made_table(name, columns, given, len(elements), lambda i: f"{name}, line {elements[i].line}")


def _labels(name: str, nodes: Sequence[Element], fields: dict[str, str]) -> Table:
    rows = [(node, *one) for node in nodes for one in _of_node(name, node, fields)]
    columns = zip(*((node.ends[0], *rest) for node, *rest in rows), strict=True)
    given = dict(zip(LABEL_COLUMNS, columns, strict=False))
    return made_table(name, LABEL_COLUMNS, given, len(rows), lambda i: f"{name}, line {rows[i][0].line}")


def _of_node(name: str, node: Element, fields: dict[str, str]) -> Iterator[tuple[str, str, str | None]]:
    """Field, value and split of every label of a node; an attribute that stands several times has several values."""
    for attribute, field in fields.items():
        values = node.data.get(attribute, [])
        splits: list[str | None] = [*node.data.get(SPLIT + field, [])] or [None] * len(values)
        if len(splits) != len(values):
            wrong = f"{name}, line {node.line}: {len(values)} values of {attribute!r} and {len(splits)} of {SPLIT + field!r}"
            raise CatalogueError(wrong, given=node.ends[0], todo="give one split for each value, or none")
        yield from ((field, value, split or None) for value, split in zip(values, splits, strict=True) if value)
