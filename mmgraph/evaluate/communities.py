"""The graph in which communities are looked for: visible links, and the nearest items by their vectors."""

from typing import Any, Literal

import faiss
import numpy as np
import scipy.sparse

from mmgraph.evaluate.baselines.union import Union
from mmgraph.evaluate.clustering import ClusterQuestion

On = Literal["links", "nearest", "both"]


def community_graph(question: ClusterQuestion, on: On, neighbours: int) -> tuple[Any, slice]:
    """scipy CSR float64 [nodes, nodes], symmetric, no loops; and which of the nodes are the question's items, in their order.

    links: a visible link of any relation weighs 1, and items of all kinds are nodes, those of the kind that are not asked left out;
    nearest: each item and its ``neighbours`` of the largest cosine, which is the weight where it is above 0.
    """
    union = Union.of(question.graph)
    start = union.start[question.kind]
    nodes = np.concatenate(
        (np.arange(start), start + question.items, np.arange(union.nodes(question.kind).stop, union.adjacency.shape[0]))
    )
    items = slice(start, start + len(question))
    joined = scipy.sparse.csr_matrix((len(nodes), len(nodes)), dtype=np.float64)
    if on != "nearest":
        joined = union.adjacency[nodes][:, nodes].astype(np.float64)
    if on != "links":
        near = _nearest(question, neighbours).tocoo()
        joined = joined + scipy.sparse.csr_matrix((near.data, (near.row + start, near.col + start)), shape=joined.shape)
    return joined.tocsr(), items


def _nearest(question: ClusterQuestion, neighbours: int) -> Any:
    count = len(question)
    index = faiss.IndexFlatIP(question.vectors.shape[1])
    index.add(np.ascontiguousarray(question.vectors))
    cosine, near = index.search(np.ascontiguousarray(question.vectors), min(neighbours + 1, count))
    source = np.repeat(np.arange(count), near.shape[1])
    target, weight = near.ravel(), cosine.ravel().astype(np.float64)
    keep = (target != source) & (target >= 0) & (weight > 0)
    found = scipy.sparse.csr_matrix((weight[keep], (source[keep], target[keep])), shape=(count, count))
    return found.maximum(found.T)
