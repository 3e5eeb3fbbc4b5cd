"""Which labelled items stay on one side of a split, as ``split.labels.group`` says."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph
from mmgraph.split.pairs import copies, groups, same_content
from mmgraph.types import Ints, Relation


def label_groups(graph: Graph, kind: str, group: str, *, near: bool = True) -> Ints:
    """One number a group: int64 [items of the kind]; copies of one file (with ``near`` also near-copies) are always together.

    ``none``: nothing else; ``parent``: children of one parent; a relation: items that it joins with one item, as the recordings of one
    speaker, and chains of such. A kind that the relation does not touch is grouped by parents. Raises SplitError for anything else.
    """
    if group in ("none", "parent"):
        return groups(graph, kind, by_parent=group == "parent", near=near)
    relation = _known(graph, group)
    if kind not in (relation.source, relation.target):
        return groups(graph, kind, by_parent=True, near=near)
    edges, count = graph.edges[relation], graph.count(kind)
    first = copies(graph, kind) if near else same_content(graph, kind)
    same = relation.source == relation.target
    item, other = (edges.source, edges.target) if relation.source == kind else (edges.target, edges.source)
    partner = other if same else count + other
    size = count if same else count + graph.count(relation.target if relation.source == kind else relation.source)
    ends = np.concatenate((np.arange(count), item)), np.concatenate((first, partner))
    links = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
    return connected_components(links, directed=False)[1][:count].astype(np.int64)


def _known(graph: Graph, group: str) -> Relation:
    for relation in graph.edges:
        if str(relation) == group:
            return relation
    todo = f"parent, none, or a relation: {', '.join(map(str, graph.edges)) or 'there is none'}"
    raise SplitError("split.labels.group is no way to group items", given=group, todo=todo)
