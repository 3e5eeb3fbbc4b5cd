"""The best targets by an index of nearest neighbours (faiss): some are missed, and how many is measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgraph.errors import RunError
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.prepared import Prepared
from mmgraph.outputs.predictions import KnownTargets, Top, ranked
from mmgraph.outputs.tiles import SOURCES, tiled_links
from mmgraph.types import Floats, Ints

MEASURED = 256  # sources that choose how many cells are looked into, and as many others that measure the recall
_TRAINED = 64  # vectors a cell that its centre is learnt from


@dataclass(frozen=True)
class Near:
    """An index of the targets of ``method``. recall: share of the exact best ``top_k`` that it finds, on sources that did not choose
    ``probed`` of its ``cells``.
    """

    index: Any
    method: Prepared
    cells: int
    probed: int
    recall: float

    def links(self, question: LinkQuestion, top_k: int, sources: Ints) -> Iterator[tuple[int, Top]]:
        """As ``top_links``, of what the index finds."""
        known = KnownTargets(question)
        for first in range(0, len(sources), SOURCES):
            queries = sources[first : first + SOURCES]
            yield len(queries), _found(self.index, self.method, known, queries, top_k)


def index_of(question: LinkQuestion, method: LinkMethod, top_k: int, recall: float) -> Near:
    """Cells of targets with one centre each (IVF), as many of them looked into as ``recall`` takes on a sample of sources.

    Raises RunError where the method's score is no inner product: only then the nearest are the best.
    """
    if not isinstance(method, Prepared) or not method.inner:
        todo = "leave --approximate out; it is for runs that hand out the gnn alone with dot, cosine, dist_mult, complex or rescal"
        raise RunError("what this run hands out cannot be searched by an index", given=question.relation, todo=todo)
    index, cells = _built(method.target_vectors())
    sources = question.count("source")
    drawn = np.random.default_rng([question.seed, 0xFA155]).permutation(sources)[: 2 * MEASURED]
    choosing, judging = np.sort(drawn[: (len(drawn) + 1) // 2]), np.sort(drawn[len(drawn) // 2 :])
    exact = _pairs(question, method, top_k, choosing)
    probed = 1
    while True:
        index.nprobe = probed
        if probed >= cells or _recall(exact, _pairs_of(index, question, method, top_k, choosing)) >= recall:
            break
        probed = min(2 * probed, cells)
    measured = _recall(_pairs(question, method, top_k, judging), _pairs_of(index, question, method, top_k, judging))
    return Near(index, method, cells, probed, measured)


def _built(targets: Floats) -> tuple[Any, int]:
    import faiss

    count, width = targets.shape
    cells = max(1, min(int(4 * np.sqrt(count)), count // _TRAINED))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid, index.cp.min_points_per_centroid, index.cp.niter = _TRAINED, 1, 10
    if count:
        index.train(targets)
        index.add(targets)
    return index, cells


def _found(index: Any, method: Prepared, known: KnownTargets, queries: Ints, top_k: int) -> Top:
    """Enough is searched that known links and the item itself can be taken out."""
    row_known, target_known = known.of(queries)
    most = int(np.bincount(row_known, minlength=1).max()) + known.loops
    vectors = method.vectors(queries)
    value, column = index.search(vectors, max(1, min(top_k + most, method.count)))
    row = np.repeat(np.arange(len(queries)), column.shape[1])
    column, value = column.ravel().astype(np.int64), value.ravel()
    keep = (column >= 0) & np.isin(row * method.count + column, row_known * method.count + target_known, invert=True)
    if known.loops:
        keep &= queries[row] != column
    row, column, value = row[keep], column[keep], value[keep]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    rank = np.arange(len(row)) - np.searchsorted(row, np.arange(len(queries)))[row] + 1
    near = rank <= top_k
    own = _own(method, vectors, row_known, target_known)
    return ranked(queries, (row[near], column[near], value[near], rank[near]), (row_known, target_known, own), top_k)


def _own(method: Prepared, vectors: Floats, row: Ints, target: Ints) -> Floats:
    """Scores of the known links, a part at a time."""
    out = np.zeros(len(row), np.float32)
    for start in range(0, len(row), 65_536):
        part = slice(start, start + 65_536)
        out[part] = (vectors[row[part]] * method.some_targets(target[part])).sum(1)
    return out


def _pairs(question: LinkQuestion, method: Prepared, top_k: int, sources: Ints) -> Ints:
    return _keys(tiled_links(question, method, top_k, sources), method.count)


def _pairs_of(index: Any, question: LinkQuestion, method: Prepared, top_k: int, sources: Ints) -> Ints:
    known = KnownTargets(question)
    parts = (sources[start : start + SOURCES] for start in range(0, len(sources), SOURCES))
    return _keys(((len(some), _found(index, method, known, some, top_k)) for some in parts), method.count)


def _keys(blocks: Iterator[tuple[int, Top]], targets: int) -> Ints:
    """A number for each unknown pair."""
    return np.concatenate([np.zeros(0, np.int64), *(t.source[~t.known] * targets + t.target[~t.known] for _, t in blocks)])


def _recall(exact: Ints, found: Ints) -> float:
    return float(np.isin(exact, found).mean()) if len(exact) else 1.0
