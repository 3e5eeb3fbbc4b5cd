"""Every item of the catalogue with its place in the graph: what edge builders start from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.types import Bools, Ints, Strings, Times

_FOLDER = "folder"


@dataclass(frozen=True)
class Located:
    """Arrays over the rows of ``Catalogue.items``.

    kinds: names; kind: index into them; position: within the kind; parent: row of the parent, -1 without; start_s and end_s:
    seconds in the parent's time, NaN without.
    """

    ids: Strings
    kinds: tuple[str, ...]
    kind: Ints
    position: Ints
    parent: Ints
    start_s: Times
    end_s: Times

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Located":
        """Raises GraphError where two items have one id, or a parent is no item."""
        items = catalogue.items
        if items["id"].duplicated().any():
            twice = items.loc[items["id"].duplicated(), "id"].iloc[0]
            raise GraphError("two items have one id", given=twice, todo="give each item an id of its own")
        codes, kinds = pd.factorize(items["kind"].to_numpy(dtype=object))
        ids = items["id"].to_numpy(dtype=object)
        return cls(
            ids=ids,
            kinds=tuple(str(kind) for kind in kinds),
            kind=codes.astype(np.int64),
            position=items.groupby("kind", sort=False).cumcount().to_numpy().astype(np.int64),
            parent=_rows_of_parents(ids, items["parent"]),
            start_s=items["start_s"].to_numpy(np.float64),
            end_s=items["end_s"].to_numpy(np.float64),
        )

    @property
    def in_folder(self) -> Bools:
        """Which rows have a parent of kind ``folder``."""
        if _FOLDER not in self.kinds:
            return np.zeros(len(self.ids), bool)
        return (self.parent >= 0) & (self.kind[self.parent] == self.kinds.index(_FOLDER))

    def rows(self, kind: str) -> Ints:
        """The rows of one kind, in order of position; empty for an unknown kind."""
        if kind not in self.kinds:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.kind == self.kinds.index(kind)).astype(np.int64)

    def children(self, chosen: Bools) -> Iterator[tuple[str, Ints, str, Ints]]:
        """(kind, positions, kind of the parents, their positions) of the chosen rows that have a parent, by pair of kinds."""
        rows = np.flatnonzero(chosen & (self.parent >= 0))
        pairs = self.kind[rows] * len(self.kinds) + self.kind[self.parent[rows]]
        for pair in np.unique(pairs):
            some = rows[pairs == pair]
            kind, parent_kind = divmod(int(pair), len(self.kinds))
            yield self.kinds[kind], self.position[some], self.kinds[parent_kind], self.position[self.parent[some]]


def _rows_of_parents(ids: Strings, parents: "pd.Series[str]") -> Ints:
    has = parents.notna().to_numpy(bool)
    rows = np.full(len(ids), -1, np.int64)
    named = parents.to_numpy(dtype=object)[has]
    rows[has] = pd.Index(ids, dtype=object).get_indexer(pd.Index(named, dtype=object))
    lost = has & (rows < 0)
    if lost.any():
        first = int(lost.argmax())
        raise GraphError(f"the parent of {ids[first]} is no item", given=parents.iloc[first], todo="add it, or leave it empty")
    return rows
