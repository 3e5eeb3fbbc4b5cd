"""The nearest of some examples: what a person can compare an item with."""

from dataclasses import dataclass

import faiss
import numpy as np

from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.types import Floats, Ints


@dataclass(frozen=True)
class Nearest:
    """Of each item its nearest examples: ``example`` int64 [items, k], positions among the examples, and ``distance`` float32, 1 - cosine;
    -1 and NaN where there are fewer than k.
    """

    example: Ints
    distance: Floats


def nearest_examples(vectors: Floats, examples: Floats, k: int) -> Nearest:
    """Exact, by cosine; ``vectors`` [items, width], ``examples`` [n, width]. Something without direction is at distance 1 of all."""
    example, distance = np.full((len(vectors), k), -1, np.int64), np.full((len(vectors), k), np.nan, np.float32)
    found = min(k, len(examples))
    if found and len(vectors):
        index = faiss.IndexFlatIP(examples.shape[1])
        index.add(unit_rows(examples))
        cosine, example[:, :found] = index.search(unit_rows(vectors), found)
        distance[:, :found] = 1.0 - np.clip(cosine, -1.0, 1.0)
    return Nearest(example, distance)
