"""What a user will rate: the weights of held-out links, as a question with a scale."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from mmgraph.graph.contract import Edges, Graph
from mmgraph.split.contract import LinkSplit
from mmgraph.types import Floats, Ints

Reals = npt.NDArray[np.float64]
Scale = tuple[float, float]
MOST_LEVELS = 20  # different ratings up to which they are read as classes


@dataclass(frozen=True)
class Ratings:
    """Known ratings: of ``source`` for ``target``, int64 positions, float64 ``value``; shape: how many items there are of both kinds."""

    source: Ints
    target: Ints
    value: Reals
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.value)

    @cached_property
    def mean(self) -> float:
        """Of all values."""
        return float(self.value.mean())

    def matrix(self, values: Reals) -> Any:
        """CSR float32 [sources, targets] with a value for each rating."""
        made = (values.astype(np.float32), (self.source, self.target))
        return scipy.sparse.csr_matrix(made, shape=self.shape)


@dataclass(frozen=True)
class RatingQuestion:
    """Weights of the links of ``split.relation``, on a ``scale`` from its lowest to its highest; ``graph`` holds only what may be seen."""

    graph: Graph
    split: LinkSplit
    scale: Scale
    seed: int = 7

    @property
    def name(self) -> str:
        """What its rows are called: the same relation may be asked for its links as well."""
        return f"{self.split.relation}.rating"

    @property
    def figure(self) -> str:
        """The metric that chooses between methods on validation: higher is better, unlike the errors."""
        return "r2"

    def ratings(self, edges: Ints) -> Ratings:
        """Those of the edges at these positions."""
        relation = self.split.relation
        shape = self.graph.count(relation.source), self.graph.count(relation.target)
        one = self.split.edges.take(edges)
        return Ratings(one.source, one.target, values_of(one), shape)

    @cached_property
    def train(self) -> Ratings:
        """What may be learnt from."""
        return self.ratings(self.split.train)

    @cached_property
    def valid(self) -> Ratings:
        """What may choose."""
        return self.ratings(self.split.valid)

    @cached_property
    def levels(self) -> Reals:
        """The different ratings of train, in order, where they are few: a rating is then one of so many classes; else none."""
        found = np.unique(self.train.value)
        return found if 2 <= len(found) <= MOST_LEVELS else np.zeros(0)

    def clipped(self, values: Floats) -> Reals:
        """Within the scale."""
        return np.clip(values.astype(np.float64), *self.scale)


def values_of(edges: Edges) -> Reals:
    """The rating of every edge, 1 where the table gave no weights."""
    return np.ones(len(edges)) if edges.weight is None else edges.weight.astype(np.float64)


def r2(predicted: Reals, true: Reals, mean: float) -> float:
    """1 - squared error / squared distance from ``mean``, the mean of what was learnt from; 0 where all are that mean.

    >>> r2(np.array([1.0, 3.0]), np.array([1.0, 5.0]), 3.0)
    0.5
    """
    apart = float(((true - mean) ** 2).sum())
    return 1.0 - float(((predicted - true) ** 2).sum()) / apart if apart else 0.0
