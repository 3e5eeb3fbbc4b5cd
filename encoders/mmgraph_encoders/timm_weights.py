"""Where a model of timm is, and how it is built."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgraph.encode import hub
from mmgraph.encode.contract import Repository
from mmgraph.errors import EncoderError
from mmgraph_encoders import weights


@dataclass(frozen=True)
class TimmWeights:
    """A model of timm with the tag of its weights, or ``hf-hub:ID``, or ``local-dir:FOLDER``.

    ``checkpoint`` is a safetensors file for a model named without a place; ``pinned`` the branch, tag or commit of a repository.
    """

    model: str
    checkpoint: str | None = None
    pinned: str | None = None

    @property
    def place(self) -> str | None:
        """Folder or hub id that ``model`` names, None where it names a model."""
        kind, _, rest = self.model.partition(":")
        if kind == "local-dir":
            return str(Path(rest).expanduser().absolute())
        return rest if kind == "hf-hub" else None

    @property
    def shown(self) -> str:
        """For the card: hub id, name of the folder, or model and file."""
        if self.place is not None:
            return weights.shown(self.place)
        return self.model if self.checkpoint is None else f"{self.model}/{Path(self.checkpoint).name}"

    def missing(self) -> str | None:
        """None when they can be had, else one line."""
        if self.place is not None:
            return weights.missing(self.place, self.pinned)
        if self.checkpoint is None and not any(hub.cache().glob("models--*")) and (closed := hub.hub_closed()):
            return self._not_here(closed)
        entry = _entry(self.model, with_weights=self.checkpoint is None)
        if isinstance(entry, str):
            return entry
        if self.checkpoint is not None:
            return _file_missing(Path(self.checkpoint))
        repository = self._repository(entry)
        return weights.missing(repository.id, self.pinned, repository.files)

    def _not_here(self, closed: str) -> str:
        todo = "set init_args.checkpoint to a file, or model to local-dir:FOLDER, or connect to the hub once"
        return f"{self.shown} is not in {hub.cache()} and {closed}; {todo}"

    def _repository(self, entry: Any) -> Repository:
        name = entry.hf_hub_filename or "pytorch_model.bin"
        files = ("model.safetensors", name) if entry.hf_hub_filename is None else (Path(name).stem + ".safetensors", name)
        return Repository(entry.hf_hub_id, self.pinned, files, "model", "local-dir:{}")

    def repository(self) -> Repository | None:
        """The hub's; None for a folder, a file, and models without weights."""
        if self.place is not None:
            return weights.repository(self.place, self.pinned, form="local-dir:{}")
        entry = _entry(self.model) if self.checkpoint is None else ""
        return None if isinstance(entry, str) else self._repository(entry)

    def identity(self) -> str | None:
        """What they are, found without loading them; None where that is not known here."""
        if self.place is not None:
            return weights.identity(self.place, self.pinned)
        if self.checkpoint is not None:
            file = Path(self.checkpoint)
            stat = file.stat() if file.is_file() else None
            return stat and json.dumps([self.model, file.name, stat.st_size, stat.st_mtime_ns])
        repository = self.repository() if any(hub.cache().glob("models--*")) else None
        if repository is None:
            return None
        return weights.identity(repository.id, self.pinned, repository.files, shown=self.shown)

    def revision(self) -> str:
        """Commit of the hub, or SHA-256 of the files."""
        if self.checkpoint is not None and self.place is None:
            return "sha256:" + weights.digest([Path(self.checkpoint)])
        repository = self.repository()
        named = repository.id if repository is not None else self.place
        return weights.revision_of(str(named), self.pinned)

    def build(self) -> Any:
        """The network without its classifier; raises EncoderError. Read strictly: a tensor that is missing is an error."""
        return weights.bring(self.shown, self._build, hub=self.checkpoint is None and not self.model.startswith("local-dir:"))

    def _build(self) -> Any:
        import timm

        name, overlay = self.model, None
        entry = _entry(name, with_weights=self.checkpoint is None) if self.place is None else None
        if isinstance(entry, str):
            raise EncoderError(entry)
        if self.place is None and self.checkpoint is not None:
            overlay = {"file": self.checkpoint}
        elif self.pinned is not None and (repository := self.repository()) is not None:
            at = f"{repository.id}@{hub.pinned(repository.id, self.pinned)}"
            name, overlay = (name, {"hf_hub_id": at}) if entry is not None else (f"hf-hub:{at}", None)
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
        network.reset_classifier(0)
        return network.eval()


def _file_missing(file: Path) -> str | None:
    if file.suffix != ".safetensors" or not file.is_file():
        return f"no safetensors file {file}; set init_args.checkpoint to one, or init_args.model to local-dir:FOLDER"
    return None


def _entry(model: str, *, with_weights: bool = True) -> Any:
    """timm's description of a model's weights, or one line: what is wrong with the name."""
    import timm

    name = model.partition(".")[0]
    if not timm.is_model(name):
        return f"timm has no model {name}; timm.list_models() names them"
    found = timm.models.get_pretrained_cfg(model) if timm.models.is_model_pretrained(model) else None
    if with_weights and (found is None or not found.hf_hub_id):
        return f"timm has no weights {model}; it has: {', '.join(timm.list_pretrained(f'{name}.*')) or 'none'}"
    return found
