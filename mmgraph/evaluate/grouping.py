"""The metrics of links by group: per relation, per degree, per modality, warm and cold; whatever ``groupings/`` holds.

The ranks are those of the whole test split; nothing is ranked again. An interval draws again the edges of its group alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mmgraph import registry
from mmgraph.evaluate.bootstrap import Statistic, grouped
from mmgraph.evaluate.contract import Asked, Grouping, Row, Texts
from mmgraph.evaluate.evaluate import Measured, Ranked, rows_of
from mmgraph.evaluate.metrics import LINK_METRICS
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Ints

_SIZES = ((1, "0"), (4, "1-3"), (16, "4-15"))


def by_size(counts: Ints) -> Texts:
    """Names of the buckets that counts fall into, each four times as wide as the one before.

    >>> by_size(np.array([0, 3, 4, 15, 16, 900])).tolist()
    ['0', '1-3', '4-15', '4-15', '16+', '16+']
    """
    return np.select([counts < below for below, _ in _SIZES], [name for _, name in _SIZES], "16+")


def group_rows(ranked: Sequence[Ranked], settings: EvaluateSettings) -> list[Row]:
    """Every metric of every group of test queries; ``ranked``: what several methods gave the same links of one question.

    A query is an edge asked from one side, so an edge may have its two queries in two groups.
    """
    if not ranked or not len(ranked[0].edges):
        return []
    question, edges = ranked[0].question, ranked[0].edges
    assert all(one.question is question and np.array_equal(one.edges, edges) for one in ranked)
    asked, units = Asked.of(question, edges), np.tile(question.units(edges), len(question.directions))
    rows = []
    for name in registry.discover("grouping"):
        grouping: Grouping = registry.create("grouping", name)
        for group, those in _each(grouping.groups(asked)):
            measured = _measured(ranked, those, units[those])
            rows += rows_of("links", question.name, "test", measured, settings, question.seed, f"{name}={group}")[0]
    return rows


def _each(names: Texts) -> Iterator[tuple[str, Bools]]:
    """Groups with a name, numbers in their order, and which queries are in each."""
    for name in sorted({str(one) for one in names} - {""}, key=_place):
        yield name, names == name


def _place(name: str) -> tuple[int, str]:
    start = name.rstrip("+").partition("-")[0]
    return (int(start) if start.isdecimal() else -1, name)


def _measured(ranked: Sequence[Ranked], those: Bools, units: Ints) -> Measured:
    out: Measured = {}
    for one in ranked:
        rank, candidates = (np.concatenate([side[column] for side in one.asked])[those] for column in (0, 1))
        for metric, per_query in LINK_METRICS.items():
            sums = np.stack(per_query(rank, candidates), axis=1)
            out[one.method, metric] = Statistic(grouped(sums, units)), len(sums)
    return out
