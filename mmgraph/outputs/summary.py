"""What a person reads on the terminal when a run has ended."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from mmgraph.evaluate.contract import Row
from mmgraph.outputs.groups import group_table, grouped
from mmgraph.outputs.table import metrics_table
from mmgraph.runs import RunFolder

if TYPE_CHECKING:  # this imports torch, which takes seconds and is not needed to print
    from mmgraph.evaluate.answers import Answers


def show(run: RunFolder, answers: "Answers", quarantined: int) -> None:
    """Metrics beside the baselines, the verdicts, what was set aside, and the path of the report, last."""
    console = Console()
    show_metrics(console, answers.rows, (verdict.text for verdict in answers.verdicts))
    if quarantined:
        files = "file was" if quarantined == 1 else "files were"
        console.print(f"{quarantined} {files} set aside, see {run.quarantine}", highlight=False, markup=False, soft_wrap=True)
    last = run.report if run.report.exists() else run.path
    console.print(str(last), highlight=False, markup=False, soft_wrap=True)


def show_metrics(console: Console, rows: Sequence[Row], verdicts: Iterable[str], groups: bool = False) -> None:
    """The tables of the test split, and the verdicts; ``groups``: by group of queries as well."""
    for table in metrics_table(rows):
        console.print(table)
    if rows:
        console.print("* the best number of a column, in brackets its interval", style="dim", highlight=False)
    for one in grouped(rows) if groups else ():
        console.print(group_table(one))
    for text in verdicts:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
