"""PyG's HeteroData, saved as safe tensors: one tensor an attribute, named by its type and attribute."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS, Catalogue, GivenFeatures, Importer
from mmgraph.catalogue.kept import Kept
from mmgraph.catalogue.masks import MASKS, split_of
from mmgraph.catalogue.names import plain_names
from mmgraph.catalogue.tables import Table, joined, made_table
from mmgraph.catalogue.tensors import Tensors, Triple, opened
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Bools, Ints, Strings

_log = logging.getLogger(__name__)
_ASKED = ("edge_label_index", "edge_label")  # what RandomLinkSplit adds: not the graph
_REVERSE = "rev_"


@dataclass(frozen=True, kw_only=True)
class Pyg(Importer):
    """One ``file`` of tensors ``<type>.<attribute>`` and ``<source>__<name>__<target>.<attribute>`` (docs/formats.md says how to save).

    Items are ``<type>/<position>``, or as ``<type>.ids.txt`` beside the file names them. Read are: x and other float matrices as
    vectors (one modality each), y as labels of ``field`` (negative and NaN: none), edge_index, edge_weight, edge_time, and train, val and
    test masks of both; where items have masks, labels in none of them are left out. Relations ``rev_…`` that repeat another one are left
    out, since mmgraph adds reverses itself. cache: where vectors are kept as .npy, ``<root>.vectors`` where not given.
    """

    root: Path
    file: str = "graph.safetensors"
    field: str = "class"
    cache: Path | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the tensor."""
        path = self.root / self.file
        with opened(path) as file:
            tensors = Tensors(path.name, file)
            nodes, relations = tensors.sorted()
            kinds = _kinds(self.root, tensors, nodes, relations)
            digest = sha256(path)
            kept, shown = Kept.beside(self.root, self.cache), _without_reverses(tensors, relations)
            return checked(
                [kind.items() for kind in kinds.values()],
                joined("edges", [_links(tensors, shown, one, kinds) for one in shown]),
                joined("labels", [table for kind in kinds.values() for table in kind.labels(self.field)]),
                root=self.root,
                features=tuple(given for kind in kinds.values() for given in kind.features(kept, digest)),
                sources={path.name: digest},
            )


@dataclass(frozen=True)
class _Kind:
    """One type of nodes: ``kind`` is its name as a kind, ``ids`` name its items."""

    tensors: Tensors
    type: str
    kind: str
    ids: Strings
    attributes: list[str]

    def place(self, row: int) -> str:
        return f"{self.tensors.name}: {self.type}, position {row}"

    def items(self) -> Table:
        return made_table(self.tensors.name, ITEM_COLUMNS, {"id": self.ids, "kind": self.kind}, len(self.ids), self.place)

    def labels(self, field: str) -> list[Table]:
        if "y" not in self.attributes:
            return []
        y = self.tensors.array(f"{self.type}.y", shape=(len(self.ids),))
        masks = _masks(self.tensors, self.type, self.attributes, len(self.ids))
        split = split_of(masks, len(self.ids), self.place)
        known = y >= 0  # NaN is not
        rows = np.flatnonzero(known & (split != None)) if masks else np.flatnonzero(known)  # noqa: E711 - by element
        if len(rows) < known.sum():
            _log.info("%d labels of %s in no mask are left out", known.sum() - len(rows), self.type)
        values = np.array([format(value, "g") for value in y[rows].tolist()], dtype=object)
        given = {"id": self.ids[rows], "field": field, "value": values, "split": split[rows]}
        return [made_table(self.tensors.name, LABEL_COLUMNS, given, len(rows), lambda i: self.place(int(rows[i])))]

    def features(self, kept: Kept, digest: str) -> list[GivenFeatures]:
        found, left = [], []
        for name in [one for one in self.attributes if one not in {"y", "num_nodes", *MASKS}]:
            key = f"{self.type}.{name}"
            shape, dtype = self.tensors.shape(key), self.tensors.dtype(key)
            if len(shape) != 2 or 0 in shape or not (name == "x" or dtype[0] == "F"):
                left.append(name)
                continue
            rows = partial(self.tensors.rows, key)
            found.append(kept.given(self.kind, name, self.ids.tolist(), f"{digest} {key}", rows))
        _left_out(self.tensors, self.type, left)
        return found


def _left_out(tensors: Tensors, group: str, names: list[str]) -> None:
    if names:
        _log.info("%s: of %s is left out: %s", tensors.name, group, ", ".join(names))


def _masks(tensors: Tensors, group: str, attributes: list[str], count: int) -> Mapping[str, Bools]:
    found = {name: tensors.array(f"{group}.{name}", like="biu", shape=(count,)) for name in MASKS if name in attributes}
    return {name: mask.astype(bool) for name, mask in found.items()}


def _kinds(root: Path, tensors: Tensors, nodes: dict[str, list[str]], relations: Mapping[Triple, Any]) -> dict[str, _Kind]:
    """Every type of nodes, with as many items as its tensors have rows, or else as its edges name."""
    types = list(dict.fromkeys([*nodes, *(one for relation in relations for one in (relation[0], relation[2]))]))
    plain = plain_names(types, "kinds")
    counts = {one: _count(tensors, one, nodes.get(one, []), relations) for one in types}
    return {
        one: _Kind(tensors, one, plain[one], _ids(root / f"{one}.ids.txt", one, counts[one]), nodes.get(one, []))
        for one in types
    }


def _count(tensors: Tensors, one: str, attributes: list[str], relations: Mapping[Triple, Any]) -> int:
    if "num_nodes" in attributes:
        return int(tensors.array(f"{one}.num_nodes", like="iu").item())
    rows = {f"{one}.{name}": tensors.shape(f"{one}.{name}")[0] for name in ("x", "y", *MASKS) if name in attributes}
    if not rows:
        rows = {f"{one}.{name}": tensors.shape(f"{one}.{name}")[0] for name in attributes if tensors.shape(f"{one}.{name}")}
    if len(set(rows.values())) > 1:
        given = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise CatalogueError(f"{tensors.name}: tensors of {one} have different lengths", given=given, todo="one row a node")
    if rows:
        return next(iter(rows.values()))
    ends = [tensors.ends(relation)[side] for relation in relations for side in (0, 1) if relation[2 * side] == one]
    return max((int(end.max()) + 1 for end in ends if len(end)), default=0)


def _ids(path: Path, one: str, count: int) -> Strings:
    if not path.is_file():
        return np.array([f"{one}/{i}" for i in range(count)], dtype=object)
    ids = path.read_text(encoding="utf-8-sig").splitlines()
    if len(ids) != count:
        raise CatalogueError(f"{path.name} has {len(ids)} lines for {count} nodes", todo="write one id a line, in order")
    return np.array(ids, dtype=object)


def _without_reverses(tensors: Tensors, relations: Mapping[Triple, list[str]]) -> dict[Triple, list[str]]:
    """PyG's ToUndirected adds ``rev_…``: the same edges, turned round."""
    kept = {}
    for relation, attributes in relations.items():
        source, name, target = relation
        forward = (target, name.removeprefix(_REVERSE), source)
        if name.startswith(_REVERSE) and forward in relations and _same(tensors.ends(forward), tensors.ends(relation)[::-1]):
            _log.info("%s is left out: it repeats %s", "/".join(relation), "/".join(forward))
        else:
            kept[relation] = attributes
    return kept


def _same(one: Ints, other: Ints) -> bool:
    return one.shape == other.shape and bool((one[:, np.lexsort(one)] == other[:, np.lexsort(other)]).all())


def _links(tensors: Tensors, relations: Mapping[Triple, list[str]], relation: Triple, kinds: Mapping[str, _Kind]) -> Table:
    group, attributes, ends = "__".join(relation), relations[relation], tensors.ends(relation)
    count = ends.shape[1]

    def place(row: int) -> str:
        return f"{tensors.name}: {group}, edge {row}"

    for end, one in zip(ends, relation[::2], strict=True):
        bad = (end < 0) | (end >= len(kinds[one].ids))
        if bad.any():
            at = int(np.argmax(bad))
            todo = f"there are {len(kinds[one].ids)} of {one}; save {one}.num_nodes where some have no tensors"
            raise CatalogueError(f"{place(at)}: no node of {one} has this position", given=int(end[at]), todo=todo)
    given: dict[str, Any] = {
        column: tensors.array(f"{group}.{name}", shape=(count,))
        for column, names in {"weight": ("edge_weight",), "time": ("edge_time", "time")}.items()
        for name in names
        if name in attributes
    }
    known = {"edge_index", "edge_weight", "edge_time", "time", *_ASKED, *MASKS}
    _left_out(tensors, group, [name for name in attributes if name not in known])
    given["split"] = split_of(_masks(tensors, group, attributes, count), count, place)
    given["source"], given["target"] = kinds[relation[0]].ids[ends[0]], kinds[relation[2]].ids[ends[1]]
    given["relation"] = plain_names([one[1] for one in relations], "relations")[relation[1]]
    return made_table(tensors.name, LINK_COLUMNS, given, count, place)
