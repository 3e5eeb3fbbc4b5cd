"""The nearest by several modalities at once, as one weighted graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.graph.contract import EdgeBuilder, Edges, Features, Graph
from mmgraph.graph.edges.similar import directions, nearest
from mmgraph.types import Floats, Ints, Relation


@dataclass(frozen=True, kw_only=True)
class ItemGraph(EdgeBuilder):
    """Sum over modalities of ``weights[modality]`` D^-1/2 S D^-1/2, S the k nearest by cosine; relation ``kind/alike/kind``.

    FREEDOM (Zhou and Shen 2023, arXiv 2211.06924), whose S is 1 for each neighbour (``entries: ones``), or LATTICE
    (Zhang et al. 2021, arXiv 2104.09036), where it is the ``cosine``; frozen in both ways. D: sums of the rows of S. An
    edge leads from a neighbour to the item that has it among its nearest, so that messages along it are the product with the matrix; an
    item is no neighbour of its own. weights: of the modalities, divided by their sum; as much for each when not given. See ``model.apart``.
    """

    kind: str
    k: int = 10
    weights: Mapping[str, float] = field(default_factory=dict)
    entries: Literal["ones", "cosine"] = "ones"

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation; raises GraphError for a modality that the kind has not, weights that are none, and k below 1."""
        del catalogue
        if self.k < 1:
            raise GraphError("ItemGraph.k counts neighbours", given=self.k, todo="give at least 1")
        there = graph.features_of(self.kind)
        weights = dict(self.weights) or dict.fromkeys(there, 1.0)
        if not weights or not set(weights) <= set(there):
            given = ", ".join(f"{self.kind}.{modality}" for modality in weights if modality not in there) or self.kind
            known = ", ".join(f"{kind}.{modality}" for kind, modality in graph.features) or "none"
            raise GraphError("ItemGraph finds no such features", given=given, todo=f"there are: {known}")
        if min(weights.values()) < 0 or not sum(weights.values()):
            given = ", ".join(f"{name}: {value}" for name, value in weights.items())
            raise GraphError("ItemGraph.weights are shares", given=given, todo="give numbers of 0 and more, not all 0")
        parts = [self._part(there[name], value / sum(weights.values())) for name, value in weights.items() if value]
        return [self._fused(graph.count(self.kind), *(np.concatenate(column) for column in zip(*parts, strict=True)))]

    def _part(self, features: Features, share: float) -> tuple[Ints, Ints, Floats]:
        """Items, their neighbours, and the entries of the normalised matrix."""
        items, unit = directions(features)
        row, near, cosine = nearest(unit, min(self.k, max(len(items) - 1, 0)))
        keep = cosine > 0
        row, near = row[keep], near[keep]
        entry = np.ones(len(row)) if self.entries == "ones" else cosine[keep].astype(np.float64)
        total = np.bincount(row, entry, len(items))
        ends = total[row] * total[near]  # whoever is near to somebody, but has nobody near, has no row and so no sum
        normal = np.divide(entry, np.sqrt(ends), out=np.zeros_like(entry), where=ends > 0)
        return items[row], items[near], share * normal

    def _fused(self, count: int, item: Ints, near: Ints, entry: Floats) -> Edges:
        pairs, place = np.unique(item * count + near, return_inverse=True)
        weight = np.bincount(place, entry, len(pairs)).astype(np.float32)
        row, column = np.divmod(pairs, max(count, 1))
        return Edges(Relation(self.kind, "alike", self.kind), column, row, weight=weight, built_by="item_graph")
