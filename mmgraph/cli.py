"""The command line: a table of commands, each imported when it is called."""

import importlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmgraph.errors import MMGraphError, SettingsError

_HELP = """usage: mmgraph COMMAND ...

From raw media to predicted links.

commands:
  fit --config FILE [--section.key VALUE ...]   read media, build the graph, train, evaluate, predict, report
  encode --config FILE [...]                    only read and encode the media; fit then starts from the store
  evaluate RUN [--again] [--groups]             the metrics of a finished run; again: measured anew from its checkpoints
  compare RUN RUN ...                           finished runs in one table, with the difference to the first and its interval
  ablate RUN [--relations]                      fit again without links, each modality, other tasks: what each is worth; into the report
  predict RUN [--relation SOURCE/NAME/TARGET]   the most likely links of a finished run, streamed to a file
  recommend RUN [--user ID ...|--liked ID ...]  what each user will want, streamed to a file; similar RUN --item ID: what is alike
  export RUN --to FORMAT --out FOLDER           the graph of a run as parquet, graphml or neo4j
  order RUN [VIDEO] [--held-out]                the segments of a video in order, by what the run knows of other videos
  gaps RUN [VIDEO]                              links that are missing between known chains of a video, and pieces that are
  cluster RUN [--kind K] [--method M]           which items of a kind belong together: clusters with names, and a page with a map
  names RUN NAMES.yaml                          which of some named categories each item is of, without labels (docs/formats.md)
  label RUN [--field F] [--to FILE]             the class of every unlabelled item, and the nearest three that have one
  ask RUN [--n N] [--field F]                   the unlabelled items that are most worth labelling next, as a table to fill in
  update RUN FILE.csv [--new-classes]           take such a table as labels, or new links: train on from the checkpoint, predict anew
  sample DIR [--seed N] [--listening]           write the sample corpus: real videos, images, music, texts and tables
  settings                                      every setting with its type and default
  encoders [--json]                             installed encoders, and whether their weights are at hand
  encoders pull --config FILE [...]             fetch what a configuration needs, for use without network
  doctor [--config FILE ...] [--json]           what this machine can do, and what keeps a fit from running

options of fit:
  --print_config     print the resolved settings and stop
  --restart          throw away what an earlier run left in run.dir
  --seeds N | A,B    as often, from run.seed on, each in a folder below run.dir; means and intervals over seeds (--same-split for all)
  --dry-run          the memory and the time that it would take, in tables; nothing is written to run.dir
options of evaluate:
  --groups           also by relation, by how often an item is linked, by modality, warm and cold
options of ablate:
  --relations        also without each relation on its own
options of compare:
  --method NAME      instead of mmgraph, what each run hands out; --all: every metric
options of predict:
  --source ID ...    only of these items; --top-k N (10): of each; --threshold P: at least so probable; --exclude-known
  --format F         parquet (as it is), csv or json; --to FILE: instead of one in the run's predictions/
  --approximate      by an index of nearest neighbours (faiss), whose recall is measured and said; --recall R (0.95) is aimed at
options of recommend and similar:
  --liked ID ...     recommend: for somebody who is no user of the run and likes these items, without training
  --top-k N (20)     of each; --kind K: of items; --exclude-known: not what the user has; --explain: what speaks for each, in columns
  --format F, --to FILE: as for predict; --relation SOURCE/NAME/TARGET where there are several
options of export:
  --predictions      with the predicted links; --embeddings: with the vectors of items (not graphml)
options of order and gaps:
  --relation SOURCE/NAME/TARGET, --method NAME: instead of mmgraph; --to FILE: as .parquet, .csv or .json (docs/formats.md)
  --held-out         order: only videos none of whose links was trained on; without VIDEO every video, and Kendall's tau by method
  --longer S         gaps: between known neighbours, in seconds (1); --below SHARE (0.5): neighbours that have less of chance are a jump
options of cluster:
  --method M         kmeans, hdbscan, louvain, or leiden (extra leiden); --clusters N|auto: by the method's criterion (auto)
  --seeds N          runs that say how stable it is (5)
options of ask:
  --by STRATEGY      uncertain, badge, core_set, typical or random; --n N (20): items; --to FILE.csv: instead of RUN/asked.csv
options of update:
  --new-classes      answers may name classes that the field has not had; --epochs N: at most (a quarter of those of fit, a tenth for links)
  --restart          forget an update with another file that was cut off; the same update goes on by itself
options of encode:
  --engine ray       over a Ray cluster (docs/cluster.md); the same as --encoders.engine ray
options of encoders pull:
  --all              all encoders that are listed, not only the first of each modality that can be had
  --to FOLDER        as folders below FOLDER instead of the hub's cache; says which setting to write
  --version, --help

exit status: 0 done, 1 nothing usable is left, 2 a mistake in what was given, 130 interrupted (the same command resumes)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and exit status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except MMGraphError as error:
        print(f"mmgraph: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        again = "the same command without --restart" if "--restart" in words else "the same command"
        print(f"mmgraph: interrupted; {again} goes on from here", file=sys.stderr)
        return 130
    except OSError as error:
        reason = " ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        print(f"mmgraph: the machine refused: {reason}; free or choose another folder", file=sys.stderr)
        return 2


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help") or set(words[1:]) & {"-h", "--help"}:
        print(_HELP, end="")
        return 0
    if words[0] == "--version":
        print(importlib.import_module("importlib.metadata").version("mmgraph"))
        return 0
    command = _COMMANDS.get(words[0])
    if command is None:
        raise SettingsError("no such command", given=words[0], todo=f"known: {', '.join(_COMMANDS)}")
    return command(words[1:])


def _configured(words: list[str], known: Sequence[str] = ("--print_config", "--restart")) -> tuple[Any, set[str]]:
    """Take --config and the flags out of the words; the rest overrides settings."""
    from mmgraph.configuration import load

    flags = {word for word in words if word in known}
    words = [word for word in words if word not in flags]
    path, rest = None, []
    while words:
        word = words.pop(0)
        if word == "--config" and words:
            path = words.pop(0)
        elif word.startswith("--config="):
            path = word.partition("=")[2]
        else:
            rest.append(word)
    if path is None:
        raise SettingsError("--config is missing", given=" ".join(rest) or "nothing", todo="write --config FILE.yaml")
    return load(Path(path), rest), flags


def _fit(words: list[str]) -> int:
    words, seeds = _without(words, "--seeds", "--seeds needs a number, or seeds with commas between")
    settings, flags = _configured(words, ("--print_config", "--restart", "--same-split", "--dry-run"))
    if "--same-split" in flags and seeds is None:
        raise SettingsError("--same-split is for several seeds", todo="give --seeds N as well")
    if "--print_config" in flags:
        from mmgraph.configuration import dump

        print(dump(settings), end="")
        return 0
    if "--dry-run" in flags:
        return _dry_run(settings)
    if seeds is not None:
        return _fit_seeds(settings, seeds, flags)
    from mmgraph import pipeline
    from mmgraph.outputs.summary import show

    outcome = pipeline.fit(settings, restart="--restart" in flags)
    show(outcome.run, outcome.answers, outcome.quarantined)
    return _show_knock_outs(outcome.run.knock_outs) if settings.evaluate.knock_outs else 0


def _show_knock_outs(path: Path) -> int:
    from rich.console import Console

    from mmgraph.outputs.knock_outs import read_knock_outs, show_knock_outs

    show_knock_outs(Console(), read_knock_outs(path))
    print(path)
    return 0


def _dry_run(settings: Any) -> int:
    from rich.console import Console

    from mmgraph.dry_run import foretell, tables
    from mmgraph.outputs.estimate import spoken

    told = foretell(settings)
    console = Console()
    for table in tables(told):
        console.print(table)
    said = f"{told.mode} batches; {told.room.described}; this took {spoken(told.took)}"
    console.print(said, highlight=False, markup=False, soft_wrap=True)
    return 0


def _fit_seeds(settings: Any, seeds: str, flags: set[str]) -> int:
    from rich.console import Console

    from mmgraph.outputs.seeds import FILE, show_summary
    from mmgraph.seeds import fit_seeds, parsed_seeds

    chosen = parsed_seeds(seeds, settings.run.seed)
    show_summary(Console(), fit_seeds(settings, chosen, "--same-split" in flags, "--restart" in flags))
    print(settings.run.dir / FILE)
    return 0


def _encode(words: list[str]) -> int:
    words = [
        word.replace("--engine", "--encoders.engine", 1) if word.partition("=")[0] == "--engine" else word for word in words
    ]
    settings, _ = _configured(words)
    from mmgraph.ingest import encode

    for line in encode(settings):
        print(line)
    return 0


def _evaluate(words: list[str]) -> int:
    runs, given = _taken(words, {}, ("--again", "--groups"), "mmgraph evaluate RUN [--again] [--groups]")
    path = _one_run(runs, "evaluate")
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


def _ablate(words: list[str]) -> int:
    runs, given = _taken(words, {}, ("--relations",), "mmgraph ablate RUN [--relations]")
    path = _one_run(runs, "ablate")
    from mmgraph.rerun import ablate
    from mmgraph.runs import RunFolder

    ablate(path, "--relations" in given)
    return _show_knock_outs(RunFolder(path).knock_outs)


def _compare(words: list[str]) -> int:
    usage = "mmgraph compare RUN RUN ... [--method NAME] [--all]"
    runs, given = _taken(words, {"--method": 1}, ("--all",), usage)
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


def _predict(words: list[str]) -> int:
    usage = (
        "mmgraph predict RUN [--relation SOURCE/NAME/TARGET] [--source ID ...] [--top-k N] [--threshold P] [--exclude-known]"
    )
    usage += " [--format parquet|csv|json] [--to FILE] [--approximate [--recall R]]"
    values = ("--relation", "--top-k", "--threshold", "--format", "--to", "--recall")
    runs, given = _taken(words, dict.fromkeys(values, 1) | {"--source": 0}, ("--exclude-known", "--approximate"), usage)
    path = _one_run(runs, "predict")
    from mmgraph.outputs.predict import Asked, write_predictions
    from mmgraph.outputs.write import predicted
    from mmgraph.rerun import link_answer

    to = given.get("--to", [None])[0]
    wanted: Any = given.get("--format", [Path(to).suffix[1:] if to and Path(to).suffix else "parquet"])[0]
    asked = Asked(
        sources=tuple(given.get("--source", ())),
        top_k=_number(given, "--top-k", int, 10),
        threshold=_number(given, "--threshold", float, None),
        exclude_known="--exclude-known" in given,
        format=wanted,
        to=Path(to) if to else None,
        approximate="--approximate" in given,
        recall=_number(given, "--recall", float, 0.95),
    )
    answer = link_answer(path, given.get("--relation", [None])[0])
    done = write_predictions(predicted(answer), asked, path / "predictions")
    print(answer.trust.text)
    print(done.text)
    print(done.path)
    return 0


def _recommend(words: list[str]) -> int:
    from mmgraph.recommend import RECOMMEND, recommend

    values = dict.fromkeys(("--top-k", "--kind", "--relation", "--format", "--to"), 1) | {"--user": 0, "--liked": 0}
    runs, given = _taken(words, values, ("--exclude-known", "--explain"), RECOMMEND)
    print(*recommend(_one_run(runs, "recommend"), given, _number(given, "--top-k", int, 20)), sep="\n")
    return 0


def _similar(words: list[str]) -> int:
    from mmgraph.recommend import SIMILAR, similar

    values = dict.fromkeys(("--top-k", "--kind", "--format", "--to"), 1) | {"--item": 0}
    runs, given = _taken(words, values, (), SIMILAR)
    print(*similar(_one_run(runs, "similar"), given, _number(given, "--top-k", int, 20)), sep="\n")
    return 0


def _export(words: list[str]) -> int:
    usage = "mmgraph export RUN --to parquet|graphml|neo4j --out FOLDER [--predictions] [--embeddings]"
    runs, given = _taken(words, {"--to": 1, "--out": 1}, ("--predictions", "--embeddings"), usage)
    path = _one_run(runs, "export")
    lacking = [name for name in ("--to", "--out") if name not in given]
    if lacking:
        raise SettingsError(f"export needs {lacking[0]}", todo=usage)
    from mmgraph.outputs.export.write import export_run

    more = {"predictions": "--predictions" in given, "embeddings": "--embeddings" in given}
    for file in export_run(path, given["--to"][0], Path(given["--out"][0]), **more):
        print(file)
    return 0


def _order(words: list[str]) -> int:
    usage = "mmgraph order RUN [VIDEO] [--held-out] [--relation SOURCE/NAME/TARGET] [--method NAME] [--to FILE]"
    words, given = _taken(words, dict.fromkeys(("--relation", "--method", "--to"), 1), ("--held-out",), usage)
    path, video = _run_and_item(words, "order", usage)
    from rich.console import Console

    from mmgraph.evaluate.contract import OURS
    from mmgraph.order import Temporal, ordered
    from mmgraph.outputs import order as shown

    to = [Path(one) for one in given.get("--to", ())]
    for one in to:
        shown.format_of(one)
    asked = Temporal.of(path, given.get("--relation", [None])[0])
    wanted = [asked.named(video)] if video else asked.groups
    wanted = asked.held_out(wanted) if "--held-out" in given else wanted
    method = given.get("--method", [OURS])[0]
    done, ids = ordered(asked, wanted, method), asked.ids
    console = Console()
    console.print(shown.group_table(done[0], method, ids) if video else shown.groups_table(done, method))
    settings = asked.opened.settings
    if lines := shown.rightness(done, settings.evaluate, settings.run.seed):
        console.print(shown.rightness_table(lines, asked.relation))
    console.print(shown.told_of(done), highlight=False, markup=False, soft_wrap=True)
    for one in to:
        shown.write_order(done, asked.relation, ids, one)
        print(one)
    return 0


def _gaps(words: list[str]) -> int:
    usage = "mmgraph gaps RUN [VIDEO] [--relation SOURCE/NAME/TARGET] [--method NAME] [--longer S] [--below SHARE] [--to FILE]"
    words, given = _taken(words, dict.fromkeys(("--relation", "--method", "--longer", "--below", "--to"), 1), (), usage)
    path, video = _run_and_item(words, "gaps", usage)
    from rich.console import Console

    from mmgraph.evaluate.contract import OURS
    from mmgraph.order import Temporal, bridged_links, gaps
    from mmgraph.outputs import gaps as shown
    from mmgraph.outputs.order import format_of

    to = [Path(one) for one in given.get("--to", ())]
    for one in to:
        format_of(one)
    longer, below = _number(given, "--longer", float, 1.0), _number(given, "--below", float, 0.5)
    asked = Temporal.of(path, given.get("--relation", [None])[0])
    method = given.get("--method", [OURS])[0]
    found = gaps(asked, [asked.named(video)] if video else asked.groups, method, longer, below)
    console = Console()
    console.print(shown.gaps_table(found, asked.ids) if found else "no gaps", highlight=False)
    if not video and (lines := bridged_links(asked)):
        console.print(shown.bridging_table(lines, asked.relation))
    for one in to:
        shown.write_gaps(found, asked.relation, method, asked.ids, one)
        print(one)
    return 0


def _cluster(words: list[str]) -> int:
    usage = "mmgraph cluster RUN [--kind K] [--method kmeans|hdbscan|louvain|leiden] [--clusters N|auto] [--seeds N]"
    runs, given = _taken(words, dict.fromkeys(("--kind", "--method", "--clusters", "--seeds"), 1), (), usage)
    path = _one_run(runs, "cluster")
    number = None if given.get("--clusters", ["auto"]) == ["auto"] else _number(given, "--clusters", int, None)
    seeds = _number(given, "--seeds", int, 5)
    from rich.console import Console

    from mmgraph.clusters import cluster_run, write_outcome
    from mmgraph.outputs import clusters as shown

    done = cluster_run(path, given.get("--kind", [None])[0], given.get("--method", ["kmeans"])[0], number, seeds)
    console, ids = Console(), done.ids
    console.print(shown.clusters_table(done.outcome, ids))
    for table in shown.measured_tables(done.outcome.measured, done.outcome.kind):
        console.print(table)
    console.print(shown.said(done.outcome), highlight=False, markup=False, soft_wrap=True)
    for file in write_outcome(done):
        print(file)
    return 0


def _names(words: list[str]) -> int:
    usage = "mmgraph names RUN NAMES.yaml"
    paths, _ = _taken(words, {}, (), usage)
    if len(paths) != 2:
        raise SettingsError("names needs a run folder and a file of names", given=" ".join(paths) or "none", todo=usage)
    from rich.console import Console

    from mmgraph.naming import name_run, read_naming, write_named
    from mmgraph.outputs.table import metrics_table

    named = name_run(Path(paths[0]), read_naming(Path(paths[1])))
    for table in metrics_table(named.rows):
        Console().print(table)
    for file in write_named(named):
        print(file)
    return 0


def _label(words: list[str]) -> int:
    usage = "mmgraph label RUN [--field F] [--to FILE]"
    runs, given = _taken(words, {"--field": 1, "--to": 1}, (), usage)
    path, to = _one_run(runs, "label"), given.get("--to", [None])[0]
    from mmgraph.labelling import label_run

    said, files = label_run(path, given.get("--field", [None])[0], Path(to) if to else None)
    print(*(one.text for one in said), *files, sep="\n")
    return 0


def _ask(words: list[str]) -> int:
    usage = "mmgraph ask RUN [--n N] [--field F] [--by STRATEGY] [--to FILE.csv]"
    runs, given = _taken(words, dict.fromkeys(("--n", "--field", "--by", "--to"), 1), (), usage)
    path, to, n = _one_run(runs, "ask"), given.get("--to", [None])[0], _number(given, "--n", int, 20)
    from rich.console import Console

    from mmgraph.labelling import ask_run
    from mmgraph.outputs.questions import questions_table

    by = given.get("--by", ["uncertain"])[0]
    asked = ask_run(path, given.get("--field", [None])[0], n, by, Path(to) if to else None)
    Console().print(questions_table(asked.items))
    print(f"write into the column value one of: {', '.join(asked.classes)}", asked.file, sep="\n")
    return 0


def _update(words: list[str]) -> int:
    usage = "mmgraph update RUN FILE.csv [--new-classes] [--epochs N] [--restart]"
    paths, given = _taken(words, {"--epochs": 1}, ("--new-classes", "--restart"), usage)
    if len(paths) != 2:
        raise SettingsError(
            "update needs a run folder and a file of answers or links", given=" ".join(paths) or "none", todo=usage
        )
    epochs = _number(given, "--epochs", int, None)
    from mmgraph.updating import update_run

    run, done = update_run(Path(paths[0]), Path(paths[1]), "--new-classes" in given, epochs, "--restart" in given)
    print(done.text, *(one.text for one in done.changes), run.updates, sep="\n")
    return 0


def _run_and_item(words: list[str], command: str, usage: str) -> tuple[Path, str | None]:
    if not 1 <= len(words) <= 2:
        given = " ".join(words) or "none"
        raise SettingsError(f"{command} needs a run folder, and the id of an item at most", given=given, todo=usage)
    return Path(words[0]), words[1] if len(words) == 2 else None


def _number(given: Mapping[str, list[str]], name: str, wanted: type[int] | type[float], default: Any) -> Any:
    if name not in given:
        return default
    try:
        return wanted(given[name][0])
    except ValueError:
        raise SettingsError(f"{name} needs a number", given=given[name][0]) from None


def _taken(
    words: list[str], options: Mapping[str, int], flags: Sequence[str], usage: str
) -> tuple[list[str], dict[str, list[str]]]:
    """The words that belong to no option, and the options' values; an option takes one value, or several (0) up to the next."""
    rest: list[str] = []
    given: dict[str, list[str]] = {}
    waiting = list(words)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        word = name + equals + value
        if name in options:
            after = [value] if equals else list(itertools.takewhile(lambda one: not one.startswith("--"), waiting))
            after = after[: options[name] or None]
            if not after:
                raise SettingsError(f"{name} needs a value", todo=usage)
            given[name] = given.get(name, []) + after
            waiting = waiting if equals else waiting[len(after) :]
        elif word in flags:
            given[word] = []
        elif word.startswith("--"):
            raise SettingsError("no such argument", given=word, todo=usage)
        else:
            rest.append(word)
    return rest, given


def _one_run(runs: list[str], command: str) -> Path:
    if len(runs) != 1:
        raise SettingsError(f"{command} needs one run folder", given=" ".join(runs) or "none", todo=f"mmgraph {command} RUN")
    return Path(runs[0])


def _sample(words: list[str]) -> int:
    folder, seed, listening = None, 7, False
    while words:
        word = words.pop(0)
        if word == "--seed" and words and words[0].isdigit():
            seed = int(words.pop(0))
        elif word == "--listening":
            listening = True
        elif folder is None and not word.startswith("-"):
            folder = Path(word)
        else:
            raise SettingsError("no such argument", given=word, todo="mmgraph sample DIR [--seed N] [--listening]")
    if folder is None:
        raise SettingsError("sample needs a folder", todo="mmgraph sample DIR")
    from mmgraph.corpus import make

    make(folder, seed, listening=listening)
    print(folder)
    return 0


def _settings(_: list[str]) -> int:
    from mmgraph.configuration import describe

    print(describe())
    return 0


def _encoders(words: list[str]) -> int:
    if words[:1] == ["pull"]:
        return _pull(words[1:])
    if unknown := [word for word in words if word != "--json"]:
        raise SettingsError("no such argument", given=unknown[0], todo="mmgraph encoders [--json | pull --config FILE]")
    from mmgraph.encode.listing import installed, notes, table

    found = installed()
    if words:
        _print_json(found)
        return 0
    from rich.console import Console

    console = Console()
    console.print(table(found))
    for line in notes(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _pull(words: list[str]) -> int:
    words, folder = _without(words, "--to", "encoders pull needs a folder after --to")
    to = Path(folder) if folder else None
    settings, flags = _configured(words, ("--all",))
    from mmgraph.encode.pull import pull

    lines = []
    for one in pull(settings.encoders, every="--all" in flags, to=to):
        print(one, flush=True)
        lines += [f"  {one.setting}"] if one.setting else []
    if lines:
        print("write in the configuration:", *lines, sep="\n")
    print("no network is needed from here on: --encoders.offline true")
    return 0


def _doctor(words: list[str]) -> int:
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    settings = _configured(words, ())[0] if words else None
    from mmgraph.doctor import examined, healthy, table

    found = examined(settings)
    if as_json:
        _print_json(found)
    else:
        from rich.console import Console

        Console().print(table(found))
    return 0 if healthy(found) else 2


def _without(words: list[str], option: str, wrong: str) -> tuple[list[str], str | None]:
    """The words without an option and its value, and that value."""
    for at, word in enumerate(words):
        if word == option or word.startswith(f"{option}="):
            value = word.partition("=")[2] if "=" in word else next(iter(words[at + 1 : at + 2]), "")
            if not value:
                raise SettingsError(wrong)
            return words[:at] + words[at + 1 + ("=" not in word) :], value
    return words, None


def _print_json(found: Sequence[Any]) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))


_COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "fit": _fit,
    "encode": _encode,
    "evaluate": _evaluate,
    "ablate": _ablate,
    "compare": _compare,
    "predict": _predict,
    "recommend": _recommend,
    "similar": _similar,
    "export": _export,
    "order": _order,
    "gaps": _gaps,
    "cluster": _cluster,
    "names": _names,
    "label": _label,
    "ask": _ask,
    "update": _update,
    "sample": _sample,
    "settings": _settings,
    "encoders": _encoders,
    "doctor": _doctor,
}
