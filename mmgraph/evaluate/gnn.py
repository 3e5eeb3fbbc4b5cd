"""What a trained network knows, as link methods: by vectors, or by any function that scores."""

from collections.abc import Callable

import numpy as np

from mmgraph.errors import MMGraphError
from mmgraph.evaluate.contract import Direction, LinkMethod, Newcomer, Part
from mmgraph.graph.contract import Edges
from mmgraph.types import Floats, Ints

GNN = "gnn"


class EmbeddingLinks(LinkMethod):
    """Score = dot product of ``source`` float32 [sources, width] and ``target`` float32 [targets, width], for one relation.

    Raises MMGraphError where the two widths differ.
    """

    def __init__(self, name: str, source: Floats, target: Floats) -> None:
        if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
            raise MMGraphError(f"vectors of {name} do not fit together", given=(source.shape, target.shape), todo="one width")
        self.name = name
        self._source, self._target = source, target

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        asked, answers = (self._source, self._target) if direction == "target" else (self._target, self._source)
        return np.asarray(asked[queries] @ answers.T, dtype=np.float32)


class Named(LinkMethod):
    """Another method under another name; its pieces keep theirs."""

    def __init__(self, name: str, method: LinkMethod) -> None:
        self.name = name
        self._method = method

    @property
    def pieces(self) -> tuple[str, ...]:
        """See LinkMethod."""
        return self._method.pieces

    def parts(self, queries: Ints, direction: Direction) -> list[Part]:
        """See LinkMethod."""
        return self._method.parts(queries, direction)

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        return self._method.scores(queries, direction)

    def knowing(self, newer: Edges) -> LinkMethod:
        """See LinkMethod."""
        return Named(self.name, self._method.knowing(newer))

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod."""
        return self._method.of_newcomer(newcomer)

    def parts_of_newcomer(self, newcomer: Newcomer) -> list[Part]:
        """See LinkMethod."""
        return self._method.parts_of_newcomer(newcomer)


class ScorerLinks(LinkMethod):
    """Score = whatever ``score(queries, direction)`` gives: float32 [len(queries), candidates]."""

    def __init__(self, name: str, score: Callable[[Ints, Direction], Floats]) -> None:
        self.name = name
        self._score = score

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        return self._score(queries, direction)

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: the network has been asked already."""
        return newcomer.network if self.name == GNN else None
