"""Find what can be named in the YAML: one class a file, by short name, without importing it.

A group is a package whose files each hold one public class of the group's contract (importers, edge builders, layers,
scorers, losses, readouts, negative samplers, tasks, label methods, baselines, groupings, clusterings, strategies); encoders come from the
entry-point group ``mmgraph.encoders``. The signature is read from the source with ``ast``, so that a typing error in a YAML is
answered without importing torch. What a person may set is keyword-only (the fields of a ``dataclass(kw_only=True)``, or what
follows ``*`` in ``__init__``); what the pipeline supplies is positional.
"""

import ast
import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import pathlib
import re
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mmgraph.errors import SettingsError
from mmgraph.settings import Component, ComponentLike, convert, normal

GROUPS: Mapping[str, str] = {
    "importer": "mmgraph.catalogue.importers",
    "edge builder": "mmgraph.graph.edges",
    "layer": "mmgraph.model.layers",
    "scorer": "mmgraph.model.scorers",
    "loss": "mmgraph.model.losses",
    "regulariser": "mmgraph.model.regularisers",
    "readout": "mmgraph.model.readouts",
    "negative sampler": "mmgraph.model.negatives",
    "task": "mmgraph.tasks.kinds",
    "label method": "mmgraph.tasks.methods",
    "link baseline": "mmgraph.evaluate.baselines.links",
    "label baseline": "mmgraph.evaluate.baselines.labels",
    "recommend baseline": "mmgraph.evaluate.baselines.recommend",
    "rating baseline": "mmgraph.evaluate.baselines.ratings",
    "grouping": "mmgraph.evaluate.groupings",
    "clustering": "mmgraph.evaluate.clusterings",
    "strategy": "mmgraph.evaluate.strategies",
}
ENCODER_GROUP = "mmgraph.encoders"


@dataclass(frozen=True)
class Entry:
    """Where a class is, and what may be set on it (name -> (annotation as written, is required))."""

    module: str
    name: str
    arguments: Mapping[str, tuple[str, bool]]

    def load(self) -> type[Any]:
        """Import the class."""
        loaded: type[Any] = getattr(importlib.import_module(self.module), self.name)
        return loaded


def snake(name: str) -> str:
    """The short name of a class.

    >>> snake("InBatch"), snake("BPR"), snake("DistMult")
    ('in_batch', 'bpr', 'dist_mult')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def plain_name(name: str) -> str:
    """What is the same in all ways to write a short name.

    >>> plain_name("InBatch") == plain_name("in_batch") == plain_name("in-batch")
    True
    """
    return name.replace("_", "").replace("-", "").lower()


@functools.cache
def discover(group: str) -> Mapping[str, Entry]:
    """All classes of a group, by short name in the order of their files. Nothing is imported."""
    if group == "encoder":
        return dict(_encoders())
    spec = importlib.util.find_spec(GROUPS[group])
    assert spec is not None, f"no package for {group}"
    assert spec.submodule_search_locations, f"{GROUPS[group]} is no package"
    files = sorted(pathlib.Path(spec.submodule_search_locations[0]).glob("[a-z]*.py"))
    found = (_read(f"{GROUPS[group]}.{file.stem}", None) for file in files)
    return {snake(entry.name): entry for entry in found}


def _encoders() -> Iterator[tuple[str, Entry]]:
    """A package whose encoder cannot be read must not take the others along."""
    for point in _points():
        module, _, name = point.value.partition(":")
        try:
            yield point.name, _read(module, name)
        except SettingsError as error:
            warnings.warn(f"the installed encoder {point.name} is left out: {error}", stacklevel=2)


@functools.cache
def _points() -> list[importlib.metadata.EntryPoint]:
    """Found once: what is looked through are the files of every installed distribution."""
    return sorted(importlib.metadata.entry_points(group=ENCODER_GROUP))


def _read(module: str, name: str | None) -> Entry:
    """Read the one public class of a module (or the named one) from its source."""
    tree = _tree(module)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    chosen = [node for node in classes if name in (None, node.name)]
    if not chosen:
        raise SettingsError(f"no class {name} in {module}", todo="check class_path")
    return Entry(module, chosen[-1].name, _arguments(chosen[-1]))


def _tree(module: str) -> ast.Module:
    """The source of a module; packages above it are imported, itself not."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        todo = "check class_path, and that its package is installed"
        raise SettingsError("no such module of Python source", given=module, todo=todo)
    try:
        return ast.parse(pathlib.Path(spec.origin).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise SettingsError(f"the module {module} cannot be read", given=error, todo="mend it") from error


def _arguments(node: ast.ClassDef) -> dict[str, tuple[str, bool]]:
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            pairs = zip(part.args.kwonlyargs, part.args.kw_defaults, strict=True)
            return {arg.arg: (_source(arg.annotation), default is None) for arg, default in pairs}
    if not any("dataclass" in _source(decorator) for decorator in node.decorator_list):
        return {}
    fields = (part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name))
    return {
        typing.cast(ast.Name, part.target).id: (_source(part.annotation), part.value is None)
        for part in fields
        if "ClassVar" not in _source(part.annotation)
    }


def _source(annotation: ast.expr | None) -> str:
    return "Any" if annotation is None else ast.unparse(annotation)


def find(group: str, class_path: str) -> Entry:
    """The class meant by a short name (``Folder``, ``in_batch``) or a dotted path; raises SettingsError with near names."""
    alone = _by_file(group, class_path)
    if alone is not None:
        return alone
    known = discover(group)
    for short, entry in known.items():
        if plain_name(class_path) in (plain_name(short), plain_name(f"{entry.module}.{entry.name}")):
            return entry
    if "." in class_path:
        return _read(*class_path.rsplit(".", 1))
    near = difflib.get_close_matches(class_path, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else ""
    raise SettingsError(f"no {group} of this name", given=class_path, todo=f"{hint} known: {', '.join(known)}")


@functools.cache
def _by_file(group: str, name: str) -> Entry | None:
    """The class whose file, or entry point, has this very name: a command that asks for it need not read all the others."""
    if group == "encoder":
        points = [point for point in _points() if point.name == name]
        return _read(*_parted(points[0].value)) if len(points) == 1 else None
    spec = importlib.util.find_spec(GROUPS[group])
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for file in sorted(pathlib.Path(folders[0]).glob("[a-z]*.py")) if folders else []:
        if plain_name(file.stem) == plain_name(name):
            entry = _read(f"{GROUPS[group]}.{file.stem}", None)
            return entry if plain_name(entry.name) == plain_name(name) else None
    return None


def _parted(value: str) -> tuple[str, str]:
    module, _, name = value.partition(":")
    return module, name


_NAMES = {
    "Any": Any,
    "Literal": typing.Literal,
    "Path": pathlib.Path,
    "Sequence": Sequence,
    "Mapping": Mapping,
    "Component": Component,
    "ComponentLike": ComponentLike,
    "Modality": typing.Literal["image", "audio", "text"],
    "Optional": typing.Optional,
    "Union": typing.Union,
}


def check(group: str, component: ComponentLike, where: str) -> None:
    """Check names and types of a component's arguments against its class; ``where`` is the key that the message names."""
    component = normal(component)
    try:
        entry = find(group, component.class_path)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error.wrong}", given=error.given, todo=error.todo) from None
    for name, value in component.init_args.items():
        if name not in entry.arguments:
            near = difflib.get_close_matches(name, entry.arguments, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it takes: {', '.join(entry.arguments) or 'nothing'}"
            raise SettingsError(f"{where}.{name} is not an argument of {entry.name}", given=value, todo=hint)
        _check_type(entry.arguments[name][0], value, f"{where}.{name}")
    missing = [n for n, (_, required) in entry.arguments.items() if required and n not in component.init_args]
    if missing:
        raise SettingsError(f"{where}: {entry.name} needs {', '.join(missing)}", given=component.init_args, todo="add it")


def _check_type(annotation: str, value: object, where: str) -> None:
    try:
        wanted = eval(annotation, {**_NAMES})
        convert(value, wanted)
    except (NameError, AttributeError, TypeError):
        return  # a type of the class's own module, or one that cannot be checked from outside: the class does it itself
    except msgspec.ValidationError as error:
        text, _, place = str(error).replace("`", "").partition(" - at $")
        raise SettingsError(f"{where}{place}: {_lower(text)}", given=value, todo=_form(annotation)) from None


def _form(annotation: str) -> str:
    if annotation == "ComponentLike":
        return "write a name, or {class_path: NAME, init_args: {...}}"
    return f"its type is {annotation}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def check_trainer(arguments: Mapping[str, Any]) -> None:
    """Check names and types of the section ``trainer`` against ``lightning.Trainer``, read from its source, not imported."""
    known = _trainer_arguments() if arguments else {}
    for name, value in arguments.items():
        if not known:
            return
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see the documentation of lightning.Trainer"
            raise SettingsError(f"trainer.{name} is not an argument of lightning.Trainer", given=value, todo=hint)
        _check_type(known[name], value, f"trainer.{name}")


@functools.cache
def _trainer_arguments() -> Mapping[str, str]:
    """Name -> annotation; empty where the source is not where it was, and Lightning itself will say what is wrong."""
    spec = importlib.util.find_spec("lightning")
    folders = spec.submodule_search_locations if spec else None
    file = pathlib.Path(folders[0], "pytorch", "trainer", "trainer.py") if folders else None
    if file is None or not file.is_file():
        return {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name == "Trainer":
            inits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
            return {arg.arg: _source(arg.annotation) for init in inits for arg in init.args.kwonlyargs}
    return {}


def create(group: str, component: ComponentLike, *supplied: object) -> Any:
    """Build a component: ``supplied`` positionally, then its arguments, converted to their annotated types."""
    component = normal(component)
    check(group, component, component.class_path)
    entry = find(group, component.class_path)
    arguments = {name: _convert(entry.arguments[name][0], value) for name, value in component.init_args.items()}
    return entry.load()(*supplied, **arguments)


def _convert(annotation: str, value: object) -> object:
    try:
        return convert(value, eval(annotation, {**_NAMES}))
    except (NameError, AttributeError, TypeError):
        return value


def import_and_build(value: object) -> Any:
    """Build any class by ``{class_path, init_args}``: Lightning's loggers and callbacks, or anyone's. Raises SettingsError."""
    wanted, arguments = imported(value)
    try:
        return wanted(**arguments)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingsError(
            f"{wanted.__module__}.{wanted.__name__} cannot be built", given=arguments, todo=str(error)
        ) from error


def imported(value: object) -> tuple[Any, dict[str, Any]]:
    """Any class by ``{class_path, init_args}``, not built, and its arguments. Raises SettingsError for arguments that it does not take."""
    try:
        component: Component = convert(value, Component)
    except msgspec.ValidationError as error:
        raise SettingsError("no {class_path, init_args}", given=value, todo=_lower(str(error))) from None
    module, _, name = component.class_path.rpartition(".")
    try:
        wanted = getattr(importlib.import_module(module), name)
        inspect.signature(wanted).bind(**component.init_args)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingsError(f"{component.class_path} cannot be built", given=component.init_args, todo=str(error)) from error
    return wanted, component.init_args
