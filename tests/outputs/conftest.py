"""Small questions that the tests of the outputs share."""

from dataclasses import dataclass

import numpy as np
import pytest

from mmgraph.evaluate.contract import LabelQuestion, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.split.contract import LabelSplit, LinkSplit
from mmgraph.types import Relation


@dataclass
class Given(LinkMethod):
    """Scores as they are given, [sources, targets]."""

    matrix: np.ndarray
    name: str = "mmgraph"

    def scores(self, queries, direction):
        return self.matrix[queries] if direction == "target" else self.matrix.T[queries]


def link_question(relation, counts, pairs, valid=(), test=()):
    relation = Relation.parse(relation)
    pairs = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    edges = Edges(relation, pairs[:, 0], pairs[:, 1])
    held = np.array([*valid, *test], dtype=np.int64)
    train = np.setdiff1d(np.arange(len(pairs)), held)
    split = LinkSplit(edges, train, np.array(valid, dtype=np.int64), np.array(test, dtype=np.int64))
    ids = {kind: np.array([f"{kind}:{i}" for i in range(count)], dtype=object) for kind, count in counts.items()}
    return LinkQuestion(Graph(ids, {relation: edges.take(train)}), split)


def label_question(values, classes=("a", "b"), train=(), valid=(), test=(), kind="segment", field="category"):
    values = np.array(values, dtype=np.int64)
    labels = Labels(kind, field, tuple(classes), values)
    ids = {kind: np.array([f"{kind}:{i}" for i in range(len(values))], dtype=object)}
    parts = (np.array(part, dtype=np.int64) for part in (train, valid, test))
    return LabelQuestion(Graph(ids, {}, labels={(kind, field): labels}), LabelSplit(labels, *parts))


@pytest.fixture
def full_disk(monkeypatch):
    """Every file that ends in .part is on a full disk once it is synced, after its bytes were written."""
    import errno
    import os

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
