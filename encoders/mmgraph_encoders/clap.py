"""Sound and music by CLAP, whose space is shared with texts."""

from collections.abc import Sequence
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import known_sounds, weights
from mmgraph_encoders.clips import sounds_of, unit


class Clap(Encoder):
    """The audio tower of a ClapModel: 48 kHz mono in windows of ten seconds, pooled, of length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id; precision: of the computation; window_s: seconds heard at
    once, the model's ten when not given, a shorter window is repeated to fill them; hop_s: from one window to the next, a window
    when not given; pooling: over the windows. They are ours, because the processor would cut ten seconds out of a longer sound
    at random. ``clap_text`` puts texts into the same space.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        *,
        model: str = "laion/clap-htsat-unfused",
        revision: str | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        window_s: float | None = None,
        hop_s: float | None = None,
        pooling: Literal["mean", "max"] = "mean",
    ) -> None:
        self.model, self.revision, self.precision = model, revision, precision
        self.window_s, self.hop_s, self.pooling = window_s, hop_s, pooling
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        arguments = {name: getattr(self, name) for name in ("precision", "window_s", "hop_s", "pooling")}
        return weights.identity(self.model, self.revision, **arguments)

    def about(self) -> About:
        """Told without the weights."""
        config = weights.configured(self.model, self.revision)
        licence, paper = known_sounds.of_weights(self.model, "clap")
        return About(weights.shown(self.model), licence, paper, config.get("projection_dim", 512))

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        from transformers import ClapFeatureExtractor, ClapModel

        from mmgraph_encoders.pretrained import loaded, part
        from mmgraph_encoders.waves import span

        self._extractor = part("the feature extractor", ClapFeatureExtractor, self.model, self.revision)
        most = int(self._extractor.nb_max_samples)
        self._span = span(self._extractor.sampling_rate, self.window_s, self.hop_s, most, most)
        network, _ = loaded(ClapModel, self.model, self.revision, device, self.precision)
        self._commit = weights.revision_of(self.model, self.revision)
        del network.text_model, network.text_projection  # two thirds of the weights; ``clap_text`` has them
        self._network, self._device = network, device

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = known_sounds.of_weights(self.model, "clap")
        window, hop = self._span
        every = "" if hop == window else f" every {hop}"
        return EncoderCard(
            name="clap",
            modality="audio",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=int(self._network.config.projection_dim),
            input=f"{self._extractor.sampling_rate} Hz mono, windows of {window} samples{every}"
            + (", max" if self.pooling == "max" else ""),
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("clap")

    def prepare(self, clip: Clip) -> Clip:
        """One channel at the model's rate."""
        from mmgraph_encoders.waves import prepared

        self._ready()
        return prepared(clip, self._extractor.sampling_rate)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks
        from mmgraph_encoders.waves import cut, over_windows

        self._ready()
        pieces, counts = cut(sounds_of(clips), self._extractor.sampling_rate, *self._span)
        return unit(over_windows(in_chunks(pieces, self._compute, 32), counts, self.pooling))

    def _compute(self, pieces: Sequence[Floats]) -> Any:
        """Windows [n] -> tensor [windows, width]."""
        from mmgraph_encoders.pretrained import onto, pooled

        inputs = self._extractor(list(pieces), sampling_rate=self._extractor.sampling_rate, return_tensors="pt")
        inputs["is_longer"] = inputs["is_longer"] & False  # with none longer the extractor marks one at random
        return pooled(self._network.get_audio_features(**onto(inputs, self._network)))
