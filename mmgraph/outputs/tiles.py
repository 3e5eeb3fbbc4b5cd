"""The best targets of many sources where neither all scores nor a row of them needs to be in memory at once."""

from collections.abc import Iterator

import numpy as np

from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.prepared import Prepared
from mmgraph.outputs.predictions import KnownTargets, Top, finite, ranked
from mmgraph.types import Floats, Ints

SOURCES = 1024  # of a block
CELLS = 2**24  # scores of a tile: 64 MiB, and as much again for what is compared


def tiled_links(question: LinkQuestion, method: Prepared, top_k: int, sources: Ints) -> Iterator[tuple[int, Top]]:
    """As ``top_links``, tile by tile of SOURCES sources and as many targets as CELLS allows; the same rows."""
    known, targets = KnownTargets(question), question.count("target")
    width = max(1, CELLS // SOURCES)
    for first in range(0, len(sources), SOURCES):
        queries = sources[first : first + SOURCES]
        row, target = known.of(queries)
        order = np.argsort(target, kind="stable")
        row, target, own = row[order], target[order], np.zeros(len(row), np.float32)
        best = Running(len(queries), min(top_k, targets))
        for start in range(0, targets, width):
            stop = min(start + width, targets)
            scores = method.tile(queries, start, stop)
            finite(scores, method, question)
            low, high = np.searchsorted(target, [start, stop])
            here = row[low:high], target[low:high] - start
            own[low:high] = scores[here]
            scores[here] = -np.inf
            if known.loops:
                itself = np.flatnonzero((queries >= start) & (queries < stop))
                scores[itself, queries[itself] - start] = -np.inf
            best.add(scores, start)
        yield len(queries), ranked(queries, best.found(), (row, target, own), top_k)


class Running:
    """The ``k`` largest scores of each of ``rows`` rows so far; of equal ones the first columns. -inf is no score."""

    def __init__(self, rows: int, k: int) -> None:
        self._value = np.full((rows, k), -np.inf, np.float32)
        self._column = np.zeros((rows, k), np.int64)

    def add(self, scores: Floats, start: int) -> None:
        """``scores`` float32 [rows, some]: of the columns from ``start`` on, which come after all that were added before."""
        k = self._value.shape[1]
        if not k or not scores.size:
            return
        bound = self._value[:, -1]
        hits = scores > bound[:, None]
        if np.isneginf(bound).any() and scores.shape[1] > k:  # else nearly all would be sorted
            own = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
            hits &= scores >= own[:, None]
        row, column = np.nonzero(hits)
        if not len(row):
            return
        touched = np.unique(row)
        self._merge(touched, np.searchsorted(touched, row), column + start, scores[row, column])

    def _merge(self, touched: Ints, row: Ints, column: Ints, value: Floats) -> None:
        k = self._value.shape[1]
        rows = np.concatenate((np.repeat(np.arange(len(touched)), k), row))
        columns = np.concatenate((self._column[touched].ravel(), column))
        values = np.concatenate((self._value[touched].ravel(), value))
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, np.arange(len(touched)))[rows]
        keep = rank < k
        self._value[touched], self._column[touched] = values[keep].reshape(-1, k), columns[keep].reshape(-1, k)

    def found(self) -> tuple[Ints, Ints, Floats, Ints]:
        """Row, column, score and rank from 1, row by row."""
        row, place = np.nonzero(np.isfinite(self._value))
        return row, self._column[row, place], self._value[row, place], place + 1
