"""Content kNN: more of what is like what a user likes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch

from mmgraph.evaluate.baselines.likes import Likes
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Graph
from mmgraph.types import Floats, Ints, Relation

_CELLS = 2**23  # cosines held at once


@dataclass(frozen=True, kw_only=True)
class ContentKNN(LinkBaseline):
    """Score = sum of the item's cosines with those of its ``k`` nearest that the user likes (Lops et al. 2011, Recommender Systems
    Handbook, section 3.3), the nearest among items that anybody likes.

    One method for each modality of the items, ``content:text``, and one for each kind that they are linked with by other relations,
    ``content:tag``: there an item is the bag of its neighbours, those that few items have counting more (tf-idf, Salton & Buckley 1988).
    A kind that is called as one of the modalities is ``content:linked image``.
    It reads nothing of who likes the item itself, so an item that nobody has chosen yet is scored like any other.
    """

    k: int = 100

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Compare the items, a block at a time; a description that needs more than 4 GiB is left out, with a word in the log."""
        graph, seen, items = question.graph, question.visible, question.count("target")
        if question.split.edges.temporal or not len(seen):
            return []
        liked = scipy.sparse.csr_matrix(
            (np.ones(len(seen), np.float32), (seen.source, seen.target)), shape=(question.count("source"), items)
        )
        active, made = np.unique(seen.target), list[LinkMethod]()
        for name, described in _descriptions(graph, question.relation):
            if fits_in_memory(f"content:{name}", 3 * 8 * self.k * items):
                made.append(Likes(f"content:{name}", liked, nearest_rows(described, active, self.k)))
        return made


def _descriptions(graph: Graph, asked: Relation) -> Iterator[tuple[str, Any]]:
    """Name of each description, and its rows of length 1 (0 where an item has none): an array, or CSR where it is a bag."""
    for modality, features in graph.features_of(asked.target).items():
        yield modality, unit_rows(np.where(features.present[:, None], features.vectors, 0.0))
    bags: dict[str, list[tuple[Ints, Ints]]] = {}
    for relation, edges in graph.edges.items():
        if asked in edges.derived_from:
            continue
        if relation != asked and relation.source == asked.target and relation.target != asked.source:
            bags.setdefault(relation.target, []).append((edges.source, edges.target))
        if relation != asked and relation.target == asked.target and relation.source not in (asked.source, asked.target):
            bags.setdefault(relation.source, []).append((edges.target, edges.source))
    for kind, pairs in bags.items():
        item, neighbour = (np.concatenate(one) for one in zip(*pairs, strict=True))
        name = f"linked {kind}" if kind in graph.features_of(asked.target) else kind
        yield name, _bag(item, neighbour, (graph.count(asked.target), graph.count(kind)))


def _bag(item: Ints, neighbour: Ints, shape: tuple[int, int]) -> Any:
    bag = scipy.sparse.csr_matrix((np.ones(len(item), np.float32), (item, neighbour)), shape=shape)
    bag.sum_duplicates()
    bag.data[:] = 1.0
    having = np.bincount(bag.indices, minlength=shape[1])
    bag.data *= np.log((1.0 + shape[0]) / (1.0 + having))[bag.indices].astype(np.float32)
    length = np.sqrt(np.asarray(bag.multiply(bag).sum(axis=1))).ravel()
    bag.data /= np.repeat(np.maximum(length, 1e-12), np.diff(bag.indptr)).astype(np.float32)
    return bag


def nearest_rows(rows: Any, among: Ints, k: int) -> Any:
    """CSR float32 [rows, rows]: in row i its cosines with the ``k`` nearest others of ``among`` that are above 0.

    rows: of length 1 or 0, an array or CSR.
    """
    count, k = rows.shape[0], min(k, len(among))
    place = np.full(count, -1, np.int64)
    place[among] = np.arange(len(among))
    turned = rows[among].T.tocsr() if scipy.sparse.issparse(rows) else np.ascontiguousarray(rows[among].T)
    found: list[tuple[Ints, Ints, Floats]] = []
    size = max(1, _CELLS // len(among))
    for start in range(0, count, size):
        part = np.arange(start, min(start + size, count))
        product = rows[part] @ turned
        cosine = np.asarray(product.toarray() if scipy.sparse.issparse(product) else product, np.float32)
        itself = np.flatnonzero(place[part] >= 0)
        cosine[itself, place[part][itself]] = 0.0
        best = torch.topk(torch.from_numpy(cosine), k, dim=1)
        row, at = np.nonzero(best.values.numpy() > 0)
        found.append((part[row], among[best.indices.numpy()[row, at]], best.values.numpy()[row, at]))
    row, column, value = (np.concatenate(one) for one in zip(*found, strict=True))
    return scipy.sparse.csr_matrix((value, (row, column)), shape=(count, count))
