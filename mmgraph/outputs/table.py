"""Metrics as tables for a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mmgraph.evaluate.contract import OURS, Row
from mmgraph.outputs.scoreboard import Board, boards, lower_is_better, title_of

COLUMNS = 4  # what fits into a terminal of 100 columns


def metrics_table(rows: Sequence[Row], split: str = "test") -> list[Table]:
    """One table a target: methods x main metrics with their intervals; mmgraph bold, the best baseline cyan, ``*`` the best number."""
    return [_table(board) for board in boards(rows, split)]


def _table(board: Board) -> Table:
    shown = board.shown[:COLUMNS]
    counts = {row.n for (_, metric), row in board.cells.items() if metric == shown[0]}
    among = ", among items seen in training links" if any(row.candidates == "seen" for row in board.cells.values()) else ""
    title = f"{escape(board.title)}  ({board.split}, n = {max(counts, default=0)}{among})"
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("method", no_wrap=True)
    for metric in shown:
        table.add_column(title_of(metric) + (" (lower is better)" if lower_is_better(metric) else ""), justify="right")
    for method in board.methods:
        style = "bold green" if method == OURS else "cyan" if method == board.best_baseline else ""
        name = f"{method} (best baseline)" if method == board.best_baseline else method
        table.add_row(Text(name), *(_cell(board, method, metric) for metric in shown), style=style)
    return table


def _cell(board: Board, method: str, metric: str) -> Text:
    row = board.cells.get((method, metric))
    if row is None:
        return Text("–", style="dim")
    text = Text(f"{row.value:.3f}")
    if row.low is not None and row.high is not None:
        text.append(f" [{row.low:.3f}, {row.high:.3f}]", style="dim")
    return text.append("*" if board.is_best(method, metric) else " ")
