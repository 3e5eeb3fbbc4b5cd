"""What label baselines spread over the links: one symmetric matrix of all kinds, and its repeated product."""

from typing import Any

import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.union import Reals, Union
from mmgraph.graph.contract import Graph

_STILL = 1e-6  # a change below it ends the steps


def symmetric(union: Union, loops: bool = False) -> Any:
    """D^-1/2 A D^-1/2 as scipy CSR float64 [nodes, nodes]; ``loops``: of A + I (Kipf and Welling 2017, arXiv 1609.02907, equation 2).

    >>> symmetric(Union(scipy.sparse.csr_matrix([[0.0, 1.0], [1.0, 0.0]]), {"x": 0}, {"x": 2}), loops=True).toarray().round(2)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    matrix = union.adjacency + scipy.sparse.eye(union.adjacency.shape[0], format="csr") if loops else union.adjacency
    root = scipy.sparse.diags(1.0 / np.sqrt(np.maximum(union.degrees() + loops, 1.0)))
    return (root @ matrix @ root).tocsr()


def spread(normal: Any, start: Reals, alpha: float, steps: int) -> Reals:
    """x <- alpha normal x + (1 - alpha) start, from ``start`` [nodes, columns], until it stands still or for ``steps`` (Zhou et al. 2003,
    Learning with local and global consistency, equation 4).
    """
    current = start
    for _ in range(steps):
        following = alpha * (normal @ current) + (1.0 - alpha) * start
        change = np.abs(following - current).max(initial=0.0)
        current = following
        if change < _STILL:
            break
    return np.asarray(current, np.float64)


def bytes_of(graph: Graph, columns: int) -> int:
    """Memory that spreading ``columns`` over the graph needs at its peak, about."""
    return Union.bytes_of(graph) + 4 * 8 * sum(graph.count(kind) for kind in graph.ids) * columns
