"""A small knowledge graph with a known truth: numbers, which is one more than which, which is the double of which."""

import numpy as np

from mmgraph.graph.contract import Edges, Graph
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.types import Relation

NEXT, DOUBLE = Relation("n", "next", "n"), Relation("n", "double", "n")
RELATIONS = (NEXT, DOUBLE)


def facts(count=12, seed=0):
    """(graph, split): about 60/20/20 of each relation's links in train/valid/test."""
    rng = np.random.default_rng(seed)
    every = np.arange(count, dtype=np.int64)
    half = np.arange(count // 2, dtype=np.int64)
    edges = {NEXT: Edges(NEXT, every, (every + 1) % count), DOUBLE: Edges(DOUBLE, half, (2 * half) % count)}
    links = {}
    for relation, one in edges.items():
        order = rng.permutation(len(one))
        cuts = [int(0.6 * len(one)), int(0.8 * len(one))]
        links[relation] = LinkSplit(one, *(np.sort(part).astype(np.int64) for part in np.split(order, cuts)))
    graph = Graph({"n": np.array([f"n{i}" for i in range(count)])}, edges)
    visible = graph.with_edges({relation: one.edges.take(one.train) for relation, one in links.items()})
    return graph, Split(links, {}, visible)
