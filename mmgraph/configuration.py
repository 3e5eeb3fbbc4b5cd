"""YAML and ``--section.key value`` -> Settings, checked to the last argument without importing torch."""

import difflib
import re
import types
import typing
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.settings import Component, ComponentLike, ModelSettings, Section, Settings, convert, normal, plain

_FOUND: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FOUND):
    """YAML's safe loader, which does not let the second of two equal keys win in silence, and reads 1e-3 as a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """See yaml's."""
        nodes = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in nodes]
        for at, key in zip(nodes, keys, strict=True):
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} is there twice", at.start_mark)
        return dict(super().construct_mapping(node, deep))


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d[\d_]*(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


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
    """Above each section what it says of itself; then key, type and default."""
    lines = [f"# {line.strip()}" for line in (section.__doc__ or "").strip().splitlines() if line.strip()]
    inner: list[str] = []
    for field in msgspec.structs.fields(section):
        key = prefix + field.encode_name
        if isinstance(field.type, type) and issubclass(field.type, Section):
            inner += ["", *_lines(field.type, key + ".")]
        else:
            default = "required" if field.required else _default(field)
            lines.append(f"--{key}  {type_name(field.type)}  [{default}]")
    return lines + inner


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default is msgspec.NODEFAULT:
        return field.default_factory()
    return msgspec.to_builtins(field.default, enc_hook=str)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
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
        if not all(key.split(".")):
            raise SettingsError("a key has an empty part", given=word, todo="settings are given as --section.key value")
        pairs.append((key, value))
    return pairs


def _value(key: str, text: str) -> object:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
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
    text, _, place = re.sub(r" - at `?key`? in `\$", " as a key - at `$", message).partition(" - at `$")
    where = place.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]+)`", text)
    if unknown:
        key = f"{where}.{unknown[1]}".lstrip(".")
        return SettingsError(f"{key} is not a setting", given=_at(values, key), todo=_near(where, unknown[1]))
    missing = re.search(r"missing required field `([^`]+)`", text)
    if missing:
        return SettingsError(f"{f'{where}.{missing[1]}'.lstrip('.')} is missing", todo="add it to the YAML")
    text = text[:1].lower() + text[1:]
    wrong = f"{where or 'the configuration'}: {text}".replace("`", "")
    return SettingsError(wrong, given=_at(values, where), todo=_todo(where))


def _at(values: Any, where: str) -> object:
    for key in filter(None, re.split(r"[.\[\]]+", where)):
        try:
            values = values[int(key)] if isinstance(values, list) else values[key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return values


def _near(where: str, wrong: str) -> str:
    section = _type_at(where)
    if section == ComponentLike:
        section = Component
    names = [field.name for field in msgspec.structs.fields(section)]
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"


def _todo(where: str) -> str:
    wanted = _type_at(where)
    if isinstance(wanted, type) and issubclass(wanted, Section):
        return f"it has the keys {', '.join(field.name for field in msgspec.structs.fields(wanted))}"
    return "" if wanted is None else f"give {type_name(wanted)}"


def _type_at(where: str) -> Any:
    """The annotation of the setting at a key; None where a class of its own says what may be there."""
    wanted: Any = Settings
    for key in filter(None, re.split(r"[.\[\]]+", where)):
        if key.isdigit():
            choices = typing.get_args(wanted) if _is_union(wanted) else (wanted,)
            wanted = next((typing.get_args(one)[0] for one in choices if typing.get_origin(one) is tuple), None)
        elif isinstance(wanted, type) and issubclass(wanted, Section):
            wanted = next((f.type for f in msgspec.structs.fields(wanted) if f.name == key), None)
        elif wanted == ComponentLike:
            wanted = next((f.type for f in msgspec.structs.fields(Component) if f.name == key), None)
        else:
            return None
    return wanted


def _is_union(wanted: Any) -> bool:
    return typing.get_origin(wanted) in (typing.Union, types.UnionType)


def type_name(wanted: Any) -> str:
    """A type in a person's words.

    >>> type_name(tuple[int, ...]), type_name(Path | None), type_name(typing.Literal["a", "b"])
    ('a list of int', 'path or null', 'one of a, b')
    """
    arguments = typing.get_args(wanted)
    if typing.get_origin(wanted) is typing.Annotated:
        return f"{type_name(arguments[0])} {_bounds(arguments[1])}"
    if wanted == ComponentLike:
        return "a class"
    if typing.get_origin(wanted) is tuple:
        return f"a list of {type_name(arguments[0])}"
    if typing.get_origin(wanted) is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if _is_union(wanted):
        return " or ".join(map(type_name, arguments))
    if typing.get_origin(wanted) is dict or wanted is dict:
        return "a map of keys to values"
    return {"NoneType": "null", "Path": "path"}.get(wanted.__name__, str(wanted.__name__))


def _bounds(meta: msgspec.Meta) -> str:
    pairs = ((">=", meta.ge), (">", meta.gt), ("<=", meta.le), ("<", meta.lt))
    return " and ".join(f"{sign} {bound:g}" for sign, bound in pairs if bound is not None)


def _check_components(settings: Settings) -> None:
    registry.check("importer", settings.catalogue, "catalogue")
    for modality in ("image", "audio", "text"):
        for i, encoder in enumerate(getattr(settings.encoders, modality)):
            registry.check("encoder", encoder, f"encoders.{modality}[{i}]")
    for i, edge in enumerate(settings.graph.edges):
        registry.check("edge builder", edge, f"graph.edges[{i}]")
    if settings.model.layer != "none":
        registry.check("layer", settings.model.layer, "model.layer")
    if settings.model.candidates and settings.model.layer != ModelSettings().layer:
        wrong, todo = (
            "model.layer is of one model, model.candidates of several",
            "leave one out; of the file's, --model.candidates=[]",
        )
        raise SettingsError(wrong, given=f"model.layer: {normal(settings.model.layer).class_path}", todo=todo)
    for i, candidate in enumerate(settings.model.candidates):
        if candidate.layer != "none":
            registry.check("layer", candidate.layer, f"model.candidates[{i}].layer")
    for i, task in enumerate(settings.tasks):
        registry.check("task", task, f"tasks[{i}]")
        _check_task(task, f"tasks[{i}]")
    if settings.evaluate.baselines != "all":
        _check_baselines(settings.evaluate.baselines)
    registry.check_trainer(settings.trainer)


def _check_baselines(names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        known = [name for group in ("link", "recommend", "label", "rating") for name in registry.discover(f"{group} baseline")]
        if registry.plain_name(name) not in map(registry.plain_name, known):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else ""
            wrong = f"evaluate.baselines[{i}]: no baseline of this name"
            raise SettingsError(wrong, given=name, todo=f"{hint} known: {', '.join(known)}")


_TASK_PARTS = {"scorer": "scorer", "loss": "loss", "negatives": "negative sampler", "regulariser": "regulariser"}


def _check_task(task: Any, where: str) -> None:
    """Components named inside a task are checked as well."""
    arguments = {} if isinstance(task, str) else task.init_args
    for name, group in _TASK_PARTS.items():
        if arguments.get(name) is not None:
            component = arguments[name]
            if isinstance(component, dict):
                component = convert(component, Component)
            registry.check(group, component, f"{where}.{name}")
