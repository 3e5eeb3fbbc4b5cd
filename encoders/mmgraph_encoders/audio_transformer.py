"""Sound by any audio model of transformers, or by YAMNet."""

from collections.abc import Sequence
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip, Sound
from mmgraph.types import Floats, Modality
from mmgraph_encoders import weights
from mmgraph_encoders.clips import mean_by_clip, sounds_of, unit

_AST = ("BSD-3-Clause", "Gong et al. 2021, arXiv:2104.01778")
_YAMNET = ("Apache-2.0", "Gemmeke et al. 2017, 10.1109/ICASSP.2017.7952261; Howard et al. 2017, arXiv:1704.04861")
_KNOWN = {"MIT/ast-finetuned-audioset-10-10-0.4593": _AST}
_WAVE_WINDOW_S = 30


class AudioModel(Encoder):
    """Mean over a sound's windows, of length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id; front_end: ``auto`` takes the weights' own feature
    extractor (spectrogram models such as AST in windows of its length, waveform models such as wav2vec 2.0 in windows of 30 s),
    ``yamnet`` makes YAMNet's log-mel patches for a folder that holds its body.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        *,
        model: str = "MIT/ast-finetuned-audioset-10-10-0.4593",
        revision: str | None = None,
        front_end: Literal["auto", "yamnet"] = "auto",
    ) -> None:
        self.model, self.revision, self.front_end = model, revision, front_end
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return weights.identity(self.model, self.revision, front_end=self.front_end)

    def about(self) -> About:
        """Told without the weights."""
        yamnet = self.front_end == "yamnet"
        licence, paper = _YAMNET if yamnet else _KNOWN.get(self.model, ("as the weights' page states",) * 2)
        width = 768 if self.model in _KNOWN else weights.configured(self.model, self.revision).get("hidden_size")
        return About(weights.shown(self.model), licence, paper, width)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        import numpy as np
        from transformers import AutoFeatureExtractor, AutoModel

        from mmgraph_encoders.pretrained import loaded, part

        if self.front_end == "auto":
            self._extractor = part("the feature extractor", AutoFeatureExtractor, self.model, self.revision)
        network, self._has_pooler = loaded(AutoModel, self.model, self.revision, device)
        self._commit = weights.revision_of(self.model, self.revision)
        self._network, self._device = network, device
        self._width = self._vectors([Sound(np.zeros((1, 16_000), np.float32), 16_000)]).shape[1]

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        yamnet = self.front_end == "yamnet"
        licence, paper = _YAMNET if yamnet else _KNOWN.get(self.model, ("as the weights' page states",) * 2)
        return EncoderCard(
            name="audio_transformer",
            modality="audio",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=self._width,
            input="16000 Hz mono, log-mel patches [96, 64]"
            if yamnet
            else f"{self._rate_hz} Hz mono, windows of {self._window}",
            licence=licence,
            paper=paper,
        )

    @property
    def _rate_hz(self) -> int:
        return int(self._extractor.sampling_rate)

    @property
    def _window(self) -> int:
        """Samples a window: a spectrogram's ``max_length`` counts frames of 10 ms."""
        frames = getattr(self._extractor, "max_length", None)
        return int(frames * self._rate_hz // 100) if frames else _WAVE_WINDOW_S * self._rate_hz

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("audio_transformer")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        self._ready()
        return unit(self._vectors(sounds_of(clips)))

    def _vectors(self, sounds: Sequence[Sound]) -> Floats:
        import torch

        from mmgraph_encoders.pretrained import in_chunks
        from mmgraph_encoders.waves import cut, yamnet_patches

        if self.front_end == "yamnet":
            patches = [yamnet_patches(sound) for sound in sounds]
            vectors = in_chunks(torch.cat(patches), self._patches)  # type: ignore[arg-type]  # a tensor is a sequence of patches
            return mean_by_clip(vectors, [len(some) for some in patches])
        pieces, counts = cut(sounds, self._rate_hz, self._window)
        size = 32 if getattr(self._extractor, "max_length", None) else 1  # padding would reach into waveforms of other lengths
        return mean_by_clip(in_chunks(pieces, self._pieces, size), counts)

    def _patches(self, patches: Any) -> Any:
        from mmgraph_encoders.pretrained import pooled

        return pooled(self._network(pixel_values=patches.to(self._device)))

    def _pieces(self, pieces: Sequence[Floats]) -> Any:
        from mmgraph_encoders.pretrained import pooled

        inputs = self._extractor(list(pieces), sampling_rate=self._rate_hz, return_tensors="pt").to(self._device)
        return pooled(self._network(**inputs), has_pooler=self._has_pooler, otherwise="mean")
