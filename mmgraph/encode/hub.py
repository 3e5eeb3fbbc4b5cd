"""The Hugging Face hub: what its cache holds, and whether it can be reached, asked once and briefly."""

import functools
import os
import re
import socket
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 0.8
_COMMIT = re.compile(r"[0-9a-f]{40}")


def cache() -> Path:
    """The hub's cache folder, by the rules of huggingface_hub, without importing it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def _repository(model: str) -> Path:
    return cache() / f"models--{model.replace('/', '--')}"


def commit_of(model: str, revision: str | None = None) -> str | None:
    """The commit that the cache knows a branch or tag (None is ``main``) of a hub id to be; a commit is itself."""
    reference = _repository(model) / "refs" / (revision or "main")
    if reference.is_file():
        return reference.read_text(encoding="utf-8").strip()
    if revision and (_COMMIT.fullmatch(revision) or (_repository(model) / "snapshots" / revision).is_dir()):
        return revision
    return None


def pinned(model: str, revision: str | None = None) -> str | None:
    """What to ask a library for: the commit where it is known, so that all files come from one and none is asked for again."""
    return commit_of(model, revision) or revision


def cached(model: str, files: Sequence[str], revision: str | None = None) -> Path | None:
    """The first of ``files`` that the cache holds of a hub id, at ``revision`` (a commit, branch or tag; None is ``main``)."""
    commit = commit_of(model, revision)
    if commit is None:
        return None
    found = (_repository(model) / "snapshots" / commit / name for name in files)
    return next((path for path in found if path.is_file()), None)


def hub_closed() -> str | None:
    """None when the hub answers, else why not in a few words; asked once a process. Then nothing tries to reach it again."""
    asked = _refusal() if _refusal.cache_info().currsize else None
    if asked is None and any(_is_on(name) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        return "the hub is not asked (encoders.offline or HF_HUB_OFFLINE is set)"
    return asked or _refusal()


def forget() -> None:
    """Ask the hub again when next needed."""
    _refusal.cache_clear()


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")


@functools.cache
def _refusal() -> str | None:
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    answer: list[str | None] = []
    asking = threading.Thread(target=lambda: answer.append(_ask(endpoint)), daemon=True)  # name lookups know no time limit
    asking.start()
    asking.join(PATIENCE_S + 0.1)
    reason = answer[0] if answer else f"no answer within {PATIENCE_S} s"
    if reason is None:
        return None
    stay_offline()
    return f"{urllib.parse.urlsplit(endpoint).hostname} cannot be reached ({reason})"


def _ask(endpoint: str) -> str | None:
    parts = urllib.parse.urlsplit(endpoint)
    try:
        if urllib.request.getproxies().get(parts.scheme):
            request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the endpoint is the user's own setting
            with urllib.request.urlopen(request, timeout=PATIENCE_S):  # noqa: S310
                return None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=PATIENCE_S):
            return None
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


def stay_offline() -> None:
    """Nothing in this process, or in one that it starts, asks the hub from now on.

    Libraries would try again and again, for minutes; this is read by huggingface_hub, transformers and open_clip.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        vars(constants)["HF_HUB_OFFLINE"] = True
