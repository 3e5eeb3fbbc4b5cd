"""Metrics as tables for a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mmgraph.evaluate.contract import OURS, Row
from mmgraph.outputs.scoreboard import Board, boards, lower_is_better, title_of
from mmgraph.outputs.terminal import ANY, number, table_of, widest

COLUMNS = 4
KEY = "* best, in brackets its interval; † best baseline; ↓ lower is better"


def metrics_table(rows: Sequence[Row], split: str = "test", width: int = ANY) -> list[Table]:
    """One table a target: methods x main metrics; mmgraph bold, the best baseline cyan; the signs are those of KEY.

    What does not fit into ``width`` columns is left out: intervals first, the main metric's never, then the last metrics.
    """
    layouts = [*((COLUMNS, n) for n in range(COLUMNS, 0, -1)), *((n, 1) for n in range(COLUMNS - 1, 0, -1))]
    return [widest((_table(board, *one) for one in layouts), width) for board in boards(rows, split)]


def _table(board: Board, metrics: int, intervals: int) -> Table:
    shown = board.shown[:metrics]
    counts = {row.n for (_, metric), row in board.cells.items() if metric == shown[0]}
    among = ", among items seen in training links" if any(row.candidates == "seen" for row in board.cells.values()) else ""
    title = f"{board.title}  ({board.split}, n = {max(counts, default=0)}{among})"
    heads = [title_of(metric) + (" ↓" if lower_is_better(metric) else "") for metric in shown]
    table = table_of(title, ["method", *heads], ["method"])
    for method in board.methods:
        style = "bold green" if method == OURS else "cyan" if method == board.best_baseline else ""
        name = f"{method} †" if method == board.best_baseline else method
        cells = (_cell(board, method, metric, place < intervals) for place, metric in enumerate(shown))
        table.add_row(Text(name), *cells, style=style)
    return table


def _cell(board: Board, method: str, metric: str, interval: bool) -> Text:
    text = number(board.cells.get((method, metric)), interval)
    return text.append("*" if board.is_best(method, metric) else " ")
