"""Features for label baselines; a kind without any of its own borrows those of what it is linked with."""

import numpy as np
from scipy.sparse import csr_array

from mmgraph.graph.contract import Features, Graph
from mmgraph.types import Floats, Ints


def features_for_labels(graph: Graph, kind: str) -> dict[str, Features]:
    """Modality -> features of the kind; where it has none, ``linked_<modality>``: the mean over visible neighbours.

    Without this an exercise that is only known by its photos and texts would leave the gnn without a serious opponent.
    """
    own = {modality: f for modality, f in graph.features_of(kind).items() if f.present.any()}
    return own or _of_neighbours(graph, kind)


def _of_neighbours(graph: Graph, kind: str) -> dict[str, Features]:
    sums: dict[tuple[str, str], tuple[Floats, Floats]] = {}
    for relation, edges in graph.edges.items():
        ends = ((relation.source, edges.source, relation.target, edges.target),)
        for mine, items, other, neighbours in (*ends, *((o, n, m, i) for m, i, o, n in ends)):
            if mine != kind or other == kind:
                continue
            for modality, features in graph.features_of(other).items():
                total, count = _summed(features, items, neighbours, graph.count(kind))
                before = sums.get((modality, features.encoder))
                sums[modality, features.encoder] = (total, count) if before is None else (before[0] + total, before[1] + count)
    found: dict[str, Features] = {}
    for (modality, encoder), (total, count) in sums.items():
        if f"linked_{modality}" not in found and count.any():
            mean = total / np.maximum(count, 1)[:, None]
            found[f"linked_{modality}"] = Features(mean.astype(np.float32), count > 0, encoder)
    return found


def _summed(features: Features, items: Ints, neighbours: Ints, count: int) -> tuple[Floats, Floats]:
    """Sum of the neighbours' vectors at every item, and how many of them have one."""
    use = features.present[neighbours]
    shape = (count, len(features.present))
    links = csr_array((np.ones(int(use.sum()), np.float32), (items[use], neighbours[use])), shape=shape)
    return links @ features.vectors, np.asarray(links.sum(1), np.float32)
