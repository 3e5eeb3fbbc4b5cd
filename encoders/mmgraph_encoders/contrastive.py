"""Models of open_clip, whose two towers put images and texts into one space."""

import copy
import functools
import json
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmgraph.encode import hub
from mmgraph.encode.contract import About, Repository
from mmgraph.encode.fetch import fetch, in_cache
from mmgraph.errors import EncoderError
from mmgraph_encoders import known, weights

_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_LOADED: "weakref.WeakValueDictionary[tuple[ContrastiveWeights, str], Contrastive]" = weakref.WeakValueDictionary()


@dataclass(eq=False)
class Contrastive:
    """A loaded model: ``network``, ``pictures`` (its preprocessing), ``tokenize``, the type that images must have."""

    network: Any
    pictures: Any
    tokenize: Any
    dtype: Any
    device: str
    revision: str
    width: int
    tokens: int


@dataclass(frozen=True)
class ContrastiveWeights:
    """An architecture of open_clip with the tag (or file) of its weights, or ``hf-hub:ID``, or ``local-dir:FOLDER``.

    ``pinned`` is the branch, tag or commit of the hub's repository, None for ``main``.
    """

    model: str
    pretrained: str
    precision: str
    pinned: str | None = None

    @property
    def shown(self) -> str:
        """For the card: hub id, name of the folder, or architecture/tag."""
        if self._place is not None:
            return weights.shown(self._place)
        return f"{self.model}/{Path(self.pretrained).name}"

    @property
    def _place(self) -> str | None:
        kind, _, rest = self.model.partition(":")
        if kind == "local-dir":
            return str(Path(rest).expanduser().absolute())
        return rest if kind == "hf-hub" else None

    def missing(self) -> str | None:
        """None when they can be had, else one line."""
        if self._place is not None:
            return weights.missing(self._place, self.pinned, files=_FILES, config="open_clip_config.json")
        if Path(self.pretrained).is_file():
            return None
        if not any(hub.cache().glob("models--*")) and (closed := hub.hub_closed()):
            return self._not_here(closed)
        found = _tag(self.model, self.pretrained)
        if isinstance(found, str):
            return found
        if _cached(found, self.pinned) is not None:
            return None
        closed = hub.hub_closed()
        return None if closed is None else self._not_here(closed)

    def _not_here(self, closed: str) -> str:
        todo = (
            "where the hub can be reached, mmgraph encoders pull --config FILE brings them; "
            "or set init_args.pretrained to a file, or model to local-dir:FOLDER"
        )
        return f"{self.shown} is not in {hub.cache()} and {closed}; {todo}"

    def identity(self) -> str | None:
        """What they are, found without loading them; None where that is not known here."""
        arguments = {"architecture": self.model.partition(":")[0], "precision": self.precision}
        if self._place is not None:
            return weights.identity(self._place, self.pinned, _FILES, "open_clip_config.json", **arguments)
        file = Path(self.pretrained)
        if file.is_file():
            stat = file.stat()
            return json.dumps([arguments, self.model, file.name, stat.st_size, stat.st_mtime_ns])
        repository = self.repository() if any(hub.cache().glob("models--*")) else None
        if repository is None:
            return None
        return weights.identity(repository.id, self.pinned, repository.files, shown=self.shown, **arguments)

    def about(self) -> About:
        """What lists say."""
        licence, paper = self.stated()
        return About(self.shown, licence, paper, 512 if self.model == "ViT-B-32" else None)

    def stated(self) -> tuple[str, str]:
        """Licence and paper."""
        return known.of_tag(self.pretrained) if self._place is None else known.of_weights(self._place, "clip")

    def repository(self) -> Repository | None:
        """The hub's; None for a folder, a file, and weights that open_clip fetches from elsewhere."""
        kind, _, rest = self.model.partition(":")
        if kind == "hf-hub":
            return weights.repository(rest, self.pinned, files=_FILES, form="local-dir:{folder}")
        if kind == "local-dir" or Path(self.pretrained).is_file():
            return None
        found = _tag(self.model, self.pretrained)
        identifier, files = ("", _FILES) if isinstance(found, str) else _named(found)
        return (
            weights.repository(identifier, self.pinned, files=files, argument="pretrained", form="{folder}/{file}")
            if identifier
            else None
        )

    def load(self, device: str) -> Contrastive:
        """The model on ``device``; two encoders of the same weights share one. Raises EncoderError."""
        found = _LOADED.get((self, device))
        if found is None:
            found = _LOADED[self, device] = weights.bring(
                self.shown, functools.partial(_load, self, device), hub=not self.model.startswith("local-dir:")
            )
        return found

    def revision(self) -> str:
        """Commit of the hub, or SHA-256 of the weight file."""
        if self._place is not None:
            return weights.revision_of(self._place, self.pinned, _FILES)
        if Path(self.pretrained).is_file():
            return "sha256:" + weights.digest([Path(self.pretrained)])
        found = _cached(_tag(self.model, self.pretrained), self.pinned)
        return found.parent.name if found else self.pinned or "main"


def pictures_alone(loaded: Contrastive) -> Contrastive:
    """Without the text tower, which is some 240 MiB of CLIP ViT-B-32; whole where the towers are not apart."""
    return _half(loaded, lambda name: name == "visual")


def texts_alone(loaded: Contrastive) -> Contrastive:
    """Without the image tower."""
    return _half(loaded, lambda name: name != "visual")


def _half(loaded: Contrastive, keep: Callable[[str], bool]) -> Contrastive:
    import open_clip

    if type(loaded.network) not in (open_clip.CLIP, open_clip.CustomTextCLIP):
        return loaded
    half = copy.copy(loaded.network)  # the tensors are shared
    for tensors in ("_modules", "_parameters", "_buffers"):
        setattr(half, tensors, {name: one for name, one in getattr(half, tensors).items() if keep(name)})
    return replace(loaded, network=half)


def _tag(model: str, pretrained: str) -> Any:
    """open_clip's entry for a tag, or one line that says what is wrong with it."""
    import open_clip

    if open_clip.get_model_config(model) is None:
        return f"open_clip has no architecture {model}; open_clip.list_models() names them"
    found = open_clip.get_pretrained_cfg(model, pretrained)
    if not found:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        return f"open_clip has no weights {pretrained} for {model}; it has: {tags}"
    return found


def _cached(entry: Any, pinned: str | None) -> Path | None:
    identifier, files = _named(entry)
    return hub.cached(identifier, files, pinned) if identifier else None


def _named(entry: Any) -> tuple[str, tuple[str, ...]]:
    """Repository of the hub and the weight files in it that open_clip takes, the first that is there; no repository is empty."""
    identifier, name = os.path.split(entry.get("hf_hub", ""))
    return identifier, (name.rsplit(".", 1)[0] + ".safetensors", name) if name else _FILES


def _load(wanted: ContrastiveWeights, device: str) -> Contrastive:
    import open_clip

    from mmgraph_encoders.pictures import Composed

    model, settings = _for_the_library(wanted)
    network, _, preprocess = open_clip.create_model_and_transforms(
        model, precision=wanted.precision, device=device, require_pretrained=True, **settings
    )
    tokenize = open_clip.get_tokenizer(model)
    return Contrastive(
        network=network.eval(),
        pictures=Composed(preprocess),
        tokenize=tokenize,
        dtype=open_clip.get_input_dtype(wanted.precision),
        device=device,
        revision=wanted.revision(),
        width=_width(model, network),
        tokens=tokenize.context_length,
    )


def _for_the_library(wanted: ContrastiveWeights) -> tuple[str, dict[str, Any]]:
    """Model and arguments of open_clip. It knows no revisions, so what is pinned is fetched and named as folder or file.

    Of a tag trained with QuickGELU on an architecture without it, it only warns, and would compute other vectors.
    """
    repository = wanted.repository() if wanted.pinned is not None else None
    if ":" in wanted.model:
        return wanted.model if repository is None else f"local-dir:{_fetched(repository).parent}", {}
    entry = {} if Path(wanted.pretrained).is_file() else _tag(wanted.model, wanted.pretrained)
    if isinstance(entry, str):
        raise EncoderError(entry)
    settings: dict[str, Any] = {"pretrained": wanted.pretrained, "force_quick_gelu": entry.get("quick_gelu", False)}
    if repository is not None:
        settings["pretrained"] = str(_fetched(repository))
        settings |= {f"image_{name}": entry.get(name) for name in ("mean", "std", "interpolation", "resize_mode")}
    return wanted.model, settings


def _fetched(repository: Repository) -> Path:
    """The weight file, its small files beside it, out of the cache or else from the hub."""
    found = in_cache(repository)
    if found is not None:
        return found
    brought = fetch(repository)
    return brought.folder / brought.file


def _width(model: str, network: Any) -> int:
    import open_clip

    found = open_clip.get_model_config(model) if ":" not in model else None
    width = (found or {}).get("embed_dim") or getattr(network.visual, "output_dim", None)
    if width is None:
        import torch

        with torch.inference_mode():
            width = network.encode_text(torch.zeros(1, network.context_length, dtype=torch.long)).shape[1]
    if not width:
        raise EncoderError(f"{model} does not say the width of its vectors", todo="use another model of open_clip")
    return int(width)
