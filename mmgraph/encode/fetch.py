"""One repository of the Hugging Face hub -> the cache, or a folder: only the files that loading reads."""

import fnmatch
import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgraph.encode.contract import Repository
from mmgraph.encode.hub import cache, cached, hub_closed
from mmgraph.errors import EncoderError

_SMALL = (".json", ".txt", ".model", ".jinja")  # configurations, vocabularies, templates
_POOLING = "1_Pooling/config.json"  # where sentence-transformers says how tokens become one vector
_SMALL_BYTES = 64 * 1024**2
_PATIENCE_S = 20


class HubClosed(EncoderError):
    """Nothing can be fetched from here, whatever the repository."""


@dataclass(frozen=True)
class Fetched:
    """What was brought: the commit, names and bytes of all files, the folder that holds them, and the weight file taken."""

    commit: str
    files: Mapping[str, int]
    folder: Path
    file: str

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.files.values())


def fetch(repository: Repository, to: Path | None = None) -> Fetched:
    """Bring a repository into the cache, or into a folder of its name below ``to``; what is there already is not fetched again.

    Raises HubClosed where the hub cannot be asked, and EncoderError where it has no such repository, revision or weights.
    """
    closed = hub_closed()
    if closed is not None:
        raise HubClosed(f"{repository.id} cannot be fetched: {closed}", todo="connect, or copy the cache of a machine that is")
    try:
        commit, sizes = _asked(repository)
        file, wanted = _chosen(repository, sizes)
        wanted += _parts(repository, file, commit)
        folder = _brought(repository, wanted, to)
    except EncoderError:
        raise
    except OSError as error:  # every error of the hub's library and of the connection is one
        raise EncoderError(f"{repository.id} cannot be fetched", given=_first_line(error), todo=_todo(error)) from error
    return Fetched(commit, {name: sizes.get(name, 0) for name in wanted}, folder, file)


def in_cache(repository: Repository) -> Path | None:
    """The weight file that the cache holds of a repository at its revision; None where it holds none."""
    return cached(repository.id, repository.files, repository.revision)


def _asked(repository: Repository) -> tuple[str, dict[str, int]]:
    from huggingface_hub import HfApi

    info = HfApi().model_info(repository.id, revision=repository.revision, files_metadata=True, timeout=_PATIENCE_S)
    return str(info.sha), {one.rfilename: int(one.size or 0) for one in info.siblings or ()}


def _chosen(repository: Repository, sizes: Mapping[str, int]) -> tuple[str, list[str]]:
    """The weight file, and with it the small files at the top of the repository."""
    file = next((name for name in repository.files if name in sizes), None)
    if file is None:
        here = ", ".join(sorted(sizes)) or "nothing"
        raise EncoderError(f"{repository.id} has none of {', '.join(repository.files)}", given=here, todo="name other weights")
    beside = [name for name in sizes if "/" not in name or name == _POOLING]
    small = [name for name in beside if name.endswith(_SMALL) and sizes[name] <= _SMALL_BYTES]
    return file, [file, *sorted(name for name in small if name != file and not fnmatch.fnmatch(name, "*.index.json"))]


def _parts(repository: Repository, file: str, commit: str) -> list[str]:
    """The files that an index names."""
    if not file.endswith(".index.json"):
        return []
    from huggingface_hub import hf_hub_download

    index = json.loads(Path(hf_hub_download(repository.id, file, revision=commit)).read_text(encoding="utf-8"))
    return sorted(set(index["weight_map"].values()))


def _brought(repository: Repository, wanted: list[str], to: Path | None) -> Path:
    from huggingface_hub import snapshot_download

    bars = importlib.import_module("huggingface_hub.utils")
    (bars.enable_progress_bars if sys.stderr.isatty() else bars.disable_progress_bars)()
    place: dict[str, Any] = {"cache_dir": cache()} if to is None else {"local_dir": to / repository.id.rpartition("/")[2]}
    revision = repository.revision or "main"  # by its name, so that the cache remembers which commit it was
    found = snapshot_download(repository.id, revision=revision, allow_patterns=wanted, etag_timeout=_PATIENCE_S, **place)
    return Path(found)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith(("http", "("))), type(error).__name__)


def _todo(error: Exception) -> str:
    name = type(error).__name__
    if name == "GatedRepoError":
        return "ask for access on its page, then run: hf auth login"
    return {
        "RepositoryNotFoundError": "check init_args.model; a private one needs: hf auth login",
        "RevisionNotFoundError": "check init_args.revision",
    }.get(name, "try again, or name other weights")
