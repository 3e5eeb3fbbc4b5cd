"""A graph that is given more: items that nothing is known of but their links, and links."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmgraph.graph.contract import Copies, Edges, Features, Graph, Labels
from mmgraph.graph.merge import joined
from mmgraph.types import Strings


def grown(graph: Graph, more: Mapping[str, Sequence[str]], links: Iterable[Edges] = ()) -> Graph:
    """The graph with further items ``more`` (kind -> their ids) behind those of their kinds, without features, labels and parent, and with
    ``links``, whose positions count these items; what is an edge already is not added again.
    """
    more = {kind: names for kind, names in more.items() if len(names)}
    edges = dict(graph.edges)
    for one in links:
        edges[one.relation] = joined(edges[one.relation], one) if one.relation in edges else one
    return replace(
        graph,
        ids={kind: np.concatenate([ids, np.asarray(more[kind], object)]) if kind in more else ids for kind, ids in graph.ids.items()},
        edges=edges,
        features={key: _features(one, len(more.get(key[0], ()))) for key, one in graph.features.items()},
        labels={key: grown_labels(one, len(more.get(key[0], ()))) for key, one in graph.labels.items()},
        parent=_filled(graph.parent, more, -1),
        content=_filled(graph.content, more, ""),
        parent_kind=_filled(graph.parent_kind, more, ""),
        duplicates={kind: _copies(one, len(more.get(kind, ()))) for kind, one in graph.duplicates.items()},
    )  # fmt: skip


def grown_labels(labels: Labels, count: int) -> Labels:
    """The same field with ``count`` more items, which have no label."""
    if not count:
        return labels
    return replace(
        labels,
        values=_behind(labels.values, count, -1),
        split=None if labels.split is None else _behind(labels.split, count, -1),
        several=None if labels.several is None else _behind(labels.several, count, False),
    )


def _features(features: Features, count: int) -> Features:
    if not count:
        return features
    return replace(
        features,
        vectors=_behind(features.vectors, count, 0.0),
        present=_behind(features.present, count, False),
        activations=None if features.activations is None else _behind(features.activations, count, 0.0),
    )


def _copies(copies: Copies, count: int) -> Copies:
    """Nobody's copies: each the first of its own group."""
    own = np.arange(len(copies.first), len(copies.first) + count, dtype=np.int64)
    first = np.concatenate([copies.first, own])
    return Copies(first, _behind(copies.distance, count, 0.0), _behind(copies.cosine, count, np.nan))


def _filled(by_kind: Mapping[str, Strings], more: Mapping[str, Sequence[str]], value: object) -> dict[str, Any]:
    return {kind: _behind(one, len(more.get(kind, ())), value) for kind, one in by_kind.items()}


def _behind(array: Any, count: int, value: object) -> Any:
    """The array with ``count`` more rows of this value."""
    return np.concatenate([array, np.full((count, *array.shape[1:]), value, array.dtype)]) if count else array
