"""Small made questions."""

import numpy as np

from mmgraph.evaluate.contract import LabelQuestion, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.split.contract import LabelSplit, LinkSplit
from mmgraph.types import Relation


def ids(kind, count):
    return np.array([f"{kind}{i}" for i in range(count)])


def link_question(relation, counts, pairs, parts, *, graph=None, temporal=False, seed=7):
    """``pairs`` (source, target) of all known links; ``parts`` 0 train, 1 valid, 2 test of each."""
    pairs, parts = np.asarray(pairs, np.int64).reshape(-1, 2), np.asarray(parts)
    edges = Edges(relation, pairs[:, 0], pairs[:, 1], temporal=temporal)
    train, valid, test = (np.flatnonzero(parts == part) for part in range(3))
    graph = graph or Graph({kind: ids(kind, count) for kind, count in counts.items()}, {})
    graph = graph.with_edges({**graph.edges, relation: edges.take(train)})
    return LinkQuestion(graph, LinkSplit(edges, train, valid, test), seed)


def random_question(seed=0, same=False, sources=12, targets=15, links=40, temporal=False):
    generator = np.random.default_rng(seed)
    relation = Relation("a", "r", "a") if same else Relation("a", "r", "b")
    counts = {"a": sources, "b": targets}
    highest = (sources, sources if same else targets)
    pairs = np.unique(generator.integers(highest, size=(links, 2)), axis=0)
    features = {
        (kind, modality): Features(generator.normal(size=(count, 4)).astype(np.float32), generator.random(count) < 0.8)
        for kind, count in counts.items()
        for modality in ("image", "text")
    }
    for one in features.values():
        one.vectors[~one.present] = 0.0
    other = np.unique(generator.integers((sources, targets), size=(links, 2)), axis=0)
    like = np.unique(generator.integers(targets, size=(links // 2, 2)), axis=0)
    edges = {Relation("a", "other", "b"): Edges(Relation("a", "other", "b"), other[:, 0], other[:, 1])}
    edges[Relation("b", "like", "b")] = Edges(Relation("b", "like", "b"), like[:, 0], like[:, 1])
    parent = {"a": generator.integers(-1, 3, sources)}
    graph = Graph({kind: ids(kind, count) for kind, count in counts.items()}, edges, features, parent=parent)
    parts = generator.integers(3, size=len(pairs))
    return link_question(relation, counts, pairs, parts, graph=graph, temporal=temporal)


def label_question(seed=0, items=60, classes=3, groups=0, train=12, valid=24):
    generator = np.random.default_rng(seed)
    values = generator.integers(classes, size=items)
    values[:classes] = np.arange(classes)
    order = np.concatenate((np.arange(classes), classes + generator.permutation(items - classes)))
    vectors = (np.eye(classes)[values] + generator.normal(size=(items, classes))).astype(np.float32)
    sound = (np.eye(classes)[values] * 2 + generator.normal(size=(items, classes))).astype(np.float32)
    present = generator.random(items) < 0.9
    present[order[:train]] = True
    sound[~present] = 0.0
    pairs = generator.integers(items, size=(300, 2))
    pairs = np.unique(pairs[(values[pairs[:, 0]] == values[pairs[:, 1]]) & (pairs[:, 0] != pairs[:, 1])], axis=0)
    like = Relation("x", "like", "x")
    labels = Labels("x", "class", tuple("abcdefgh"[:classes]), values)
    graph = Graph(
        {"x": ids("x", items)},
        {like: Edges(like, pairs[:, 0], pairs[:, 1])},
        {("x", "image"): Features(vectors, np.ones(items, bool)), ("x", "audio"): Features(sound, present)},
        parent={"x": generator.integers(groups, size=items)} if groups else {},
    )
    split = LabelSplit(labels, *np.split(order, [train, train + valid]))
    return LabelQuestion(graph, split)


class Given(LinkMethod):
    """Scores from a matrix [sources, targets]."""

    def __init__(self, matrix, name="given"):
        self.name, self.matrix = name, np.asarray(matrix, np.float32)

    def scores(self, queries, direction):
        return (self.matrix if direction == "target" else self.matrix.T)[queries]


def truth_matrix(question):
    matrix = np.zeros((question.count("source"), question.count("target")), np.float32)
    edges = question.split.edges
    matrix[edges.source, edges.target] = 1.0
    return matrix
