"""Sound and music by CLAP, whose space is shared with texts."""

from collections.abc import Sequence
from typing import Any

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import weights
from mmgraph_encoders.clips import mean_by_clip, sounds_of, unit

_LICENCE = "as the weights' page states (laion/clap-htsat-unfused: Apache-2.0)"
_PAPER = "Wu et al. 2023, arXiv:2211.06687"


class Clap(Encoder):
    """The audio tower of a ClapModel: 48 kHz mono in windows of ten seconds, their mean, of length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id. The windows are ours, because the processor would cut ten
    seconds out of a longer sound at random.
    """

    modality: Modality = "audio"

    def __init__(self, *, model: str = "laion/clap-htsat-unfused", revision: str | None = None) -> None:
        self.model, self.revision = model, revision
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return weights.identity(self.model, self.revision)

    def about(self) -> About:
        """Told without the weights."""
        width = weights.configured(self.model, self.revision).get("projection_dim", 512)
        return About(weights.shown(self.model), _LICENCE, _PAPER, width)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        from transformers import ClapFeatureExtractor, ClapModel

        from mmgraph_encoders.pretrained import loaded, part

        self._extractor = part("the feature extractor", ClapFeatureExtractor, self.model, self.revision)
        network, _ = loaded(ClapModel, self.model, self.revision, device)
        self._commit = weights.revision_of(self.model, self.revision)
        self._network, self._device = network, device

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        return EncoderCard(
            name="clap",
            modality="audio",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=int(self._network.config.projection_dim),
            input=f"{self._extractor.sampling_rate} Hz mono, windows of {self._window} samples",
            licence=_LICENCE,
            paper=_PAPER,
        )

    @property
    def _window(self) -> int:
        return int(self._extractor.nb_max_samples)

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("clap")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks
        from mmgraph_encoders.waves import cut

        self._ready()
        pieces, counts = cut(sounds_of(clips), self._extractor.sampling_rate, self._window)
        return unit(mean_by_clip(in_chunks(pieces, self._compute, 32), counts))

    def _compute(self, pieces: Sequence[Floats]) -> Any:
        """Windows [n] -> tensor [windows, width]."""
        from mmgraph_encoders.pretrained import pooled

        inputs = self._extractor(list(pieces), sampling_rate=self._extractor.sampling_rate, return_tensors="pt")
        inputs["is_longer"] = inputs["is_longer"] & False  # with none longer the extractor marks one at random
        return pooled(self._network.get_audio_features(**inputs.to(self._device)))
