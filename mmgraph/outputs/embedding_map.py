"""Vectors -> places on a flat map, for a page."""

from dataclasses import dataclass

import numpy as np
from sklearn.manifold import TSNE

from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.types import Floats, Ints

MOST = 3000  # items on a map: t-SNE takes about ten seconds for them on one core
WIDTH, HEIGHT, EDGE = 1100, 720, 14
_PERPLEXITY = 30.0


@dataclass(frozen=True)
class Map:
    """``rows``: int64 [n], which items are on it; ``x``, ``y``: float32 [n], 0 to 1."""

    rows: Ints
    x: Floats
    y: Floats


def flat(question: ClusterQuestion, seed: int) -> Map:
    """t-SNE (van der Maaten and Hinton 2008, JMLR 9) from principal components; evenly spaced items where there are more than MOST.

    Near items stay near; distances between far groups, and the sizes of groups, mean nothing.
    """
    rows = np.unique(np.linspace(0, len(question) - 1, min(MOST, len(question))).round().astype(np.int64))
    vectors = question.vectors[rows].astype(np.float64)
    if len(rows) < 5 or np.ptp(vectors, axis=0).max() < 1e-6:
        places = np.stack((np.arange(len(rows)), np.zeros(len(rows))), axis=1)
    else:
        perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
        places = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(vectors)
    low, span = places.min(axis=0), np.maximum(np.ptp(places, axis=0), 1e-9)
    x, y = ((places - low) / span).astype(np.float32).T
    return Map(rows, x, y)


def at(x: float, y: float) -> tuple[float, float]:
    """A place on the drawing, in its units.

    >>> at(0.0, 1.0)
    (14.0, 706.0)
    """
    return round(EDGE + float(x) * (WIDTH - 2 * EDGE), 1), round(EDGE + float(y) * (HEIGHT - 2 * EDGE), 1)
