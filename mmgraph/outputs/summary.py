"""What a person reads on the terminal when a run has ended."""

from rich.console import Console

from mmgraph.evaluate.answers import Answers
from mmgraph.outputs.table import metrics_table
from mmgraph.runs import RunFolder


def show(run: RunFolder, answers: Answers, quarantined: int) -> None:
    """Metrics beside the baselines, the verdicts, what was set aside, and the path of the report, last."""
    console = Console()
    for table in metrics_table(answers.rows):
        console.print(table)
    for verdict in answers.verdicts:
        console.print(verdict.text, highlight=False, markup=False, soft_wrap=True)
    if quarantined:
        files = "file was" if quarantined == 1 else "files were"
        console.print(f"{quarantined} {files} set aside, see {run.quarantine}", highlight=False, markup=False, soft_wrap=True)
    last = run.report if run.report.exists() else run.path
    console.print(str(last), highlight=False, markup=False, soft_wrap=True)
