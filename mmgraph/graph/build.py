"""Catalogue, features and edge builders -> one graph."""

import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.graph.contract import EdgeBuilder, Edges, Features, Graph, Labels
from mmgraph.graph.ids import IdMap
from mmgraph.graph.located import Located
from mmgraph.graph.merge import joined, once
from mmgraph.types import Ints, Relation, Strings

_log = logging.getLogger(__name__)

SPLIT_CODES: Mapping[str, int] = {"train": 0, "valid": 1, "test": 2}
_FEW = 0.05  # of the items of a field: where fewer have several values, that may be a mistake
_WHAT_COMES_NEXT = frozenset({"follows", "next"})


def build(
    catalogue: Catalogue,
    features: Mapping[tuple[str, str], Features],
    builders: Sequence[EdgeBuilder],
    content: Mapping[str, str] | None = None,
) -> Graph:
    """Items become nodes (kinds by first appearance, items in catalogue order), links of the tables edges, builders add theirs.

    features: by (kind, modality), rows in the order of the kind's items. content: id -> hash of what the item was decoded
    from; items without one are absent. A link between items of one kind named ``follows`` or ``next`` says what comes next.
    Repeated pairs are merged as ``merge.once`` says; a builder adds to a relation of the tables what is not in it yet.

    Raises GraphError for an unknown id, features that do not fit the items, and an item whose values of one field are in several splits.
    """
    located, ids = Located.of(catalogue), IdMap.of(catalogue)
    graph = Graph(
        ids=ids.arrays,
        edges=_of_tables(catalogue, located),
        features=_fitting(features, ids.arrays),
        labels=_labels(catalogue, located),
        content=_content(content or {}, located, ids.arrays),
        **_parents(located),
    )
    for builder in builders:
        graph = _with(graph, builder.build(catalogue, graph))
    for edges in graph.edges.values():
        _log.info("%s: %d edges by %s", edges.relation, len(edges), edges.built_by)
    return graph


def _with(graph: Graph, added: Sequence[Edges]) -> Graph:
    edges = dict(graph.edges)
    for one in map(once, added):
        edges[one.relation] = joined(edges[one.relation], one) if one.relation in edges else one
    return graph.with_edges(edges)


def _of_tables(catalogue: Catalogue, located: Located) -> dict[Relation, Edges]:
    links = catalogue.links
    source = _rows(located, links["source"], "links.source")
    target = _rows(located, links["target"], "links.target")
    names, known = pd.factorize(links["relation"].to_numpy(dtype=object))
    edges = {}
    for (start, name, end), rows in _groups(located.kind[source], names, located.kind[target]):
        relation = Relation(located.kinds[start], str(known[name]), located.kinds[end])
        data = _data(links, rows)
        found = Edges(relation, located.position[source[rows]], located.position[target[rows]], **data)
        edges[relation] = once(replace(found, temporal=start == end and relation.name in _WHAT_COMES_NEXT))
    return edges


def _groups(*codes: Ints) -> Iterator[tuple[tuple[int, ...], Ints]]:
    """Rows with equal codes, groups in order of first appearance."""
    if len(codes[0]) == 0:
        return
    unique, first, group = np.unique(np.stack(codes), axis=1, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    for one in np.argsort(first):
        yield tuple(int(code) for code in unique[:, one]), np.flatnonzero(group == one)


def _data(links: pd.DataFrame, rows: Ints) -> dict[str, Any]:
    """Time, weight and split of some links; None where no link has one (every weight 1 is no weight)."""
    time = links["time"].to_numpy(np.float64)[rows]
    weight = links["weight"].to_numpy(np.float32)[rows]
    split = _codes(links["split"])[rows]
    return {
        "time": None if np.isnan(time).all() else time,
        "weight": None if (weight == 1.0).all() else weight,
        "split": None if (split < 0).all() else split,
    }


def _codes(split: "pd.Series[str]") -> "np.ndarray[tuple[int], np.dtype[np.int8]]":
    given = split.to_numpy(dtype=object)
    codes = pd.Index(list(SPLIT_CODES), dtype=object).get_indexer(pd.Index(given, dtype=object)).astype(np.int8)
    unknown = (codes < 0) & pd.notna(given)
    if unknown.any():
        raise GraphError("a split has another name", given=given[unknown][0], todo=f"use {', '.join(SPLIT_CODES)} or nothing")
    return codes


def _rows(located: Located, asked: Iterable[str], column: str) -> Ints:
    """Ids of any kind -> rows of the items."""
    index, names = pd.Index(located.ids, dtype=object), pd.Index(np.asarray(asked, dtype=object), dtype=object)
    rows = index.get_indexer(names).astype(np.int64)
    if (rows < 0).any():
        unknown = str(names[int((rows < 0).argmax())])
        near = difflib.get_close_matches(unknown, [str(name) for name in located.ids[:20_000]], n=3, cutoff=0.5)
        todo = f"near: {', '.join(near)}" if near else "add it to the items"
        raise GraphError(f"{column} names an item that is not there", given=unknown, todo=todo)
    return rows


def _fitting(features: Mapping[tuple[str, str], Features], ids: Mapping[str, Strings]) -> dict[tuple[str, str], Features]:
    for (kind, modality), one in features.items():
        if kind not in ids:
            raise GraphError(f"features of a kind without items: {kind}.{modality}", todo=f"kinds: {', '.join(ids)}")
        count = len(ids[kind])
        if one.vectors.ndim != 2 or one.vectors.shape[0] != count or one.present.shape != (count,):
            given = f"vectors {one.vectors.shape}, present {one.present.shape}"
            raise GraphError(f"features {kind}.{modality} do not fit {count} items", given=given, todo="give one row an item")
    return dict(features)


def _labels(catalogue: Catalogue, located: Located) -> dict[tuple[str, str], Labels]:
    table = catalogue.labels.drop_duplicates(["id", "field", "value"])
    rows = _rows(located, table["id"], "labels.id")
    fields, names = pd.factorize(table["field"].to_numpy(dtype=object))
    labels = {}
    for (kind, field), some in _groups(located.kind[rows], fields):
        one = _field(table.iloc[some], located, rows[some], str(names[field]))
        labels[located.kinds[kind], str(names[field])] = one
    return labels


def _field(table: pd.DataFrame, located: Located, rows: Ints, field: str) -> Labels:
    kind = located.kinds[located.kind[rows[0]]]
    codes, classes = pd.factorize(table["value"].to_numpy(dtype=object).astype(str), sort=True)
    count = int((located.kind == located.kind[rows[0]]).sum())
    order = np.argsort(-codes, kind="stable")  # of several values of an item the first class is written last
    values = np.full(count, -1, np.int64)
    values[located.position[rows[order]]] = codes[order]
    given = _codes(table["split"])
    split = np.full(count, -1, np.int8)
    split[located.position[rows]] = given
    named = tuple(map(str, classes)), values, None if (split < 0).all() else split
    if len(np.unique(rows)) == len(rows):
        return Labels(kind, field, *named)
    astray = split[located.position[rows]] != given
    if astray.any():
        wrong = f"the values of {field} of one item are in several splits"
        raise GraphError(wrong, given=located.ids[rows[int(astray.argmax())]], todo="give all values of an item one split")
    several = np.zeros((count, len(classes)), bool)
    several[located.position[rows], codes] = True
    return _said(Labels(kind, field, *named, several), located.ids[rows[int(pd.Index(rows).duplicated().argmax())]])


def _said(labels: Labels, example: str) -> Labels:
    """Where it is but a few items that have several values, it may be a mistake."""
    assert labels.several is not None
    many, labelled = int((labels.several.sum(1) > 1).sum()), int((labels.values >= 0).sum())
    level = logging.WARNING if many < _FEW * labelled else logging.INFO
    text = "%s: %d of %d items have several values, as %s, so it is asked which of all values an item has"
    _log.log(level, f"{text}; Categories(multi: false) refuses this", labels.target, many, labelled, example)
    return labels


def _parents(located: Located) -> dict[str, dict[str, Any]]:
    """Both ``parent`` and ``parent_kind``, of every kind that has any parent."""
    parent: dict[str, Ints] = {}
    parent_kind: dict[str, Strings] = {}
    kinds = np.array([*located.kinds, ""], dtype=object)
    for kind in located.kinds:
        above = located.parent[located.rows(kind)]
        if (above >= 0).any():
            parent[kind] = np.where(above >= 0, located.position[above], -1)
            parent_kind[kind] = kinds[np.where(above >= 0, located.kind[above], len(located.kinds))]
    return {"parent": parent, "parent_kind": parent_kind}


def _content(content: Mapping[str, str], located: Located, ids: Mapping[str, Strings]) -> dict[str, Strings]:
    """Hashes by kind, ``""`` where none; with the span, because two segments of one file are no duplicates."""
    if not content:
        return {}
    hashes = pd.Series(content, dtype=object).reindex(pd.Index(located.ids, dtype=object))
    found = hashes.where(hashes.notna(), "").to_numpy(dtype=object, copy=True)
    span = (~np.isnan(located.start_s)) & (found != "")
    starts, ends = located.start_s[span].astype(str).astype(object), located.end_s[span].astype(str).astype(object)
    found[span] = found[span] + "@" + starts + "-" + ends
    by_kind = {kind: found[located.rows(kind)] for kind in ids}
    return {kind: hashes for kind, hashes in by_kind.items() if (hashes != "").any()}
