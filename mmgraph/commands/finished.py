"""``evaluate``, ``compare``, ``predict`` and ``export``: what is asked of finished runs."""

from pathlib import Path
from typing import Any

from mmgraph.commands.words import number, one_run, taken
from mmgraph.errors import SettingsError


def evaluate(words: list[str]) -> int:
    """Print the metrics of a run, or measure them anew."""
    runs, given = taken(words, {}, ("--again", "--groups"), "mmgraph evaluate RUN [--again] [--groups]")
    path = one_run(runs, "evaluate")
    from rich.console import Console

    from mmgraph.outputs.reading import read_run
    from mmgraph.outputs.seeds import read_summary, show_summary
    from mmgraph.outputs.summary import show_metrics
    from mmgraph.runs import finished_run

    if (found := read_summary(path)) is not None:
        show_summary(Console(), found)
        return 0
    if "--again" not in given:
        files = read_run(finished_run(path)[0])
        show_metrics(Console(), files.rows, (str(one["text"]) for one in files.verdict), "--groups" in given)
        return 0
    from mmgraph.rerun import evaluate_again, same_numbers

    answers, apart = evaluate_again(path)
    show_metrics(Console(), answers.rows, (one.text for one in answers.verdicts), "--groups" in given)
    print(same_numbers(apart))
    return 0


def compare(words: list[str]) -> int:
    """Put runs into one table."""
    usage = "mmgraph compare RUN RUN ... [--method NAME] [--all]"
    runs, given = taken(words, {"--method": 1}, ("--all",), usage)
    from rich.console import Console

    from mmgraph.evaluate.contract import OURS
    from mmgraph.outputs.compare import compare, comparison_table, note, short_names
    from mmgraph.outputs.seeds import runs_in

    paths = runs_in([Path(run) for run in runs])
    lines = compare(paths, given.get("--method", [OURS])[0], "--all" in given)
    console = Console()
    console.print(comparison_table(lines, short_names(paths)))
    for text in note(lines).values():
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    return 0


def predict(words: list[str]) -> int:
    """Stream the likeliest links."""
    usage = (
        "mmgraph predict RUN [--relation SOURCE/NAME/TARGET] [--source ID ...] [--top-k N] [--threshold P] [--exclude-known]"
    )
    usage += " [--format parquet|csv|json] [--to FILE] [--approximate [--recall R]]"
    values = ("--relation", "--top-k", "--threshold", "--format", "--to", "--recall")
    runs, given = taken(words, dict.fromkeys(values, 1) | {"--source": 0}, ("--exclude-known", "--approximate"), usage)
    path = one_run(runs, "predict")
    from mmgraph.outputs.predict import Asked, write_predictions
    from mmgraph.outputs.write import predicted
    from mmgraph.rerun import link_answer

    if "--recall" in given and "--approximate" not in given:
        raise SettingsError("--recall is for an approximate search", todo="give --approximate as well")
    to = given.get("--to", [None])[0]
    wanted: Any = given.get("--format", [Path(to).suffix[1:] if to and Path(to).suffix else "parquet"])[0]
    asked = Asked(
        sources=tuple(given.get("--source", ())),
        top_k=number(given, "--top-k", int, 10),
        threshold=number(given, "--threshold", float, None),
        exclude_known="--exclude-known" in given,
        format=wanted,
        to=Path(to) if to else None,
        approximate="--approximate" in given,
        recall=number(given, "--recall", float, 0.95),
    )
    answer = link_answer(path, given.get("--relation", [None])[0])
    done = write_predictions(predicted(answer), asked, path / "predictions")
    print(answer.trust.text)
    print(done.text)
    print(done.path)
    return 0


def export(words: list[str]) -> int:
    """Write the graph for others."""
    usage = "mmgraph export RUN --to parquet|graphml|neo4j --out FOLDER [--predictions] [--embeddings]"
    runs, given = taken(words, {"--to": 1, "--out": 1}, ("--predictions", "--embeddings"), usage)
    path = one_run(runs, "export")
    lacking = [name for name in ("--to", "--out") if name not in given]
    if lacking:
        raise SettingsError(f"export needs {lacking[0]}", todo=usage)
    from mmgraph.outputs.export.write import export_run

    more = {"predictions": "--predictions" in given, "embeddings": "--embeddings" in given}
    for file in export_run(path, given["--to"][0], Path(given["--out"][0]), **more):
        print(file)
    return 0
