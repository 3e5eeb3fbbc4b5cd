"""Small graphs, written by hand."""

import numpy as np
import pytest

from mmgraph.graph.contract import Edges, Graph, Labels
from mmgraph.types import Relation


def _edges(name, pairs, **data):
    source, target = np.array(pairs, np.int64).reshape(-1, 2).T
    return Edges(Relation.parse(name), source.copy(), target.copy(), **data)


@pytest.fixture(scope="session")
def edges():
    """Function of ``source/name/target`` and a list of pairs, with any data of Edges."""
    return _edges


@pytest.fixture(scope="session")
def graph():
    """Function of counts of kinds, edges, labels as {"kind.field": values}, parents {kind: positions}, content {kind: hashes}."""

    def make(counts, links=(), labels=None, parent=None, content=None, splits=None):
        found = {}
        for target, values in (labels or {}).items():
            kind, field = target.split(".")
            values = np.array(values, np.int64)
            classes = tuple(f"c{i}" for i in range(int(values.max(initial=-1)) + 1))
            split = None if splits is None else np.array(splits[target], np.int8)
            found[kind, field] = Labels(kind, field, classes, values, split)
        return Graph(
            ids={
                kind: np.array([*(f"{kind}{i}" for i in range(count)), None], dtype=object)[:-1]
                for kind, count in counts.items()
            },
            edges={one.relation: one for one in links},
            labels=found,
            parent={kind: np.array(positions, np.int64) for kind, positions in (parent or {}).items()},
            content={kind: np.array([*hashes, None], dtype=object)[:-1] for kind, hashes in (content or {}).items()},
        )

    return make
