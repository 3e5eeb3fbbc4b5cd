"""Sound by the audio tower of an open_clip model, for releases of open_clip that have one."""

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import known_sounds
from mmgraph_encoders.clips import sounds_of, unit
from mmgraph_encoders.contrastive import ContrastiveWeights


class OpenClipAudio(Encoder):
    """CLAP as open_clip's development branch has it since 2026 (3.3.0 does not); until it is released, use ``clap``.

    model: an architecture of open_clip such as CLAP-HTSAT-tiny-Roberta-base, ``hf-hub:ID`` or ``local-dir:FOLDER``; pretrained:
    tag or file of its weights; precision: of the computation; hop_s: from one window to the next, a window (the model's own
    length, ten seconds) when not given; pooling: over the windows. Vectors have length one. A shorter window is repeated in whole
    copies, then padded with silence, as the model was trained.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        *,
        model: str = "CLAP-HTSAT-tiny-Roberta-base",
        pretrained: str = "",
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        hop_s: float | None = None,
        pooling: Literal["mean", "max"] = "mean",
    ) -> None:
        self.weights = ContrastiveWeights(model, pretrained, precision)
        self.hop_s, self.pooling = hop_s, pooling
        self._network: Any = None

    def available(self) -> str | None:
        """Whether this open_clip can, and a folder, the cache or the hub has the weights."""
        return _cannot() or self.weights.missing()

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        held = None if _cannot() else self.weights.identity()
        return None if held is None else repr([held, self.hop_s, self.pooling])

    def about(self) -> About:
        """Told without the weights."""
        licence, paper = known_sounds.of_weights("", "clap")
        return About(self.weights.shown, licence, paper)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder or a file, or this open_clip cannot read them."""
        return None if _cannot() else self.weights.repository()

    def load(self, device: str = "cpu") -> None:
        """Load through open_clip; raises EncoderError."""
        from mmgraph_encoders.waves import span
        from mmgraph_encoders.weights import bring

        reason = _cannot()
        if reason is not None:
            raise EncoderError(reason, todo="use clap")
        network = bring(self.weights.shown, lambda: _created(self.weights, device))
        config = getattr(getattr(network, "audio", None), "cfg", None)
        if config is None or config.enable_fusion:
            wrong = "reads four views of a long sound, which is random" if config else "has no audio tower"
            raise EncoderError(f"{self.weights.shown} {wrong}", todo="use a CLAP model without fusion, or clap")
        self._rate_hz, own = int(config.sample_rate), int(config.clip_samples)
        self._span = span(self._rate_hz, None, self.hop_s, own, own)
        self._network, self._device, self._revision = network.eval(), device, self.weights.revision()

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = known_sounds.of_weights("", "clap")
        window, hop = self._span
        every = "" if hop == window else f" every {hop}"
        return EncoderCard(
            name="open_clip_audio",
            modality="audio",
            weights=self.weights.shown,
            revision=self._revision,
            width=int(self._network.embed_dim),
            input=f"{self._rate_hz} Hz mono, windows of {window}{every}{', max' if self.pooling == 'max' else ''}",
            licence=licence,
            paper=paper,
            precision=self.weights.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("open_clip_audio")

    def prepare(self, clip: Clip) -> Clip:
        """One channel at the model's rate."""
        from mmgraph_encoders.waves import prepared

        self._ready()
        return prepared(clip, self._rate_hz)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks
        from mmgraph_encoders.waves import cut, over_windows

        self._ready()
        pieces, counts = cut(sounds_of(clips), self._rate_hz, *self._span)
        return unit(over_windows(in_chunks(pieces, self._compute, 32), counts, self.pooling))

    def _compute(self, pieces: Sequence[Floats]) -> Any:
        """Windows [n] -> tensor [windows, width]."""
        import torch

        filled = torch.stack([_filled(torch.from_numpy(piece), self._span[0]) for piece in pieces]).to(self._device)
        longer = torch.zeros(len(pieces), dtype=torch.bool, device=self._device)
        return self._network.encode_audio({"waveform": filled, "longer": longer}, normalize=True)


def _cannot() -> str | None:
    """Why this open_clip has no audio, without importing it; None when it has."""
    found = importlib.util.find_spec("open_clip")
    places = found.submodule_search_locations if found is not None else None
    if any((Path(place) / "clap_model.py").is_file() for place in places or ()):
        return None
    version = importlib.metadata.version("open-clip-torch")
    return (
        f"open_clip {version} has no CLAP; a release after 3.3.0 that has open_clip.clap_model "
        "(architectures CLAP-HTSAT-*, CLAP-Whisper-*) is needed; clap reads the same models through transformers"
    )


def _created(wanted: ContrastiveWeights, device: str) -> Any:
    import open_clip

    return open_clip.create_model(
        wanted.model,
        pretrained=None if ":" in wanted.model else wanted.pretrained,
        precision=wanted.precision,
        device=device,
        require_pretrained=True,
    )


def _filled(samples: Any, size: int) -> Any:
    """Whole copies of [n], then silence, up to ``size``."""
    import torch

    copies = samples.repeat(max(1, size // len(samples)))
    return torch.nn.functional.pad(copies, (0, size - len(copies)))
