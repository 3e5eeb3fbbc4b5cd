"""Several runs that differ in their seed alone, as one: means, deviations and intervals over seeds, beside those over queries."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text
from scipy.stats import t as student

from mmgraph.errors import RunError
from mmgraph.evaluate.contract import OURS, Row, TaskName
from mmgraph.outputs.reading import RunFiles
from mmgraph.outputs.scoreboard import NETWORK, Board, boards, lower_is_better, title_of
from mmgraph.outputs.terminal import table_of, widest
from mmgraph.runs import read_json, write_json

FILE = "seeds.json"
Key = tuple[TaskName, str, str, str, str]
"""Task, target, split, method, metric."""
_SHOWN = 3  # metrics of a table beside the intervals of the first


@dataclass(frozen=True)
class Spread:
    """One metric over seeds. deviation: of one run (n - 1); low, high: Student's t interval of the mean, None of one run alone; n:
    runs that have it; query_low, query_high: mean ends of the runs' own intervals over queries or items, None where one has none.
    """

    task: TaskName
    target: str
    split: str
    method: str
    metric: str
    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    n: int
    values: tuple[float, ...]
    query_low: float | None
    query_high: float | None


@dataclass(frozen=True)
class Lead:
    """mmgraph minus the baseline that is best over all seeds (of an error the other way round, so that more is better), paired by seed:
    mean ``difference``, and its interval as above.
    """

    task: TaskName
    target: str
    metric: str
    baseline: str
    difference: float
    deviation: float | None
    low: float | None
    high: float | None
    n: int
    values: tuple[float, ...]
    text: str


@dataclass(frozen=True)
class Summary:
    """seeds.json. split: whether it was made anew by each ``seed``, or is the ``same`` for all."""

    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    level: float
    split: str
    metrics: tuple[Spread, ...]
    differences: tuple[Lead, ...]


def summary(files: Sequence[RunFiles], seeds: Sequence[int], names: Sequence[str], level: float, varies: bool) -> Summary:
    """What the runs say together; rows of groups of queries are left to the runs."""
    rows = [[row for row in one.rows if not row.group] for one in files]
    keys = dict.fromkeys((row.task, row.target, row.split, row.method, row.metric) for one in rows for row in one)
    tables = [{(row.task, row.target, row.split, row.method, row.metric): row for row in one} for one in rows]
    spreads = tuple(_spread(key, [table[key] for table in tables if key in table], level) for key in keys)
    main = {str(one["target"]): str(one["metric"]) for run in files for one in run.verdict}
    leads = (_lead(target, metric, spreads, tables, level) for target, metric in main.items())
    return Summary(
        tuple(seeds),
        tuple(names),
        level,
        "seed" if varies else "same",
        spreads,
        tuple(one for one in leads if one is not None),
    )


def over(values: Sequence[float], level: float) -> tuple[float, float | None, float | None, float | None]:
    """(mean, standard deviation, low, high): Student's t interval of the mean (Student 1908); only the mean of a single value.

    >>> [round(one, 3) for one in over([1.0, 2.0, 3.0], 0.95)]
    [2.0, 1.0, -0.484, 4.484]
    """
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return mean, None, None, None
    deviation = float(np.std(values, ddof=1))
    half = float(student.ppf((1.0 + level) / 2.0, n - 1)) * deviation / math.sqrt(n)
    return mean, deviation, mean - half, mean + half


def _spread(key: Key, rows: Sequence[Row], level: float) -> Spread:
    values = tuple(row.value for row in rows)
    mean, deviation, low, high = over(values, level)
    ends = [[end for end in side if end is not None] for side in ([r.low for r in rows], [r.high for r in rows])]
    query_low, query_high = (float(np.mean(side)) if len(side) == len(rows) else None for side in ends)
    return Spread(*key, mean, deviation, low, high, len(rows), values, query_low, query_high)


def _lead(
    target: str,
    metric: str,
    spreads: Sequence[Spread],
    tables: Sequence[dict[Key, Row]],
    level: float,
) -> Lead | None:
    mine = {one.method: one for one in spreads if (one.target, one.metric, one.split) == (target, metric, "test")}
    baselines = [one for name, one in mine.items() if name not in (OURS, NETWORK)]
    if OURS not in mine or not baselines:
        return None
    sign = -1.0 if lower_is_better(metric) else 1.0  # as in a verdict: more is better
    best = max(baselines, key=lambda one: (one.n, sign * one.mean))  # one that only some runs have cannot be paired with all
    keys = [(best.task, target, "test", method, metric) for method in (OURS, best.method)]
    there = [[table[key].value for key in keys] for table in tables if all(key in table for key in keys)]
    values = tuple(sign * ours - sign * other for ours, other in there)
    mean, deviation, low, high = over(values, level)
    start = f"{target}: mmgraph {title_of(metric)} {mine[OURS].mean:.3f} against {best.mean:.3f} for {best.method}"
    text = f"{start}, means of {len(values)} seeds: {_judged(mean, low, high)}"
    return Lead(best.task, target, metric, best.method, mean, deviation, low, high, len(values), values, text)


def _judged(mean: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"difference {mean:+.3f}, of one seed, without an interval"
    between = f"{mean:+.3f} ({low:+.3f} to {high:+.3f}), paired by seed"
    return f"better, {between}" if low > 0 else f"worse, {between}" if high < 0 else f"no clear difference, {between}"


def write_summary(found: Summary, folder: Path) -> None:
    """``seeds.json`` in the folder that holds the runs."""
    write_json(folder / FILE, asdict(found))


def read_summary(folder: Path) -> Summary | None:
    """What ``write_summary`` wrote, None where it is not there; raises RunError where it is broken."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return msgspec.convert(read_json(path), Summary)
    except msgspec.ValidationError as error:
        raise RunError(f"{path} is broken", given=error, todo="run `mmgraph fit --seeds` again") from error


def runs_in(paths: Sequence[Path]) -> list[Path]:
    """The paths, and in place of a folder of several seeds its runs."""
    found = [(path, read_summary(path)) for path in paths]
    return [run for path, one in found for run in ([path] if one is None else [path / name for name in one.runs])]


def show_summary(console: Console, found: Summary) -> None:
    """One table a target of the test split, then how far mmgraph leads."""
    for table in _tables(found, console.width):
        console.print(table)
    made = "made anew by each seed" if found.split == "seed" else "the same for all"
    console.print(f"seeds {', '.join(map(str, found.seeds))}; the split is {made}", highlight=False)
    for one in found.differences:
        console.print(one.text, highlight=False, markup=False, soft_wrap=True)


def _tables(found: Summary, width: int) -> list[Table]:
    """As many metrics beside the main one as fit."""
    means = [
        Row(one.task, one.target, one.split, one.method, one.metric, one.mean, one.low, one.high, one.n)
        for one in found.metrics
    ]
    return [widest((_table(found, board, n) for n in range(_SHOWN, 0, -1)), width) for board in boards(means)]


def _table(found: Summary, board: Board, shown: int) -> Table:
    cells = {(one.target, one.split, one.method, one.metric): one for one in found.metrics}
    main, *more = board.shown[:shown]
    heads = ["method", title_of(main), "over seeds", "over queries", *(title_of(one) for one in more)]
    table = table_of(f"{board.title}  (test, {len(found.seeds)} seeds)", heads, ["method"])
    for method in board.methods:
        style = "bold green" if method == OURS else "cyan" if method == board.best_baseline else ""
        own = [cells.get((board.target, "test", method, metric + board.suffix)) for metric in (main, *more)]
        first = own[0]
        ends = [] if first is None else [(first.low, first.high), (first.query_low, first.query_high)]
        between = [_between(*pair) for pair in ends] or ["–", "–"]
        table.add_row(Text(method), _mean(first), *between, *(_mean(one) for one in own[1:]), style=style)
    return table


def _mean(one: Spread | None) -> str:
    if one is None:
        return "–"
    return f"{one.mean:.3f}" if one.deviation is None else f"{one.mean:.3f} ± {one.deviation:.3f}"


def _between(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.3f}–{high:.3f}"
