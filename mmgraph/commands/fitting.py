"""``fit``, ``encode`` and ``ablate``: what trains, and what fills the store."""

from pathlib import Path
from typing import Any

from mmgraph.commands.words import configured, one_run, taken, without
from mmgraph.errors import SettingsError


def fit(words: list[str]) -> int:
    """Train and evaluate what a configuration asks."""
    words, seeds = without(words, "--seeds", "--seeds needs a number, or seeds with commas between")
    settings, flags = configured(words, ("--print_config", "--restart", "--same-split", "--dry-run"))
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


def encode(words: list[str]) -> int:
    """Fill the store alone."""
    words = [
        word.replace("--engine", "--encoders.engine", 1) if word.partition("=")[0] == "--engine" else word for word in words
    ]
    settings, _ = configured(words)
    from mmgraph.ingest import encode

    for line in encode(settings):
        print(line)
    return 0


def ablate(words: list[str]) -> int:
    """Fit again without each part."""
    runs, given = taken(words, {}, ("--relations",), "mmgraph ablate RUN [--relations]")
    path = one_run(runs, "ablate")
    from mmgraph.rerun import ablate
    from mmgraph.runs import RunFolder

    ablate(path, "--relations" in given)
    return _show_knock_outs(RunFolder(path).knock_outs)
