"""What is known, what is asked: the outcome of splitting."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.types import Ints, Relation


@dataclass(frozen=True)
class LinkSplit:
    """All known ``edges`` of a target relation; ``train``, ``valid``, ``test`` int64 positions in them, disjoint, together all."""

    edges: Edges
    train: Ints
    valid: Ints
    test: Ints

    @property
    def relation(self) -> Relation:
        """The target relation."""
        return self.edges.relation


@dataclass(frozen=True)
class LabelSplit:
    """``train``, ``valid``, ``test``: int64 item positions, disjoint; labelled items may be in none (grouped with train).

    open: int64 positions of items of ``open_classes``, which ``labels`` do not have: nobody may know that there are such classes, and
    it is measured what is said of these items.
    """

    labels: Labels
    train: Ints
    valid: Ints
    test: Ints
    open: Ints = field(default_factory=lambda: np.zeros(0, np.int64), kw_only=True)
    open_classes: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Split:
    """links by target relation, labels by ``kind.field``; ``visible`` is the graph that any method may see: of the target relations
    only train edges, and no edge derived from a held-out one. Reverse relations are not in it: who needs them reverses.
    """

    links: Mapping[Relation, LinkSplit]
    labels: Mapping[str, LabelSplit]
    visible: Graph
    notes: tuple[str, ...] = field(default=())
