"""Which pairs of many fingerprints or vectors are near enough to be compared: the nearest of each, never all pairs at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mmgraph.types import Bools, Bytes, Floats, Ints

NEAREST = 10
_BLOCK = 4096
_EXACT = 20_000  # beyond, cells of a coarse quantiser are searched instead of everything
_PROBES = 16


def by_bits(codes: Bytes, most: float) -> Ints:
    """uint8 [n, bytes] -> int64 [pairs, 2], first < second, each once: every row with its NEAREST by Hamming distance.

    Pairs that differ in more than a share ``most`` of the bits are left out.
    """
    if len(codes) < 2:
        return np.zeros((0, 2), np.int64)
    import faiss  # only where copies are looked for: a graph of tables has none

    width = 8 * codes.shape[1]
    index: Any = faiss.IndexBinaryFlat(width)
    if len(codes) > _EXACT:
        index = faiss.index_binary_factory(width, f"BIVF{int(np.sqrt(len(codes)))}")
        index.nprobe = _PROBES
        index.train(codes)
    index.add(np.ascontiguousarray(codes))
    return _pairs(index, codes, lambda far: far <= most * width)


def by_cosine(vectors: Floats) -> Ints:
    """The same for float32 [n, width], of length one each, by cosine, however small."""
    if len(vectors) < 2:
        return np.zeros((0, 2), np.int64)
    import faiss

    index: Any = faiss.IndexFlatIP(vectors.shape[1])
    if len(vectors) > _EXACT:
        index = faiss.index_factory(vectors.shape[1], f"IVF{int(np.sqrt(len(vectors)))},Flat", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = _PROBES
        index.train(vectors)
    index.add(np.ascontiguousarray(vectors))
    return _pairs(index, vectors, lambda far: far > -np.inf)


def _pairs(index: Any, queries: Floats | Bytes, use: Callable[[Any], Bools]) -> Ints:
    found = []
    for start in range(0, len(queries), _BLOCK):
        far, near = index.search(np.ascontiguousarray(queries[start : start + _BLOCK]), min(NEAREST + 1, len(queries)))
        rows = np.broadcast_to(np.arange(start, start + len(near))[:, None], near.shape)
        other = (near >= 0) & (near != rows) & use(far)  # a copy may stand before the row itself
        found.append(np.sort(np.stack([rows[other], near[other]], axis=1).astype(np.int64), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def stars(count: int, pairs: Ints) -> Ints:
    """Groups of things that are all near one of them: int64 [count], the first of each one's group, itself where it has none.

    The one with the most neighbours that are still free comes first (the earliest of several). So no chain of small steps
    ties together what is far apart, as connected components would.
    """
    first = np.arange(count, dtype=np.int64)
    if not len(pairs):
        return first
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    ends = ends[np.lexsort((ends[:, 1], ends[:, 0]))]
    things, starts, degrees = np.unique(ends[:, 0], return_index=True, return_counts=True)
    free: Bools = np.ones(count, np.bool_)
    for place in np.lexsort((things, -degrees)).tolist():
        thing = int(things[place])
        if not free[thing]:
            continue
        near = ends[starts[place] : starts[place] + degrees[place], 1]
        near = near[free[near]]
        first[near] = thing
        free[near] = free[thing] = False
    return first
