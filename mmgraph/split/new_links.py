"""Links that a finished run is given: which items and edges they add, and what is known or held out already."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmgraph.catalogue.contract import Repeated
from mmgraph.catalogue.new_links import LINK
from mmgraph.catalogue.tables import Table
from mmgraph.errors import CatalogueError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.graph.merge import among, newest, once, pair_keys
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.split.make import held_out
from mmgraph.types import Bools, Ints, Relation, Strings


@dataclass(frozen=True)
class Linked:
    """more: kind -> ids of items that were in no table; edges: what is new, by relation; rows: the rows of the table that say it, columns
    LINK; at: int64 [rows], where in the table they stand. known: links that were known, which stay as they are; aside: links that the run
    holds out, which stay held out.
    """

    more: Mapping[str, tuple[str, ...]]
    edges: tuple[Edges, ...]
    rows: pd.DataFrame
    at: Ints
    known: int
    aside: int

    @property
    def relations(self) -> tuple[str, ...]:
        """Those with new links."""
        return tuple(str(one.relation) for one in self.edges)


def linked(graph: Graph, split: Split | None, table: Table, repeated: Repeated = "add") -> Linked:
    """Read new links against what is known. ``split``: whose held-out links are left out; None where it is to be made anew. repeated: how
    rows of one link are merged.

    An id that no item has is that of a new one, of the kind that the relation says. Raises CatalogueError, with the row, for a relation
    that the tables have not stated, an item of another kind, and a time or weight that is no number.
    """
    meant = _relations(graph, table)
    whole = table.frame["relation"].map({name: str(relation) for name, relation in meant.items()})  # one may have two names
    code, names = pd.factorize(whole.to_numpy(dtype=object))
    relations = [Relation.parse(str(name)) for name in names]
    places, more = _placed(graph, table, relations, code)
    numbers = {name: _numbers(table, name) for name in ("time", "weight")}
    kept, edges, known, aside = np.zeros(len(code), bool), list[Edges](), 0, 0
    for number, relation in enumerate(relations):
        rows = np.flatnonzero(code == number)
        new, told, held = _new(graph, split, relation, places[:, rows])
        known, aside = known + int(told.sum()), aside + int(held.sum())
        rows = rows[new]
        kept[rows] = True
        if len(rows):
            found = _edges(graph, relation, places[:, rows], {name: one[rows] for name, one in numbers.items()})
            edges.append(once(found) if repeated == "add" else newest(found))
    frame = table.frame.assign(relation=whole)[kept].reset_index(drop=True)
    named = set(frame["source"]) | set(frame["target"])
    fresh = {kind: tuple(one for one in ids if one in named) for kind, ids in more.items()}
    assert all(len(fresh[kind]) == len(ids) for kind, ids in more.items()), "a link with a new item is new"
    more = {kind: ids for kind, ids in fresh.items() if ids}
    return Linked(more, tuple(edges), frame[list(LINK)], np.flatnonzero(kept), known, aside)


def _relations(graph: Graph, table: Table) -> dict[str, Relation]:
    """Every name in the table, whole or the middle part alone, and what it means."""
    stated = [relation for relation, edges in graph.edges.items() if "tables" in edges.built_by.split(", ")]
    found = {}
    for name in pd.unique(table.frame["relation"].to_numpy(dtype=object)):
        meant = [one for one in stated if name in (str(one), one.name)]
        if len(meant) != 1:
            place = table.place(int((table.frame["relation"] == name).to_numpy().argmax()))
            wrong = "several relations have this name" if meant else "the tables of the run state no such relation"
            todo = f"write one of: {', '.join(map(str, meant or stated)) or 'none'}"
            raise CatalogueError(f"{place}: {wrong}", given=name, todo=todo)
        found[str(name)] = meant[0]
    return found


def _placed(graph: Graph, table: Table, relations: list[Relation], code: Ints) -> tuple[Ints, dict[str, tuple[str, ...]]]:
    """Positions of the sources and targets, int64 [2, rows], and the ids of new items by kind, in order of appearance."""
    ends = np.stack([table.frame[name].to_numpy(dtype=object) for name in ("source", "target")], 1)
    of_relation = np.array([(one.source, one.target) for one in relations], dtype=object).reshape(-1, 2)
    kinds = of_relation[code]
    places, more = np.full(ends.shape, -1, np.int64), dict[str, tuple[str, ...]]()
    for kind in dict.fromkeys(kinds.ravel()):
        mine = kinds == kind
        ids, known = ends[mine], pd.Index(graph.ids[kind], dtype=object)
        new = pd.unique(ids[known.get_indexer(pd.Index(ids, dtype=object)) < 0])
        _not_of_others(graph, table, kind, new, ends)
        places[mine] = known.append(pd.Index(new, dtype=object)).get_indexer(pd.Index(ids, dtype=object))
        more |= {str(kind): tuple(map(str, new))} if len(new) else {}
    return places.T, more


def _not_of_others(graph: Graph, table: Table, kind: str, new: Strings, ends: Strings) -> None:
    for other, ids in graph.ids.items():
        taken = np.asarray(pd.Index(new, dtype=object).isin(pd.Index(ids, dtype=object)))
        if other != kind and taken.any():
            name = new[int(taken.argmax())]
            place = table.place(int((ends == name).any(1).argmax()))
            raise CatalogueError(
                f"{place}: the relation links a {kind} here, and the item is a {other}", given=name, todo="correct it"
            )


def _numbers(table: Table, name: str) -> npt.NDArray[np.float64]:
    given = table.frame[name]
    values = pd.to_numeric(given, errors="coerce")
    wrong = given.notna().to_numpy() & ~np.isfinite(values.to_numpy(np.float64))
    if wrong.any():
        row = int(wrong.argmax())
        raise CatalogueError(f"{table.place(row)}, column {name!r}: no number", given=given.iloc[row], todo="write a number")
    return values.to_numpy(np.float64)


def _new(graph: Graph, split: Split | None, relation: Relation, ends: Ints) -> tuple[Bools, Bools, Bools]:
    """Which links are new, which are known, and which of these are held out, in this direction or, within one kind, in the other."""
    edges = graph.edges[relation]
    count = 1 + max(int(one.max(initial=0)) for one in (ends, edges.source, edges.target))
    keys = pair_keys(ends[0], ends[1], count)
    known = among(keys, pair_keys(edges.source, edges.target, count))
    held = np.zeros(len(keys), bool)
    target: LinkSplit | None = None if split is None else split.links.get(relation)
    if target is not None:
        hidden = target.edges.take(held_out(target))
        held = among(keys, pair_keys(hidden.source, hidden.target, count))
        if relation.source == relation.target:
            held = held | among(keys, pair_keys(hidden.target, hidden.source, count))
    return ~known & ~held, known & ~held, held


def _edges(graph: Graph, relation: Relation, ends: Ints, data: Mapping[str, Any]) -> Edges:
    time, weight = data["time"], np.nan_to_num(data["weight"], nan=1.0).astype(np.float32)
    return Edges(
        relation,
        np.ascontiguousarray(ends[0]),
        np.ascontiguousarray(ends[1]),
        time=None if np.isnan(time).all() else time,
        weight=None if (weight == 1.0).all() else weight,
        temporal=graph.edges[relation].temporal,
    )
