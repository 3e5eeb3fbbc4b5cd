"""The nearest by a modality."""

from dataclasses import dataclass

import faiss
import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import GraphError
from mmgraph.graph.contract import EdgeBuilder, Edges, Features, Graph
from mmgraph.types import Bools, Floats, Ints, Modality, Relation

_BLOCK = 4096  # queries at once: what faiss holds besides the vectors is bounded


@dataclass(frozen=True, kw_only=True)
class Similar(EdgeBuilder):
    """Every item to its k nearest of the same kind by cosine similarity; relation ``kind/similar_<modality>/kind``.

    kind, modality: only these (all that have features when not given). min_similarity: pairs below it are left out, and so are
    pairs without any similarity unless it is negative. The similarity is the weight. Items without the modality, or with a
    vector of zeros, are in no pair. The search is exact (faiss IndexFlatIP on L2-normalised vectors).
    """

    kind: str | None = None
    modality: Modality | None = None
    k: int = 10
    min_similarity: float = 0.0

    def build(self, catalogue: Catalogue, graph: Graph) -> list[Edges]:
        """One relation for each kind and modality; raises GraphError where a named one has no features, or k is below 1."""
        del catalogue
        if self.k < 1:
            raise GraphError("Similar.k counts neighbours", given=self.k, todo="give at least 1")
        chosen = {
            key: one for key, one in graph.features.items() if self.kind in (None, key[0]) and self.modality in (None, key[1])
        }
        if not chosen and not (self.kind is None and self.modality is None):
            known = ", ".join(f"{kind}.{modality}" for kind, modality in graph.features) or "none"
            raise GraphError(
                "Similar finds no such features", given=f"{self.kind}.{self.modality}", todo=f"there are: {known}"
            )
        return [self._edges(kind, modality, one) for (kind, modality), one in chosen.items()]

    def _edges(self, kind: str, modality: str, features: Features) -> Edges:
        items, unit = directions(features)
        source, target, similarity = nearest(unit, min(self.k, max(len(items) - 1, 0)))
        keep: Bools = (similarity >= self.min_similarity) & ((similarity > 0) | (self.min_similarity < 0))
        return Edges(
            Relation(kind, f"similar_{modality}", kind),
            items[source[keep]],
            items[target[keep]],
            weight=similarity[keep],
            built_by="similar",
        )


def directions(features: Features) -> tuple[Ints, Floats]:
    """Positions of the items that have a direction, and their vectors of length 1."""
    items = np.flatnonzero(features.present).astype(np.int64)
    vectors = np.ascontiguousarray(features.vectors[items], dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1)
    items, vectors, norms = items[norms > 0], vectors[norms > 0], norms[norms > 0]
    return items, vectors / norms[:, None]


def nearest(unit: Floats, k: int) -> tuple[Ints, Ints, Floats]:
    """Rows, their k nearest other rows, and the inner products, grouped by row; exact (faiss)."""
    if k == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    found = []
    for start in range(0, len(unit), _BLOCK):
        similarity, near = index.search(unit[start : start + _BLOCK], k + 1)
        rows = np.broadcast_to(np.arange(start, start + len(near))[:, None], near.shape)
        other = near != rows  # a row is not always its own first: duplicates tie with it
        other &= np.cumsum(other, axis=1) <= k
        found.append((rows[other], near[other], similarity[other]))
    source, target, similarity = (np.concatenate(part) for part in zip(*found, strict=True))
    return source, target, np.clip(similarity, -1.0, 1.0)
