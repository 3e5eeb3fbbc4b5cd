"""Where pretrained weights are: a folder, the local cache of the Hugging Face hub, or the hub itself."""

import contextlib
import hashlib
import importlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmgraph.encode.contract import Repository
from mmgraph.encode.hub import cache, cached, commit_of, hub_closed
from mmgraph.errors import EncoderError

_log = logging.getLogger(__name__)
WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_PULL = "mmgraph encoders pull --config FILE"
_BRINGS = f"where the hub can be reached, {_PULL} brings them; or set init_args.model to a folder that holds them"
_FOLDER = f"set init_args.model to a folder that holds them, or to a hub id, which {_PULL} brings"


def folder_of(model: str) -> Path | None:
    """The folder that ``model`` names, None when it is a hub id (``owner/name``)."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    looks_local = model.startswith((".", "~", "/")) or path.is_absolute() or model.count("/") > 1 or "\\" in model
    return path if looks_local else None


def missing(
    model: str, revision: str | None = None, files: Sequence[str] = WEIGHT_FILES, config: str = "config.json"
) -> str | None:
    """None when weights can be had, else one line: what, where it was looked for, what would bring it."""
    folder = folder_of(model)
    if folder is not None:
        if not folder.is_dir():
            return f"no folder {folder}; {_FOLDER}"
        if not (folder / config).is_file() or not any((folder / name).is_file() for name in files):
            return f"{folder} has no {config} with one of {', '.join(files)}; {_FOLDER}"
        return None
    if cached(model, files, revision) is not None:
        return None
    closed = hub_closed()
    return None if closed is None else f"{model} is not in {cache()} and {closed}; {_BRINGS}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Progress bars off; warnings of the libraries become debug messages of this module."""
    hub = importlib.import_module("huggingface_hub.utils")
    talk = importlib.import_module("transformers.utils.logging")
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    hub.disable_progress_bars()
    root = logging.getLogger()
    handlers = list(root.handlers)  # open_clip logs on the root logger, which gives it a handler when it has none
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            yield
    finally:
        root.handlers[:] = handlers
    for one in heard:
        _log.debug("%s", one.message)


def bring(name: str, load: Callable[[], Any], *, hub: bool = False) -> Any:
    """Run a library's loader quietly; anything it raises becomes an EncoderError that names the weights.

    hub: the weights are named by a hub id; where the hub is closed the library is kept from asking it about what is cached.
    """
    try:
        if hub:
            hub_closed()
        with quiet():
            return load()
    except EncoderError:
        raise
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise EncoderError(f"the weights of {name} cannot be loaded", given=first, todo=_BRINGS) from error


def revision_of(model: str, revision: str | None = None, files: Sequence[str] = WEIGHT_FILES) -> str:
    """What makes vectors of these weights theirs: SHA-256 of the files of a folder, or the commit of a hub id."""
    folder = folder_of(model)
    if folder is not None:
        return "sha256:" + digest(_deciding(folder, files))
    return commit_of(model, revision) or revision or "main"


def identity(
    model: str,
    revision: str | None = None,
    files: Sequence[str] = WEIGHT_FILES,
    config: str = "config.json",
    **arguments: object,
) -> str | None:
    """For ``Encoder.identity``: what these weights are, found without reading them, and the encoder's other ``arguments``.

    Of a folder names, sizes and times of the files, wherever it is; of a hub id the commit. None where that is not known here.
    """
    folder = folder_of(model)
    held: object = commit_of(model, revision)
    if folder is not None:
        if missing(model, revision, files, config) is not None:
            return None
        stats = [(path.name, path.stat()) for path in _deciding(folder, files)]
        held = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    if held is None:
        return None
    return json.dumps({"weights": shown(model), "held": held, **arguments}, sort_keys=True, default=str)


def repository(
    model: str,
    revision: str | None = None,
    files: Sequence[str] = WEIGHT_FILES,
    *,
    argument: str = "model",
    form: str = "{folder}",
) -> Repository | None:
    """For ``Encoder.repository``: the hub's, None for a folder."""
    return Repository(model, revision, tuple(files), argument, form) if folder_of(model) is None else None


def configured(model: str, revision: str | None = None, config: str = "config.json") -> dict[str, Any]:
    """What the weights' own ``config`` says, from a folder or the cache; empty where it is not here."""
    folder = folder_of(model)
    path = cached(model, [config], revision) if folder is None else folder / config
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _deciding(folder: Path, files: Sequence[str]) -> list[Path]:
    """The JSON files of a folder, the first of ``files`` that it has, and the parts that an index names."""
    held = [folder / name for name in files if (folder / name).is_file()]
    shards = sorted({folder / shard for path in held[:1] if path.suffix == ".json" for shard in _shards(path)})
    return [*sorted(folder.glob("*.json")), *held[:1], *shards]


def _shards(index: Path) -> set[str]:
    return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())


def digest(paths: Sequence[Path]) -> str:
    """SHA-256 over names and bytes of files, as hex."""
    joined = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            joined.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return joined.hexdigest()


def shown(model: str) -> str:
    """What a card calls the weights: the hub id, or the folder's name (a moved folder keeps its vectors)."""
    folder = folder_of(model)
    return model if folder is None else folder.resolve().name
