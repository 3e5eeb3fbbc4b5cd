"""Metrics by group of queries, read back from the rows: how ours does beside the network and the best baseline in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from mmgraph.evaluate.contract import OURS, Row
from mmgraph.outputs.scoreboard import NETWORK, Board, boards, title_of
from mmgraph.outputs.terminal import ANY, number, table_of, widest

METRIC, MORE = "mrr", "hits@10"  # of links; of lists the main metric, and the recall of as many places
TITLES = {
    "answer_degree": "links of the answer",
    "query_degree": "links of the query",
    "modality": "the answer has",
    "warmth": "warm and cold",
    "users": "links of the user",
    "items": "what is held out",
}


@dataclass(frozen=True)
class Group:
    """Some queries of one target. cells: (method, metric) -> row, of the methods of the table; first: of its grouping."""

    grouping: str
    name: str
    n: int
    cells: dict[tuple[str, str], Row]
    first: bool

    @property
    def title(self) -> str:
        """The grouping in words."""
        return TITLES.get(self.grouping, self.grouping.replace("_", " "))


@dataclass(frozen=True)
class Grouped:
    """One target by groups. methods: ours, the network, and the baseline that is best over all queries."""

    target: str
    methods: tuple[str, ...]
    groups: tuple[Group, ...]
    left_out: int = 0
    metrics: tuple[str, str] = (METRIC, MORE)


def grouped(rows: Sequence[Row], most: int | None = None) -> list[Grouped]:
    """The test rows of groups, one table a target that has any; ``most``: groups of a grouping, those of the most queries."""
    found = [_grouped(board, rows, most) for board in boards(rows) if board.task != "categories" and not board.suffix]
    return [one for one in found if one.groups]


def _grouped(board: Board, rows: Sequence[Row], most: int | None) -> Grouped:
    methods = [name for name in (OURS, NETWORK, board.best_baseline) if name in board.methods]
    cells: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in rows:
        if row.group and row.target == board.target and row.split == board.split and row.method in methods:
            grouping, _, name = row.group.partition("=")
            cells.setdefault((grouping, name), {})[row.method, row.metric] = row
    shown: list[Group] = []
    for grouping in dict.fromkeys(grouping for grouping, _ in cells):
        names = [name for one, name in cells if one == grouping]
        sizes = {name: next(iter(cells[grouping, name].values())).n for name in names}
        kept = set(sorted(names, key=lambda name: -sizes[name])[:most])
        own = [name for name in names if name in kept]
        shown += [Group(grouping, name, sizes[name], cells[grouping, name], name == own[0]) for name in own]
    lists = board.main, f"recall@{board.main.partition('@')[2]}"
    metrics = {"links": (METRIC, MORE), "ratings": ("rmse", "mae")}.get(board.task, lists)
    return Grouped(board.target, tuple(name for name in methods if name), tuple(shown), len(cells) - len(shown), metrics)


def group_table(one: Grouped, width: int = ANY) -> Table:
    """A table for the terminal: MRR of each method, and Hits@10 of ours; as many of them have their intervals as fit into ``width``."""
    return widest((_table(one, n) for n in range(len(one.methods) + 1, -1, -1)), width)


def _table(one: Grouped, intervals: int) -> Table:
    main, more = one.metrics
    columns = [*((method, main) for method in one.methods), *((method, more) for method in one.methods[:1])]
    heads = [f"{method} {title_of(metric)}" for method, metric in columns]
    table = table_of(f"{one.target}  (test, by group)", ["group", "n", *heads], ["group"])
    for place, group in enumerate(one.groups):
        if group.first:
            if place:
                table.add_section()
            table.add_row(Text(group.title, style="dim"))
        cells = (number(group.cells.get(column), at < intervals) for at, column in enumerate(columns))
        table.add_row(Text(f"  {group.name}"), f"{group.n:,}", *cells)
    return table
