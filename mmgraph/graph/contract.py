"""The graph as every later stage sees it, and the contract of edge builders."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.types import Bools, Floats, Ints, Relation, Times


@dataclass(frozen=True)
class Features:
    """One modality of one kind: ``vectors`` float32 [items, width] (may be memory-mapped; rows without are zero and masked),
    ``present`` bool [items]. activations: float32 [items, stored], what enters the encoder's last blocks where these are
    trained; only the network reads them, all others the vectors.
    """

    vectors: Floats
    present: Bools
    encoder: str = "given"
    activations: Floats | None = None


@dataclass(frozen=True)
class Edges:
    """The edges of one relation, each pair once: ``source`` and ``target`` int64 [n] are positions within their kinds.

    time: float64 [n] seconds, NaN unknown, or None; weight: float32 [n] or None; gap_s: float32 [n] seconds between the end of the
    source and the start of the target, or None; split: int8 [n] with -1 free, 0 train, 1 valid, 2 test as the table gave it,
    or None. built_by: short name of the edge builder, or ``tables``. temporal: the relation says what comes next.
    derived_from: the relations whose held-out edges take this relation's edges between the same items with them. again: makes all edges
    of the relation anew from what a graph shows; they are then made of what is visible, and none has to leave.
    """

    relation: Relation
    source: Ints
    target: Ints
    time: Times | None = None
    weight: Floats | None = None
    gap_s: Floats | None = None
    split: "np.ndarray[tuple[int], np.dtype[np.int8]] | None" = None
    built_by: str = "tables"
    temporal: bool = False
    derived_from: tuple[Relation, ...] = ()
    again: "Callable[[Graph], Edges] | None" = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, chosen: Ints | Bools) -> "Edges":
        """Only the chosen edges (positions or mask), with their data."""

        def pick(data: Any) -> Any:
            return None if data is None else data[chosen]

        return replace(
            self,
            source=self.source[chosen],
            target=self.target[chosen],
            time=pick(self.time),
            weight=pick(self.weight),
            gap_s=pick(self.gap_s),
            split=pick(self.split),
        )


@dataclass(frozen=True)
class Labels:
    """One field of one kind: ``values`` int64 [items] index into ``classes``, -1 unlabelled; split as in Edges, per item.

    several: bool [items, classes], of a field whose items may have several values; ``values`` is then the first of each item's.
    """

    kind: str
    field: str
    classes: tuple[str, ...]
    values: Ints
    split: "np.ndarray[tuple[int], np.dtype[np.int8]] | None" = None
    several: Bools | None = None

    @property
    def target(self) -> str:
        """How metrics name it: ``segment.category``."""
        return f"{self.kind}.{self.field}"

    def has(self, items: Ints) -> Bools:
        """Which classes each of the items has: bool [len(items), classes]."""
        return self.values[items][:, None] == np.arange(len(self.classes)) if self.several is None else self.several[items]

    def truth(self, items: Ints) -> Ints | Bools:
        """What is true of the items: their class, int64, or of a field of several values which classes, bool [len(items), classes]."""
        return self.values[items] if self.several is None else self.several[items]

    def shown(self, items: Ints) -> "Labels":
        """The same field, whose other items are unlabelled."""
        seen = np.zeros(len(self.values), bool)
        seen[items] = True
        several = None if self.several is None else self.several & seen[:, None]
        return replace(self, values=np.where(seen, self.values, -1), several=several)

    def as_several(self) -> "Labels":
        """The same labels as those of a field whose items may have several values."""
        return replace(self, several=self.has(np.arange(len(self.values))))


@dataclass(frozen=True)
class Copies:
    """The copies among the items of one kind, the same bytes or nearly the same picture or sound.

    first: int64 [items], the position of the first of each one's group, its own where it has no copy. distance float32 [items]: how
    different it is from that first (0 the same bytes); cosine float32 [items]: of their vectors, NaN where not compared.
    """

    first: Ints
    distance: Floats
    cosine: Floats


@dataclass(frozen=True)
class Graph:
    """ids: kind -> str array of ids (position = node); edges; features by (kind, modality); labels by (kind, field).
    parent: kind -> int64 [items], position of the parent within its kind, -1 without; parent_kind: kind -> str array [items], the
    kind of that parent, ``""`` without. content: kind -> str array, hash of what the item was decoded from, ``""`` unknown.
    duplicates: kind -> near-copies, of kinds that were looked at.
    """

    ids: Mapping[str, np.ndarray]
    edges: Mapping[Relation, Edges]
    features: Mapping[tuple[str, str], Features] = field(default_factory=dict)
    labels: Mapping[tuple[str, str], Labels] = field(default_factory=dict)
    parent: Mapping[str, Ints] = field(default_factory=dict)
    content: Mapping[str, np.ndarray] = field(default_factory=dict)
    parent_kind: Mapping[str, np.ndarray] = field(default_factory=dict)
    duplicates: Mapping[str, Copies] = field(default_factory=dict)

    def count(self, kind: str) -> int:
        """How many items of this kind."""
        return len(self.ids[kind])

    def features_of(self, kind: str) -> dict[str, Features]:
        """Modality -> features of one kind."""
        return {modality: f for (k, modality), f in self.features.items() if k == kind}

    def with_edges(self, edges: Mapping[Relation, Edges]) -> "Graph":
        """The same items, other edges."""
        return replace(self, edges=dict(edges))


class EdgeBuilder(abc.ABC):
    """Catalogue and features -> edges. One file in ``edges/`` with one class, a ``dataclass(frozen=True, kw_only=True)``."""

    @abc.abstractmethod
    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """Edges to add. ``graph`` has ids, features, labels and the edges so far. Raises GraphError."""
