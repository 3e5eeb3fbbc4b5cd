"""Several finished runs in one table: every target and metric, with the difference to the first run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from rich.table import Table
from rich.text import Text

from mmgraph.errors import RunError
from mmgraph.evaluate.bootstrap import Statistic, draws, grouped, interval
from mmgraph.evaluate.contract import OURS, Row
from mmgraph.evaluate.metrics import LINK_METRICS
from mmgraph.outputs.reading import read_run
from mmgraph.outputs.scoreboard import Board, boards, lower_is_better, title_of
from mmgraph.outputs.table import COLUMNS
from mmgraph.outputs.terminal import number, table_of
from mmgraph.runs import RunFolder, finished_run
from mmgraph.settings import EvaluateSettings

Reals = npt.NDArray[np.float64]
_QUERY = ("source", "relation", "target", "direction")
_COLUMNS: dict[str, Any] = {**dict.fromkeys(_QUERY, pa.string()), "rank": pa.float64(), "candidates": pa.int64()}


@dataclass(frozen=True)
class Difference:
    """To the first run. paired: both ranked the same test links, which are drawn again together; else the interval is made of both
    runs' own intervals and is wider.
    """

    value: float
    low: float | None
    high: float | None
    paired: bool


@dataclass(frozen=True)
class Line:
    """One metric of one target: a row of each run, None where it has none, and each run's difference to the first."""

    task: str
    target: str
    metric: str
    rows: tuple[Row | None, ...]
    differences: tuple[Difference | None, ...]


def compare(paths: Sequence[Path], method: str = OURS, every: bool = False) -> list[Line]:
    """The test metrics of ``method`` in each run; ``every`` metric, or only those that the tables of a run show.

    Raises RunError for a folder that is no finished run, for fewer than two, and where no run has the method.
    """
    if len(paths) < 2:
        given = ", ".join(map(str, paths)) or "none"
        raise RunError("compare needs two runs at least", given=given, todo="mmgraph compare RUN RUN ...")
    opened = [finished_run(path) for path in paths]
    read = [read_run(run).rows for run, _ in opened]
    found = [
        {(row.target, row.metric): row for row in rows if row.split == "test" and row.method == method and not row.group}
        for rows in read
    ]
    if not any(found):
        names = dict.fromkeys(row.method for rows in read for row in rows)
        raise RunError("no run has this method", given=method, todo=f"there are: {', '.join(names) or 'none'}")
    lines = []
    for board in _boards(read, every):
        ranks = [_Ranks.of(run, board.target, method) if board.task == "links" else None for run, _ in opened]
        for metric in board.shown if every else board.shown[:COLUMNS]:
            name = metric + board.suffix
            rows = tuple(one.get((board.target, name)) for one in found)
            others = [_difference(rows, ranks, place, name, opened[0][1].evaluate) for place in range(1, len(rows))]
            if any(rows):
                lines.append(Line(board.task, board.title, metric, rows, (None, *others)))
    return lines


def _boards(read: Sequence[Sequence[Row]], every: bool) -> list[Board]:
    """Each target once, of the first run that has it; ``every``: also among the items of one parent."""
    by_target: dict[tuple[str, str], Board] = {}
    for rows in read:
        for board in boards(rows):
            if every or not board.suffix:
                by_target.setdefault((board.task, board.title), board)
    return list(by_target.values())


@dataclass(frozen=True)
class _Ranks:
    """The ranks of one method's test queries, in the order of their names; ``unit`` numbers the link of each."""

    queries: pa.Table
    rank: Reals
    candidates: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]

    @classmethod
    def of(cls, run: RunFolder, question: str, method: str) -> "_Ranks | None":
        if not run.ranks.exists():
            return None
        field = pyarrow.compute.field
        try:
            chosen = (field("question") == question) & (field("method") == method)
            table = pyarrow.parquet.read_table(run.ranks, columns=list(_COLUMNS), filters=chosen).cast(
                pa.schema(_COLUMNS.items())
            )
            table = table.sort_by([(name, "ascending") for name in _QUERY])
            queries = table.select(list(_QUERY))
            rank, candidates = (table[name].to_numpy() for name in ("rank", "candidates"))
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise RunError(f"cannot read {run.ranks}", given=error, todo="run `mmgraph fit` again") from error
        new = np.zeros(len(queries), bool)
        for name in _QUERY[:3]:
            column = np.asarray(queries[name].to_numpy(zero_copy_only=False), object)
            new[1:] |= column[1:] != column[:-1]
        return cls(queries, rank, candidates, np.cumsum(new)) if len(queries) else None

    def statistic(self, metric: str) -> Statistic:
        return Statistic(grouped(np.stack(LINK_METRICS[metric](self.rank, self.candidates), axis=1), self.unit))


def _difference(
    rows: Sequence[Row | None], ranks: Sequence[_Ranks | None], place: int, metric: str, settings: EvaluateSettings
) -> Difference | None:
    first, row = rows[0], rows[place]
    if first is None or row is None:
        return None
    one, two = ranks[0], ranks[place]
    if one is not None and two is not None and metric in LINK_METRICS and one.queries.equals(two.queries):
        return _paired(one.statistic(metric), two.statistic(metric), settings)
    return _unpaired(first, row)


def _paired(first: Statistic, second: Statistic, settings: EvaluateSettings) -> Difference:
    difference = second.value - first.value
    if not settings.bootstrap:
        return Difference(difference, None, None, paired=True)
    before, now = draws([first, second], settings.bootstrap, seed=0)
    return Difference(difference, *interval(now - before, settings.level), paired=True)


def _unpaired(first: Row, second: Row) -> Difference:
    """The interval of a difference from those of its two ends (method of variance estimates recovery, Zou & Donner 2008)."""
    difference = second.value - first.value
    ends = (first.low, first.high, second.low, second.high)
    if None in ends:
        return Difference(difference, None, None, paired=False)
    low_1, high_1, low_2, high_2 = (float(end) for end in ends if end is not None)
    low = difference - math.hypot(second.value - low_2, high_1 - first.value)
    high = difference + math.hypot(high_2 - second.value, first.value - low_1)
    return Difference(difference, low, high, paired=False)


def comparison_table(lines: Sequence[Line], names: Sequence[str]) -> Table:
    """Rows: targets and metrics, of each the runs; columns: the number, its difference to the first run's, and the interval of that."""
    table = table_of("", ("metric", "run", "", "difference", "interval"), ("metric", "run"))
    before = None
    for line in lines:
        if line.target != before:
            table.add_section()
            table.add_row(Text(line.target, style="bold"))
        before = line.target
        lower = lower_is_better(line.metric)
        shown = title_of(line.metric) + (" ↓" if lower else "")
        for place, (name, row, difference) in enumerate(zip(names, line.rows, line.differences, strict=True)):
            table.add_row(
                Text("" if place else f"  {shown}"), Text(name), number(row, interval=False), *_cells(difference, lower)
            )
    return table


def _cells(difference: Difference | None, lower: bool) -> tuple[Text, Text]:
    if difference is None:
        return Text(""), Text("")
    style, between = "dim", ""
    if difference.low is not None and difference.high is not None:
        between = f"[{difference.low:+.3f}, {difference.high:+.3f}]"
        if difference.low > 0 or difference.high < 0:
            style = "green" if (difference.low > 0) != lower else "red"
    return Text(f"{difference.value:+.3f}{'' if difference.paired else ' ~'}", style=style), Text(between, style=style)


def short_names(paths: Sequence[Path]) -> list[str]:
    """The last parts of the paths that tell them apart.

    >>> short_names([Path("a/one"), Path("b/two")]), short_names([Path("a/one"), Path("b/one")])
    (['one', 'two'], ['a/one', 'b/one'])
    """
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts), default=1)):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def note(lines: Sequence[Line]) -> Mapping[bool, str]:
    """What to say below the table: of paired and of unpaired differences, those that it has."""
    has = {one.paired for line in lines for one in line.differences if one is not None}
    said = {
        True: "differences are to the first run; the test queries are the same, so their intervals are paired",
        False: "~ unpaired: the runs were tested on other queries (or do not say on which), so the interval is made of both runs' own",
    }
    return {paired: text for paired, text in said.items() if paired in has}
