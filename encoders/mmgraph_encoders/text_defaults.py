"""How a text model wants to be read, as far as its files or a table of known ones say."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmgraph.encode import hub
from mmgraph.errors import EncoderError
from mmgraph_encoders import known, weights

_log = logging.getLogger(__name__)
Pooling = Literal["mean", "cls", "last"]
Role = Literal["passage", "query"]
_MODES: dict[str, Pooling] = {"mean": "mean", "mean_tokens": "mean", "cls": "cls", "cls_token": "cls", "lasttoken": "last"}
_PROMPTS = {"passage": ("passage", "document"), "query": ("query",)}
FILES = ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json")


@dataclass(frozen=True)
class Reading:
    """pooling: over the tokens; prefix: before each text; normalise: to length one; max_tokens: what goes beyond is cut off."""

    pooling: Pooling = "mean"
    prefix: str = ""
    normalise: bool = True
    max_tokens: int = 256


def reading(model: str, revision: str | None, role: Role, *, pooled: bool = False) -> Reading:
    """By the files of sentence-transformers beside the weights; what they leave open by the table; else mean over 256 tokens.

    Reads only what is at hand. Raises EncoderError where the files ask for a pooling that is not one of the three, unless
    that is settled (``pooled``).
    """
    known_one = known.of_text(model)
    start = Reading()
    if known_one is not None:
        prefix = known_one.passage if role == "passage" else known_one.query
        start = Reading(known_one.pooling, prefix, known_one.normalise, known_one.max_tokens)  # type: ignore[arg-type]  # of the table
    held = {name: found for name in FILES if (found := _json(model, revision, name))}
    modules = [str(one.get("type", "")).rpartition(".")[2] for one in held.get("modules.json", [])]
    if "Dense" in modules:
        _log.warning("%s has a dense layer after its pooling; vectors are those before it", model)
    asked = None if pooled else held.get("1_Pooling/config.json")
    pooling = start.pooling if asked is None else _pooling(model, asked)
    prompts = held.get("config_sentence_transformers.json", {}).get("prompts") or {}
    return Reading(
        pooling,
        next((prompts[name] for name in _PROMPTS[role] if prompts.get(name)), start.prefix),
        "Normalize" in modules if modules else start.normalise,
        int(held.get("sentence_bert_config.json", {}).get("max_seq_length") or start.max_tokens),
    )


def _pooling(model: str, settings: dict[str, Any]) -> Pooling:
    asked = [
        name.removeprefix("pooling_mode_") for name, on in settings.items() if name.startswith("pooling_mode_") and on is True
    ]
    asked = asked or [str(settings.get("pooling_mode", "mean"))]
    if len(asked) != 1 or asked[0] not in _MODES:
        raise EncoderError(
            f"{model} asks for a pooling that is not known",
            given=" + ".join(asked),
            todo="set init_args.pooling: mean, cls or last",
        )
    return _MODES[asked[0]]


def _json(model: str, revision: str | None, name: str) -> Any:
    folder = weights.folder_of(model)
    path: Path | None = hub.cached(model, [name], revision) if folder is None else folder / name
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else None
    except (OSError, ValueError):
        return None


def bring(model: str, revision: str | None) -> None:
    """Fetch the files of a hub id into the cache, those that there are; without a hub the table has to do."""
    if weights.folder_of(model) is not None or hub.hub_closed() is not None:
        return
    from transformers.utils import cached_file

    fine = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    pinned = hub.pinned(model, revision)
    weights.bring(f"the settings of {model}", lambda: [cached_file(model, name, revision=pinned, **fine) for name in FILES])
