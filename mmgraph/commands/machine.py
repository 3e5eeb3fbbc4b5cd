"""``sample``, ``settings``, ``encoders`` and ``doctor``: what is there before there is a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmgraph.commands.words import configured, without
from mmgraph.errors import SettingsError


def sample(words: list[str]) -> int:
    """Write the sample corpus."""
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


def settings(words: list[str]) -> int:
    """Print every setting."""
    if words:
        raise SettingsError("no such argument", given=words[0], todo="mmgraph settings")
    from mmgraph.configuration import describe

    print(describe())
    return 0


def encoders(words: list[str]) -> int:
    """List encoders, or fetch their weights."""
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
    words, folder = without(words, "--to", "encoders pull needs a folder after --to")
    to = Path(folder) if folder else None
    settings, flags = configured(words, ("--all",))
    from mmgraph.encode.pull import pull

    lines = []
    for one in pull(settings.encoders, every="--all" in flags, to=to):
        print(one, flush=True)
        lines += [f"  {one.setting}"] if one.setting else []
    if lines:
        print("write in the configuration:", *lines, sep="\n")
    print("no network is needed from here on: --encoders.offline true")
    return 0


def doctor(words: list[str]) -> int:
    """Say what this machine can do."""
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    settings = configured(words, ())[0] if words else None
    from mmgraph.doctor import examined, healthy, table

    found = examined(settings)
    if as_json:
        _print_json(found)
    else:
        from rich.console import Console

        Console().print(table(found))
    return 0 if healthy(found) else 2


def _print_json(found: Sequence[Any]) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
