"""YAML and ``--section.key value`` -> Settings, checked to the last argument without importing torch."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.settings import Component, Section, Settings, convert, plain

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read and check; raises SettingsError that names the key."""
    values = _yaml(path)
    for key, text in _pairs(overrides):
        _put(values, key.split("."), _value(key, text), key)
    return checked(values)


def checked(values: object) -> Settings:
    """Plain values -> Settings; every component is checked against its class's signature."""
    try:
        settings: Settings = convert(values, Settings)
    except msgspec.ValidationError as error:
        raise _explained(str(error), values) from None
    _check_components(settings)
    return settings


def dump(settings: Settings) -> str:
    """The resolved settings as YAML; ``load`` reads it back to the same settings."""
    return yaml.safe_dump(plain(settings), sort_keys=False, width=120)


def describe() -> str:
    """Every setting, one a line, under what its section says of itself."""
    return "\n".join(_lines(Settings, ""))


def _lines(section: type[Section], prefix: str) -> list[str]:
    lines = [f"# {line.strip()}" for line in (section.__doc__ or "").strip().splitlines() if line.strip()]
    inner: list[str] = []
    for field in msgspec.structs.fields(section):
        key = prefix + field.encode_name
        if isinstance(field.type, type) and issubclass(field.type, Section):
            inner += ["", *_lines(field.type, key + ".")]
        else:
            default = "required" if field.required else repr(field.default)
            lines.append(f"--{key}  {default}")
    return lines + inner


def _yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    except OSError as error:
        raise SettingsError("cannot read the configuration", given=path, todo=error.strerror or "") from None
    except UnicodeDecodeError:
        raise SettingsError("the configuration is no UTF-8 text", given=path, todo="save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML", given=error, todo="mend it at this place") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds no settings", given=values, todo="write `section: {key: value}`")
    return values


def _pairs(overrides: Sequence[str]) -> list[tuple[str, str]]:
    pairs, rest = [], list(overrides)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise SettingsError("no such argument", given=word, todo="settings are given as --section.key value")
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not rest:
                raise SettingsError(f"--{key} has no value", todo=f"write --{key} VALUE")
            value = rest.pop(0)
        pairs.append((key, value))
    return pairs


def _value(key: str, text: str) -> object:
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise SettingsError(f"--{key} is not a YAML value", given=text, todo=str(error)) from None


def _put(node: Any, keys: list[str], value: object, whole: str) -> None:
    """Set a value deep inside. A component's arguments may be named without ``init_args``."""
    key, rest = keys[0], keys[1:]
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            raise SettingsError(f"--{whole}: no such place in the list", given=key, todo=f"it has 0 to {len(node) - 1}")
        place: Any = int(key)
    else:
        place = key
        if "class_path" in node and key not in ("class_path", "init_args"):
            node = node.setdefault("init_args", {})
    if not rest:
        node[place] = value
        return
    inner = node.setdefault(place, {}) if isinstance(node, dict) else node[place]
    if isinstance(inner, str):
        inner = node[place] = {"class_path": inner, "init_args": {}}
    if inner is None:
        inner = node[place] = {}
    if not isinstance(inner, dict | list):
        raise SettingsError(f"--{whole}: {key} has no keys", given=inner)
    _put(inner, rest, value, whole)


def _explained(message: str, values: object) -> SettingsError:
    """msgspec's words in ours: the key first, then what was given."""
    text, _, place = message.partition(" - at `$")
    where = place.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]+)`", text)
    if unknown:
        key = f"{where}.{unknown[1]}".lstrip(".")
        return SettingsError(f"{key} is not a setting", given=_at(values, key), todo=_near(where, unknown[1]))
    missing = re.search(r"missing required field `([^`]+)`", text)
    if missing:
        return SettingsError(f"{f'{where}.{missing[1]}'.lstrip('.')} is missing", todo="add it to the YAML")
    text = text[:1].lower() + text[1:]
    return SettingsError(f"{where or 'the configuration'}: {text}".replace("`", ""), given=_at(values, where))


def _at(values: Any, where: str) -> object:
    for key in filter(None, re.split(r"[.\[\]]+", where)):
        try:
            values = values[int(key)] if isinstance(values, list) else values[key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return values


def _near(where: str, wrong: str) -> str:
    section: Any = Settings
    for key in filter(None, where.split(".")):
        section = next((f.type for f in msgspec.structs.fields(section) if f.name == key), None)
        if not (isinstance(section, type) and issubclass(section, Section)):
            return "see docs/formats.md"
    names = [field.name for field in msgspec.structs.fields(section)]
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"


def _check_components(settings: Settings) -> None:
    registry.check("importer", settings.catalogue, "catalogue")
    for modality in ("image", "audio", "text"):
        for i, encoder in enumerate(getattr(settings.encoders, modality)):
            registry.check("encoder", encoder, f"encoders.{modality}[{i}]")
    for i, edge in enumerate(settings.graph.edges):
        registry.check("edge builder", edge, f"graph.edges[{i}]")
    registry.check("layer", settings.model.layer, "model.layer")
    for i, task in enumerate(settings.tasks):
        registry.check("task", task, f"tasks[{i}]")
        _check_task(task, f"tasks[{i}]")


def _check_task(task: Any, where: str) -> None:
    """Components named inside a task are checked as well."""
    arguments = {} if isinstance(task, str) else task.init_args
    for name, group in (("scorer", "scorer"), ("loss", "loss"), ("negatives", "negative sampler")):
        if name in arguments:
            component = arguments[name]
            if isinstance(component, dict):
                component = convert(component, Component)
            registry.check(group, component, f"{where}.{name}")
