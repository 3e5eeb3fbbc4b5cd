"""Where pretrained weights are: a folder, the local cache of the Hugging Face hub, or the hub, asked for once and briefly."""

import contextlib
import functools
import hashlib
import importlib
import json
import logging
import os
import socket
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmgraph.errors import EncoderError

_log = logging.getLogger(__name__)
_PATIENCE_S = 0.8
WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_BRINGS = "set init_args.model to a folder that holds them, or connect to the hub once"


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
            return f"no folder {folder}; {_BRINGS}"
        if not (folder / config).is_file() or not any((folder / name).is_file() for name in files):
            return f"{folder} has no {config} with one of {', '.join(files)}; {_BRINGS}"
        return None
    if cached(model, files, revision) is not None:
        return None
    closed = hub_closed()
    return None if closed is None else f"{model} is not in {cache()} and {closed}; {_BRINGS}"


def cache() -> Path:
    """The hub's cache folder, by the rules of huggingface_hub, without importing it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def cached(model: str, files: Sequence[str], revision: str | None = None) -> Path | None:
    """The first of ``files`` that the cache holds of a hub id, at ``revision`` (a commit, branch or tag; None is ``main``)."""
    repository = cache() / f"models--{model.replace('/', '--')}"
    named = revision or "main"
    reference = repository / "refs" / named
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else named
    found = (repository / "snapshots" / commit / name for name in files)
    return next((path for path in found if path.is_file()), None)


@functools.cache
def hub_closed() -> str | None:
    """None when the hub answers, else why not in a few words; asked once a process. Then nothing tries to reach it again."""
    if any(
        os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    ):
        return "the hub is not asked (HF_HUB_OFFLINE is set)"
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    answer: list[str | None] = []
    asking = threading.Thread(target=lambda: answer.append(_ask(endpoint)), daemon=True)  # name lookups know no time limit
    asking.start()
    asking.join(_PATIENCE_S + 0.1)
    reason = answer[0] if answer else f"no answer within {_PATIENCE_S} s"
    if reason is None:
        return None
    _stay_offline()
    return f"{urllib.parse.urlsplit(endpoint).hostname} cannot be reached ({reason})"


def _ask(endpoint: str) -> str | None:
    parts = urllib.parse.urlsplit(endpoint)
    try:
        if urllib.request.getproxies().get(parts.scheme):
            request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the endpoint is the user's own setting
            with urllib.request.urlopen(request, timeout=_PATIENCE_S):  # noqa: S310
                return None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE_S):
            return None
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _stay_offline() -> None:
    """Libraries would try again and again, for minutes; this is read by huggingface_hub, transformers and open_clip."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        vars(constants)["HF_HUB_OFFLINE"] = True


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
        held = [folder / name for name in files if (folder / name).is_file()]
        shards = sorted({folder / shard for path in held[:1] if path.suffix == ".json" for shard in _shards(path)})
        return "sha256:" + digest([*sorted(folder.glob("*.json")), *held[:1], *shards])
    found = cached(model, files, revision)
    return found.parent.name if found else revision or "main"


def identity_of(model: str, revision: str | None = None, files: Sequence[str] = WEIGHT_FILES) -> str | None:
    """For ``Encoder.identity``: place and revision of weights that are at hand, without loading them; None where they are not."""
    folder = folder_of(model)
    here = (
        any((folder / name).is_file() for name in files) if folder is not None else cached(model, files, revision) is not None
    )
    return f"{shown(model)} {revision_of(model, revision, files)}" if here else None


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
