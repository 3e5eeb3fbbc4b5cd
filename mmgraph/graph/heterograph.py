"""The graph as DGL's heterograph, as compressed arrays for message passing, and on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mmgraph.errors import GraphError
from mmgraph.files import whole
from mmgraph.graph.contract import Copies, Edges, Graph, Labels
from mmgraph.graph.dgl import load_dgl
from mmgraph.types import Bools, Ints, Relation

_FILE = "graph.safetensors"
_EDGE_DATA = ("time", "weight", "gap_s", "split")
_COPIES = ("first", "distance", "cosine")


class CSC(NamedTuple):
    """The edges of one relation grouped by target: those of target t are ``indptr[t]:indptr[t + 1]``.

    indptr int64 [targets + 1]; sources int64 [edges]; edge_ids int64 [edges]. Memory of the heterograph: not to be written to.
    """

    indptr: torch.Tensor
    sources: torch.Tensor
    edge_ids: torch.Tensor


def to_dgl(graph: Graph, *, reverse: bool = True, keep: Mapping[Relation, Ints | Bools] | None = None) -> Any:
    """The heterograph (int64) with all items, and each relation with its reverse, edge i of both being the same link.

    keep: positions or mask of the edges of a relation that are in it (all of a relation that is not named); edge ids then count
    the kept ones, and ``g.edges[relation].data[dgl.EID]`` has their positions in ``graph.edges``.
    Raises GraphError for a graph without relations, or a relation named like the reverse of another.
    """
    dgl, keep = load_dgl(), keep or {}
    unknown = [str(relation) for relation in keep if relation not in graph.edges]
    if unknown:
        raise GraphError("keep names a relation that is not there", given=unknown[0], todo=f"there are: {_names(graph)}")
    if not graph.edges:
        raise GraphError("a graph needs a link", todo="give links in a table, or an edge builder that finds some")
    pairs: dict[Relation, Any] = {}
    kept = {relation: _kept(edges, keep.get(relation)) for relation, edges in graph.edges.items()}
    for relation, edges in graph.edges.items():
        source, target = (_tensor(ends[kept[relation]]) for ends in (edges.source, edges.target))
        pairs[relation] = (source, target)
        if reverse and relation.reverse in graph.edges:
            raise GraphError(f"{relation.reverse} is the name of a reverse", given=relation.reverse, todo="rename it")
        if reverse:
            pairs[relation.reverse] = (target, source)
    heterograph = dgl.heterograph(pairs, {kind: graph.count(kind) for kind in graph.ids}, idtype=torch.int64)
    for relation in keep:
        for name in (relation, relation.reverse) if reverse else (relation,):
            heterograph.edges[name].data[dgl.EID] = _tensor(kept[relation])
    return heterograph


def csc(heterograph: Any, relation: Relation) -> CSC:
    """The compressed arrays of one relation of DGL's heterograph, straight from DGL."""
    indptr, sources, edge_ids = heterograph[relation].adj_tensors("csc")
    return CSC(indptr, sources, edge_ids if len(edge_ids) == len(sources) else torch.arange(len(sources)))


def save(graph: Graph, folder: Path) -> Path:
    """Write ids, edges with their data, labels, parents and content into one file of the folder, whole or not at all.

    Features are not in it: they are in the store. Raises RunError where the folder cannot be written.
    """
    arrays: dict[str, Any] = {}
    for kind, ids in graph.ids.items():
        arrays[f"ids:{kind}"] = _packed(ids)
    for kind, parent in graph.parent.items():
        arrays[f"parent:{kind}"] = parent
    for name, by_kind in (("parent_kind", graph.parent_kind), ("content", graph.content)):
        arrays.update({f"{name}:{kind}": _packed(texts) for kind, texts in by_kind.items()})
    for kind, copies in graph.duplicates.items():
        arrays.update({f"copies:{kind}:{name}": getattr(copies, name) for name in _COPIES})
    arrays.update(_edge_arrays(graph))
    for labels in graph.labels.values():
        arrays[f"labels:{labels.target}:values"] = labels.values
        if labels.split is not None:
            arrays[f"labels:{labels.target}:split"] = labels.split
        if labels.several is not None:
            arrays[f"labels:{labels.target}:several"] = labels.several
    path = folder / _FILE
    header = {"mmgraph": json.dumps(_header(graph))}
    with whole(path) as temporary:
        try:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary, header)
        except SafetensorError as error:
            raise OSError(str(error)) from error
    return path


def load(folder: Path) -> Graph:
    """Read what ``save`` wrote, without features; raises GraphError where it is missing or broken."""
    path = folder / _FILE
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["mmgraph"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        return _graph(header, arrays)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise GraphError(f"cannot read the graph in {path}", given=error, todo="run `mmgraph fit` again") from error


def _kept(edges: Edges, chosen: Ints | Bools | None) -> Ints:
    return np.arange(len(edges)) if chosen is None else np.arange(len(edges))[chosen]


def _names(graph: Graph) -> str:
    return ", ".join(map(str, graph.edges)) or "none"


def _tensor(array: Any) -> torch.Tensor:
    """An int64 tensor; a copy where the array is not to be written to, which torch cannot express."""
    array = np.ascontiguousarray(array, dtype=np.int64)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _packed(texts: Any) -> Any:
    return np.frombuffer(json.dumps([str(text) for text in texts]).encode(), np.uint8)


def _unpacked(array: Any) -> Any:
    return np.array([*json.loads(array.tobytes()), None], dtype=object)[:-1]


def _edge_arrays(graph: Graph) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for relation, edges in graph.edges.items():
        arrays[f"edges:{relation}:source"], arrays[f"edges:{relation}:target"] = edges.source, edges.target
        data = {name: getattr(edges, name) for name in _EDGE_DATA}
        arrays.update({f"edges:{relation}:{name}": array for name, array in data.items() if array is not None})
    return arrays


def _header(graph: Graph) -> dict[str, Any]:
    """What is no array, in order: kinds, relations, fields."""
    return {
        "kinds": list(graph.ids),
        "edges": [
            {
                "relation": str(edges.relation),
                "built_by": edges.built_by,
                "temporal": edges.temporal,
                "derived_from": [str(relation) for relation in edges.derived_from],
            }
            for edges in graph.edges.values()
        ],
        "labels": [{"kind": one.kind, "field": one.field, "classes": one.classes} for one in graph.labels.values()],
    }


def _graph(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> Graph:
    kinds = header["kinds"]

    def by_kind(name: str, read: Any) -> dict[str, Any]:
        return {kind: read(arrays[f"{name}:{kind}"]) for kind in kinds if f"{name}:{kind}" in arrays}

    edges = [_edges(one, arrays) for one in header["edges"]]
    labels = [_labels(one, arrays) for one in header["labels"]]
    return Graph(
        ids=by_kind("ids", _unpacked),
        edges={one.relation: one for one in edges},
        labels={(one.kind, one.field): one for one in labels},
        parent=by_kind("parent", np.asarray),
        content=by_kind("content", _unpacked),
        parent_kind=by_kind("parent_kind", _unpacked),
        duplicates={
            kind: Copies(*(arrays[f"copies:{kind}:{name}"] for name in _COPIES))
            for kind in kinds
            if f"copies:{kind}:first" in arrays
        },
    )


def _edges(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> Edges:
    name, relation = f"edges:{header['relation']}", Relation.parse(header["relation"])
    data: dict[str, Any] = {part: arrays.get(f"{name}:{part}") for part in _EDGE_DATA}
    derived = tuple(map(Relation.parse, header["derived_from"]))
    said: dict[str, Any] = {"built_by": header["built_by"], "temporal": header["temporal"], "derived_from": derived}
    return Edges(relation, arrays[f"{name}:source"], arrays[f"{name}:target"], **data, **said)


def _labels(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> Labels:
    kind, field = header["kind"], header["field"]
    name = f"labels:{kind}.{field}"
    data = (arrays.get(f"{name}:{part}") for part in ("split", "several"))
    return Labels(kind, field, tuple(header["classes"]), arrays[f"{name}:values"], *data)
