"""The one class in which external ids (str) and internal ones (positions within a kind) meet."""

import difflib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.types import Ints, Strings

_NEAR_AMONG = 20_000  # difflib reads every candidate: enough to help with a typing error, bounded in time


class IdMap:
    """kind -> ids, where an id's place in its array is the item's position.

    >>> ids = IdMap({"user": np.array(["ann", "bob"], dtype=object)})
    >>> ids.positions("user", ["bob", "ann", "bob"])
    array([1, 0, 1])
    >>> ids.ids("user", np.array([1])).tolist()
    ['bob']
    """

    def __init__(self, ids: Mapping[str, Strings]) -> None:
        self._ids = dict(ids)
        self._index = {kind: pd.Index(np.asarray(names, dtype=object), dtype=object) for kind, names in ids.items()}
        for kind, index in self._index.items():
            if not index.is_unique:
                twice = index[index.duplicated()][0]
                raise GraphError(f"two items of kind {kind} have one id", given=twice, todo="give each item an id of its own")

    @classmethod
    def of(cls, catalogue: Catalogue) -> "IdMap":
        """The ids of each kind in the catalogue's order; kinds in order of first appearance."""
        grouped = catalogue.items.groupby("kind", sort=False)["id"]
        return cls({str(kind): names.to_numpy(dtype=object) for kind, names in grouped})

    @property
    def arrays(self) -> dict[str, Strings]:
        """Kind -> ids, as ``Graph.ids`` wants them."""
        return dict(self._ids)

    def ids(self, kind: str, positions: Ints) -> Strings:
        """Positions -> ids; raises GraphError for an unknown kind or a position out of range."""
        names = self._ids[self._known(kind)]
        outside = (positions < 0) | (positions >= len(names))
        if outside.any():
            raise GraphError(f"no {kind} at this position", given=positions[outside][0], todo=f"there are {len(names)}")
        return names[positions]

    def positions(self, kind: str, ids: Iterable[str]) -> Ints:
        """Ids -> int64 positions; raises GraphError that names the first unknown id and the nearest known ones."""
        index, asked = self._index[self._known(kind)], pd.Index(list(ids), dtype=object)
        found = index.get_indexer(asked).astype(np.int64)
        if (found < 0).any():
            unknown = str(asked[int((found < 0).argmax())])
            raise GraphError(f"no {kind} has this id", given=unknown, todo=_did_you_mean(unknown, index[:_NEAR_AMONG]))
        return found

    def _known(self, kind: str) -> str:
        if kind not in self._ids:
            raise GraphError("no items of this kind", given=kind, todo=_did_you_mean(kind, self._ids))
        return kind


def _did_you_mean(unknown: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(unknown, names, n=3, cutoff=0.5) or names[:3]
    return f"near: {', '.join(near)}" if near else "there are none"
