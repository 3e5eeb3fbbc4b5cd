"""Which items belong together, asked without labels, and the contract of what answers."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mmgraph.errors import SettingsError
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.graph.contract import Graph
from mmgraph.types import Floats, Ints

NONE = -1  # the cluster of an item that is in none


@dataclass(frozen=True)
class ClusterQuestion:
    """Which of the ``items`` (int64 [n], positions of a kind) belong together.

    vectors: float32 [n, width], centred and of length 1, so that distances between them order as cosines do; graph: what may be seen.
    """

    graph: Graph
    kind: str
    vectors: Floats
    items: Ints

    @classmethod
    def of(cls, graph: Graph, kind: str, vectors: Floats) -> "ClusterQuestion":
        """All items of a kind; ``vectors`` float32 [items, width] as a model gives them."""
        centred = np.asarray(vectors, np.float32) - np.asarray(vectors, np.float64).mean(axis=0).astype(np.float32)
        return cls(graph, kind, unit_rows(centred), np.arange(len(vectors)))

    def take(self, rows: Ints) -> "ClusterQuestion":
        """Only these rows."""
        return replace(self, vectors=self.vectors[rows], items=self.items[rows])

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Clusters:
    """``of``: int64 [n], the cluster of each item by size from 0 on, NONE in none.

    tried: (what was tried, what the criterion gave it), in the order tried; a higher number is better.
    """

    of: Ints
    tried: tuple[tuple[str, float], ...] = ()

    @property
    def count(self) -> int:
        """How many clusters."""
        return int(self.of.max(initial=NONE)) + 1


class Clustering(abc.ABC):
    """One file in ``clusterings/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` with defaults for all.

    criterion: what chooses the number of clusters, in words; random: whether a seed changes what is found.
    """

    criterion: ClassVar[str]
    random: ClassVar[bool] = True

    def find(self, question: ClusterQuestion, clusters: int | None, seed: int) -> Clusters:
        """clusters: how many, by the criterion when None. Raises SettingsError where there cannot be so many."""
        if clusters is not None and not 1 <= clusters <= len(question):
            raise SettingsError("there cannot be so many clusters", given=clusters, todo=f"give 1 to {len(question)}")
        found = self._find(question, clusters, seed)
        return replace(found, of=by_size(found.of))

    @abc.abstractmethod
    def _find(self, question: ClusterQuestion, clusters: int | None, seed: int) -> Clusters:
        """Any numbers from 0 on will do, NONE for an item in no cluster."""


def finds_number(name: str, clusters: int | None) -> None:
    """Raise SettingsError where a method that finds the number itself is told one."""
    if clusters is not None:
        raise SettingsError(
            f"{name} finds the number of clusters itself", given=clusters, todo="leave out --clusters, or take kmeans"
        )


def by_size(of: Sequence[int] | Ints) -> Ints:
    """Number clusters by size, the largest first, of equal ones that of the first item.

    >>> by_size([7, 3, 3, -1, 5, 5]).tolist()
    [2, 0, 0, -1, 1, 1]
    """
    of = np.asarray(of, np.int64)
    names, first, counts = np.unique(of[of >= 0], return_index=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(names))
    out = np.full(len(of), NONE, np.int64)
    out[of >= 0] = rank[np.searchsorted(names, of[of >= 0])]
    return out
