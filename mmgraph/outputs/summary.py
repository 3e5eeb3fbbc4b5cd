"""What a person reads on the terminal when a run has ended."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mmgraph.evaluate.contract import Row
from mmgraph.outputs.groups import group_table, grouped
from mmgraph.outputs.table import KEY, metrics_table
from mmgraph.runs import RunFolder, read_json

if TYPE_CHECKING:  # this imports torch, which takes seconds and is not needed to print
    from mmgraph.evaluate.answers import Answers


def show(run: RunFolder, answers: "Answers", quarantined: int) -> None:
    """Metrics beside the baselines, the verdicts, what was set aside, and the path of the report, last."""
    console = Console()
    show_metrics(console, answers.rows, (verdict.text for verdict in answers.verdicts))
    if run.models.exists():
        console.print(tried(read_json(run.models)), highlight=False, markup=False, soft_wrap=True)
    if quarantined:
        files = "file was" if quarantined == 1 else "files were"
        console.print(f"{quarantined} {files} set aside, see {run.quarantine}", highlight=False, markup=False, soft_wrap=True)
    last = run.report if run.report.exists() else run.path
    console.print(str(last), highlight=False, markup=False, soft_wrap=True)


def tried(models: Sequence[Mapping[str, Any]]) -> str:
    """Which model was taken for what, of those in ``models.json``, and the mean figure of each.

    >>> sgc = {"name": "sgc", "value": 0.75, "chosen": True, "heads": ["a/r/b", "a.x"]}
    >>> tried([{"name": "sage", "value": 0.5, "chosen": False, "heads": []}, sgc])
    'of 2 models validation chose sgc (0.750); sage 0.500'
    >>> tried([{"name": "sage", "value": 0.5, "chosen": False, "heads": ["a.x"]}, sgc | {"heads": ["a/r/b"]}])
    'of 2 models validation chose sgc for a/r/b, sage for a.x (in the mean sgc 0.750, sage 0.500)'
    """
    main = next(one for one in models if one["chosen"])
    answer = [main, *(one for one in models if one["heads"] and one is not main)]
    of = f"of {len(models)} models validation chose"
    if len(answer) == 1:
        others = [f"{one['name']} {one['value']:.3f}" for one in models if one is not main]
        return "; ".join([f"{of} {main['name']} ({main['value']:.3f})", *others])
    taken = ", ".join(f"{one['name']} for {' and '.join(one['heads']) or 'embeddings'}" for one in answer)
    means = ", ".join(f"{one['name']} {one['value']:.3f}" for one in sorted(models, key=lambda one: -one["value"]))
    return f"{of} {taken} (in the mean {means})"


def show_metrics(console: Console, rows: Sequence[Row], verdicts: Iterable[str], groups: bool = False) -> None:
    """The tables of the test split, and the verdicts; ``groups``: by group of queries as well."""
    for table in metrics_table(rows, width=console.width):
        console.print(table)
    if rows:
        console.print(KEY, style="dim", highlight=False)
    for one in grouped(rows) if groups else ():
        console.print(group_table(one, console.width))
    for text in verdicts:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
