"""FastRP embeddings and their nearest neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.union import Union
from mmgraph.evaluate.baselines.vectors import CosineLinks, unit_rows
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Features
from mmgraph.types import Floats


@dataclass(frozen=True, kw_only=True)
class FastRP(LinkBaseline):
    """Score = cosine of FastRP vectors (Chen et al. 2019, arXiv 1908.11512) on the union of all visible relations: ``fastrp+knn``.

    width: of the vectors; weights: of the powers of the random walk matrix from the first on, each normalised by row;
    power: of the degree in the random vectors. The defaults are Neo4j GDS's (iterationWeights, normalizationStrength).
    """

    width: int = 256
    weights: Sequence[float] = (0.0, 1.0, 1.0)
    power: float = 0.0

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Project and walk; left out, with a word in the log, where that needs more than 4 GiB."""
        nodes = sum(question.graph.count(kind) for kind in question.graph.ids)
        if not fits_in_memory("fastrp+knn", Union.bytes_of(question.graph) + 4 * 4 * nodes * self.width):
            return []
        union = Union.of(question.graph)
        vectors = fast_rp_vectors(union.adjacency, self.width, self.weights, self.power, question.seed)
        source, target = (vectors[union.nodes(kind)] for kind in (question.relation.source, question.relation.target))
        return [CosineLinks("fastrp+knn", _features(source), _features(target))]


def fast_rp_vectors(adjacency: Any, width: int, weights: Sequence[float], power: float, seed: int) -> Floats:
    """float32 [nodes, width]: weighted sum of A^k R, A the random walk matrix of ``adjacency`` (CSR, symmetric, its entries the weights of
    the links), R very sparse random (s = 3).
    """
    degrees = np.asarray(adjacency.sum(axis=1), np.float64).ravel()
    thirds = np.random.default_rng([seed, 0xFA57]).integers(6, size=(len(degrees), width), dtype=np.int8)
    random = np.sqrt(np.float32(3.0)) * ((thirds == 0).astype(np.float32) - (thirds == 1))
    scale = np.where(degrees > 0, degrees, 1.0) / max(degrees.sum(), 1.0)
    current = random * (scale**power).astype(np.float32)[:, None]
    walk = adjacency.multiply((1.0 / np.where(degrees > 0, degrees, 1.0)).astype(np.float32)[:, None]).tocsr()
    total = np.zeros_like(current)
    for weight in weights:
        current = walk @ current
        if weight:
            total += np.float32(weight) * unit_rows(current)
    return total


def _features(vectors: Floats) -> Features:
    return Features(vectors, np.asarray(vectors.any(axis=1)), "fastrp")
