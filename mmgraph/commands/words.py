"""What stands behind a command: options, flags, run folders and settings, taken out of its words."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmgraph.errors import SettingsError


def configured(words: list[str], known: Sequence[str] = ("--print_config", "--restart")) -> tuple[Any, set[str]]:
    """Take --config and the flags out of the words; the rest overrides settings."""
    from mmgraph.configuration import load

    flags = {word for word in words if word in known}
    words = [word for word in words if word not in flags]
    path: str | None = None
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if not (word == "--config" and words) and not word.startswith("--config="):
            rest.append(word)
            continue
        before, path = path, word.partition("=")[2] or words.pop(0)
        if before is not None:
            raise SettingsError("--config is given twice", given=f"{before} and {path}", todo="keep one of them")
    if path is None:
        todo = "write --config FILE.yaml"
        if rest and Path(rest[0]).is_dir():
            todo += f", for a folder of media such as configs/folder.yaml, and --catalogue.root {rest[0]}"
        raise SettingsError("--config is missing", given=" ".join(rest) or "nothing", todo=todo)
    return load(Path(path), rest), flags


def run_and_item(words: list[str], command: str, usage: str) -> tuple[Path, str | None]:
    """A run folder, and the id after it. Raises SettingsError for other words."""
    if not 1 <= len(words) <= 2:
        given = " ".join(words) or "none"
        raise SettingsError(f"{command} needs a run folder, and the id of an item at most", given=given, todo=usage)
    return Path(words[0]), words[1] if len(words) == 2 else None


def number(given: Mapping[str, list[str]], name: str, wanted: type[int] | type[float], default: Any) -> Any:
    """The value of an option as a number. Raises SettingsError where it is none."""
    if name not in given:
        return default
    try:
        return wanted(given[name][0])
    except ValueError:
        raise SettingsError(f"{name} needs a number", given=given[name][0]) from None


def taken(
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
            if name in given and options[name] == 1:
                raise SettingsError(
                    f"{name} is given twice", given=f"{given[name][0]} and {after[0]}", todo="keep one of them"
                )
            given[name] = given.get(name, []) + after
            waiting = waiting if equals else waiting[len(after) :]
        elif word in flags:
            given[word] = []
        elif word.startswith("--"):
            raise SettingsError("no such argument", given=word, todo=usage)
        else:
            rest.append(word)
    return rest, given


def one_run(runs: list[str], command: str) -> Path:
    """The only run folder. Raises SettingsError for none or several."""
    if len(runs) != 1:
        raise SettingsError(f"{command} needs one run folder", given=" ".join(runs) or "none", todo=f"mmgraph {command} RUN")
    return Path(runs[0])


def without(words: list[str], option: str, wrong: str) -> tuple[list[str], str | None]:
    """The words without an option and its value, and that value."""
    for at, word in enumerate(words):
        if word == option or word.startswith(f"{option}="):
            value = word.partition("=")[2] if "=" in word else next(iter(words[at + 1 : at + 2]), "")
            if not value:
                raise SettingsError(wrong)
            return words[:at] + words[at + 1 + ("=" not in word) :], value
    return words, None
