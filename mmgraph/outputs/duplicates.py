"""duplicates.csv: which items are copies of each other; and which of these the report shows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.graph.contract import Graph
from mmgraph.graph.duplicates import exact_copies
from mmgraph.outputs.examples import evenly
from mmgraph.runs import RunFolder, write_csv

COLUMNS = ("group", "id", "kind", "path", "what", "distance", "cosine")
GROUPS, MEMBERS = 8, 4  # that the report shows, of all and of each


def record_duplicates(run: RunFolder, graph: Graph, catalogue: Catalogue) -> None:
    """Every group of copies, its first before the others; the file is there also when there are none."""
    paths = dict(zip(catalogue.items["id"].tolist(), catalogue.items["path"].tolist(), strict=True))
    write_csv(run.duplicates, COLUMNS, _rows(graph, paths))


def _rows(graph: Graph, paths: Mapping[str, str | None]) -> Iterator[tuple[object, ...]]:
    number = 0
    for kind, ids in graph.ids.items():
        exact = exact_copies(graph, kind)
        copies = graph.duplicates.get(kind)
        first = exact if copies is None else copies.first
        for members in _groups(first):
            for member in members:
                name, leader = str(ids[member]), first[member]
                what = "first" if member == leader else "exact" if exact[member] == exact[leader] else "near"
                distance = f"{copies.distance[member]:.4f}" if copies is not None and what == "near" else "0"
                cosine = "" if copies is None or what != "near" else _short(float(copies.cosine[member]))
                yield number, name, kind, paths.get(name) or "", what, distance, cosine
            number += 1


def _groups(first: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Iterator[list[int]]:
    """Positions of each group of two and more: its first, then the others in their order."""
    members = np.flatnonzero(np.bincount(first, minlength=len(first))[first] > 1)
    members = members[np.lexsort((members, members != first[members], first[members]))]
    starts = np.flatnonzero(np.diff(first[members], prepend=-1))
    for some in np.split(members, starts[1:]) if len(members) else ():
        yield some.tolist()


def _short(cosine: float) -> str:
    return "" if math.isnan(cosine) else f"{cosine:.4f}"


@dataclass(frozen=True)
class CopyGroup:
    """What the report shows of one group: its first and the others, of ``size`` in all; ``what`` says how alike each is."""

    number: int
    kind: str
    size: int
    ids: tuple[str, ...]
    what: tuple[str, ...]


def shown_groups(rows: Sequence[Mapping[str, str]]) -> list[CopyGroup]:
    """At most GROUPS groups of duplicates.csv, near ones before exact ones, evenly chosen, MEMBERS items of each."""
    groups: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    near = [some for some in groups.values() if any(one["what"] == "near" for one in some)]
    exact = [some for some in groups.values() if all(one["what"] != "near" for one in some)]
    chosen = evenly(near, GROUPS)
    return [_shown(some) for some in (*chosen, *evenly(exact, GROUPS - len(chosen)))]


def _shown(rows: Sequence[Mapping[str, str]]) -> CopyGroup:
    some = rows[:MEMBERS]
    what = tuple(_said(one) for one in some)
    return CopyGroup(int(rows[0]["group"]), rows[0]["kind"], len(rows), tuple(one["id"] for one in some), what)


def _said(row: Mapping[str, str]) -> str:
    if row["what"] == "near":
        return f"near, distance {float(row['distance']):.2f}"
    return "the same bytes" if row["what"] == "exact" else "first of the group"
