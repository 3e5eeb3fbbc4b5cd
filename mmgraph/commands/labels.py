"""``cluster``, ``names``, ``label``, ``ask`` and ``update``: categories, and people in the loop."""

from pathlib import Path

from mmgraph.commands.words import number, one_run, taken
from mmgraph.errors import SettingsError


def cluster(words: list[str]) -> int:
    """Group the items of a kind."""
    usage = "mmgraph cluster RUN [--kind K] [--method kmeans|hdbscan|louvain|leiden] [--clusters N|auto] [--seeds N]"
    runs, given = taken(words, dict.fromkeys(("--kind", "--method", "--clusters", "--seeds"), 1), (), usage)
    path = one_run(runs, "cluster")
    clusters = None if given.get("--clusters", ["auto"]) == ["auto"] else number(given, "--clusters", int, None)
    seeds = number(given, "--seeds", int, 5)
    from rich.console import Console

    from mmgraph.clusters import cluster_run, write_outcome
    from mmgraph.outputs import clusters as shown

    done = cluster_run(path, given.get("--kind", [None])[0], given.get("--method", ["kmeans"])[0], clusters, seeds)
    console, ids = Console(), done.ids
    console.print(shown.clusters_table(done.outcome, ids))
    for table in shown.measured_tables(done.outcome.measured, done.outcome.kind, console.width):
        console.print(table)
    console.print(shown.said(done.outcome), highlight=False, markup=False, soft_wrap=True)
    for file in write_outcome(done):
        print(file)
    return 0


def names(words: list[str]) -> int:
    """Find categories from their names."""
    usage = "mmgraph names RUN NAMES.yaml"
    paths, _ = taken(words, {}, (), usage)
    if len(paths) != 2:
        raise SettingsError("names needs a run folder and a file of names", given=" ".join(paths) or "none", todo=usage)
    from rich.console import Console

    from mmgraph.naming import name_run, read_naming, write_named
    from mmgraph.outputs.summary import show_metrics

    named = name_run(Path(paths[0]), read_naming(Path(paths[1])))
    show_metrics(Console(), named.rows, ())
    for file in write_named(named):
        print(file)
    return 0


def label(words: list[str]) -> int:
    """Say what every unlabelled item is."""
    usage = "mmgraph label RUN [--field F] [--to FILE]"
    runs, given = taken(words, {"--field": 1, "--to": 1}, (), usage)
    path, to = one_run(runs, "label"), given.get("--to", [None])[0]
    from mmgraph.labelling import label_run

    said, files = label_run(path, given.get("--field", [None])[0], Path(to) if to else None)
    print(*(one.text for one in said), *files, sep="\n")
    return 0


def ask(words: list[str]) -> int:
    """List what is most worth labelling."""
    usage = "mmgraph ask RUN [--n N] [--field F] [--by STRATEGY] [--to FILE.csv]"
    runs, given = taken(words, dict.fromkeys(("--n", "--field", "--by", "--to"), 1), (), usage)
    path, to, n = one_run(runs, "ask"), given.get("--to", [None])[0], number(given, "--n", int, 20)
    from rich.console import Console

    from mmgraph.labelling import ask_run
    from mmgraph.outputs.questions import questions_table

    by = given.get("--by", ["uncertain"])[0]
    asked = ask_run(path, given.get("--field", [None])[0], n, by, Path(to) if to else None)
    Console().print(questions_table(asked.items))
    print(f"write into the column value one of: {', '.join(asked.classes)}", asked.file, sep="\n")
    return 0


def update(words: list[str]) -> int:
    """Take answers or new links."""
    usage = "mmgraph update RUN FILE.csv [--new-classes] [--epochs N] [--restart]"
    paths, given = taken(words, {"--epochs": 1}, ("--new-classes", "--restart"), usage)
    if len(paths) != 2:
        raise SettingsError(
            "update needs a run folder and a file of answers or links", given=" ".join(paths) or "none", todo=usage
        )
    epochs = number(given, "--epochs", int, None)
    from mmgraph.updating import update_run

    run, done = update_run(Path(paths[0]), Path(paths[1]), "--new-classes" in given, epochs, "--restart" in given)
    print(done.text, *(one.text for one in done.changes), run.updates, sep="\n")
    return 0
