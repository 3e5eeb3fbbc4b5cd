"""FastRP embeddings and their nearest neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.union import Union
from mmgraph.evaluate.baselines.vectors import CosineLinks, unit_rows
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion, Newcomer
from mmgraph.graph.contract import Features
from mmgraph.types import Floats, Ints


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
        return [_FastRP(self, question.relation.target, union, question.seed, (_features(source), _features(target)))]


class _FastRP(CosineLinks):
    def __init__(self, made: FastRP, kind: str, union: Union, seed: int, ends: tuple[Features, Features]) -> None:
        super().__init__("fastrp+knn", *ends)
        self._made, self._union, self._kind, self._seed = made, union, kind, seed

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: walks once more, and keeps what the new node would hear."""
        linked = newcomer.liked + self._union.start[self._kind]
        own = (self._made.width, self._made.weights, self._made.power, self._seed)
        return self.of_vector(fast_rp_newcomer(self._union.adjacency, *own, linked))


def fast_rp_vectors(adjacency: Any, width: int, weights: Sequence[float], power: float, seed: int) -> Floats:
    """float32 [nodes, width]: weighted sum of A^k R, A the random walk matrix of ``adjacency`` (CSR, symmetric, its entries the weights of
    the links), R very sparse random (s = 3).
    """
    total = np.zeros((adjacency.shape[0], width), np.float32)
    for weight, _, after in _walks(adjacency, width, weights, power, seed):
        if weight:
            total += np.float32(weight) * unit_rows(after)
    return total


def fast_rp_newcomer(adjacency: Any, width: int, weights: Sequence[float], power: float, seed: int, linked: Ints) -> Floats:
    """float32 [1, width]: the vector of one more node, with links of one weight to the nodes ``linked``, in which nobody else sees it."""
    total = np.zeros((1, width), np.float32)
    for weight, before, _ in _walks(adjacency, width, weights, power, seed):
        if weight and len(linked):
            total += np.float32(weight) * unit_rows(before[linked].mean(axis=0, keepdims=True))
    return total


def _walks(
    adjacency: Any, width: int, weights: Sequence[float], power: float, seed: int
) -> Iterator[tuple[float, Floats, Floats]]:
    """Each weight, with what is walked from and what it becomes."""
    degrees = np.asarray(adjacency.sum(axis=1), np.float64).ravel()
    thirds = np.random.default_rng([seed, 0xFA57]).integers(6, size=(len(degrees), width), dtype=np.int8)
    random = np.sqrt(np.float32(3.0)) * ((thirds == 0).astype(np.float32) - (thirds == 1))
    scale = np.where(degrees > 0, degrees, 1.0) / max(degrees.sum(), 1.0)
    current = random * (scale**power).astype(np.float32)[:, None]
    walk = adjacency.multiply((1.0 / np.where(degrees > 0, degrees, 1.0)).astype(np.float32)[:, None]).tocsr()
    for weight in weights:
        after = walk @ current
        yield weight, current, after
        current = after


def _features(vectors: Floats) -> Features:
    return Features(vectors, np.asarray(vectors.any(axis=1)), "fastrp")
