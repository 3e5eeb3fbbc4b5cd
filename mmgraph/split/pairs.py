"""Which links and items must stay on one side of a split, because each tells the other."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmgraph.graph.contract import Edges, Graph
from mmgraph.graph.duplicates import exact_copies
from mmgraph.graph.merge import pair_keys
from mmgraph.types import Ints, Strings


def same_content(graph: Graph, kind: str) -> Ints:
    """For every item the first item of its kind with the same content: int64 [items]; itself where the content is unknown."""
    return exact_copies(graph, kind)


def copies(graph: Graph, kind: str) -> Ints:
    """For every item the first of its group of copies, the same bytes or nearly the same picture or sound: int64 [items]."""
    exact = exact_copies(graph, kind)
    return graph.duplicates[kind].first[exact] if kind in graph.duplicates else exact


def keys(graph: Graph, edges: Edges) -> Ints:
    """One number a link, equal for links between the same items in this direction."""
    return pair_keys(edges.source, edges.target, graph.count(edges.relation.target))


def units(graph: Graph, edges: Edges, *, content: bool = True, near: bool = True) -> Ints:
    """One number a link, equal for links that tell each other: int64 [edges].

    Those are a link between items of one kind and the same link stored the other way round, and (with ``content``) links
    whose ends are copies of the same files, with ``near`` also copies that are not the same byte by byte.
    """
    relation = edges.relation
    source, target = edges.source, edges.target
    if content:
        same = copies if near else same_content
        source, target = same(graph, relation.source)[source], same(graph, relation.target)[target]
    if relation.source == relation.target:
        source, target = np.minimum(source, target), np.maximum(source, target)
    return pair_keys(source, target, graph.count(relation.target))


def parents(graph: Graph, kind: str) -> Ints:
    """One number a group of items with the same parent: int64 [items]; an item without a parent is its own group."""
    count = graph.count(kind)
    group = np.arange(count, dtype=np.int64)
    if kind not in graph.parent:
        return group
    parent = graph.parent[kind]
    names = _parent_kinds(graph, kind)
    codes, _ = pd.factorize(names)
    has = parent >= 0
    numbers, _ = pd.factorize(pair_keys(codes.astype(np.int64), parent, int(parent.max(initial=0)) + 1)[has])
    group[has] = count + numbers
    return group


def _parent_kinds(graph: Graph, kind: str) -> Strings:
    return np.asarray(graph.parent_kind.get(kind, np.full(graph.count(kind), "", dtype=object)), dtype=object)


def groups(graph: Graph, kind: str, *, by_parent: bool, near: bool = True) -> Ints:
    """Items that must not straddle train, valid and test: copies of one file (with ``near`` also copies that are not the same
    byte by byte), and (by_parent) children of one parent.

    int64 [items], one number a group; chains count, so that a copy joins the groups of two parents into one.
    """
    count = graph.count(kind)
    first = copies(graph, kind) if near else same_content(graph, kind)
    if not by_parent:
        return first
    parent = parents(graph, kind)
    own = np.arange(count)
    size = int(parent.max(initial=-1)) + 1 + count
    links = coo_array(
        (np.ones(2 * count, np.int8), (np.r_[own, own], np.r_[first, np.where(parent >= count, parent, own)])),
        shape=(max(size, 1), max(size, 1)),
    )
    return connected_components(links, directed=False)[1][:count].astype(np.int64)
