"""Sound by any audio model of transformers: spectrogram models such as AST, waveform models such as wav2vec 2.0 and HuBERT."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Sound
from mmgraph.types import Floats, Modality
from mmgraph_encoders import known_sounds, weights
from mmgraph_encoders.clips import chosen, sounds_of, unit
from mmgraph_encoders.log_mel_model import LogMelModel

_AST = "MIT/ast-finetuned-audioset-10-10-0.4593"
_WAVE_WINDOW_S = 30
_YAMNETS = "16000 Hz mono, log-mel patches [96, 64]"
_LONGEST_CALL_S = 300  # seconds of sound computed at once, unless one window is longer


class AudioModel(Encoder):
    """Pooled over a sound's windows, of length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id; front_end: ``auto`` takes the weights' own feature
    extractor, ``yamnet`` is ``log_mel_model`` with YAMNet's patches; precision: of the computation; window_s: seconds heard at
    once, when not given those of a spectrogram model, or 30 of a waveform; hop_s: from one window to the next, a window when not
    given; layer: from 1, whose mean over a window is taken, the model's own vector when not given (middle layers often know more
    of voice and words than the last); pooling: over the windows. Waveforms that a model was trained to read with an attention
    mask are padded and masked; for others (wav2vec 2.0 base, HuBERT base) only windows of equal length are computed together.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        *,
        model: str = "MIT/ast-finetuned-audioset-10-10-0.4593",
        revision: str | None = None,
        front_end: Literal["auto", "yamnet"] = "auto",
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        window_s: float | None = None,
        hop_s: float | None = None,
        layer: int | None = None,
        pooling: Literal["mean", "max"] = "mean",
    ) -> None:
        self.model, self.revision, self.front_end, self.precision = model, revision, front_end, precision
        self.window_s, self.hop_s, self.layer, self.pooling = window_s, hop_s, layer, pooling
        self._network: Any = None
        self._log_mel: LogMelModel | None = None
        if front_end == "yamnet":
            if window_s is not None or hop_s is not None:
                raise EncoderError(
                    "window_s and hop_s are not for front_end: yamnet", todo="use log_mel_model with patch_frames, patch_hop"
                )
            self._log_mel = LogMelModel(model=model, revision=revision, layer=layer, precision=precision, pooling=pooling)

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        arguments = {name: getattr(self, name) for name in ("front_end", "precision", "window_s", "hop_s", "pooling")}
        if self.layer is not None:
            arguments["layer"] = self.layer
        return weights.identity(self.model, self.revision, **arguments)

    def about(self) -> About:
        """Told without the weights."""
        if self._log_mel is not None:
            return self._log_mel.about()
        config = weights.configured(self.model, self.revision)
        licence, paper = known_sounds.of_weights(self.model, config.get("model_type"))
        return About(weights.shown(self.model), licence, paper, 768 if self.model == _AST else config.get("hidden_size"))

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        if self._log_mel is not None:
            self._log_mel.load(device)
            return
        from transformers import AutoFeatureExtractor, AutoModel

        from mmgraph_encoders.pretrained import loaded, part
        from mmgraph_encoders.waves import span

        self._extractor = part("the feature extractor", AutoFeatureExtractor, self.model, self.revision)
        self._span = span(self._rate_hz, self.window_s, self.hop_s, *self._own_window())
        network, self._has_pooler = loaded(AutoModel, self.model, self.revision, device, self.precision)
        self._masked = bool(self._extractor.return_attention_mask) and hasattr(network, "_get_feature_vector_attention_mask")
        self._commit = weights.revision_of(self.model, self.revision)
        self._network, self._device = network, device
        self._width = self._probe()

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        if self._log_mel is not None:
            own = self._log_mel.card
            return replace(own, name="audio_transformer", input=_YAMNETS + chosen(self.layer, self.pooling))
        self._ready()
        licence, paper = known_sounds.of_weights(self.model, self._network.config.model_type)
        window, hop = self._span
        every = "" if hop == window else f" every {hop}"
        return EncoderCard(
            name="audio_transformer",
            modality="audio",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=self._width,
            input=f"{self._rate_hz} Hz mono, windows of {window}{every}{chosen(self.layer, self.pooling)}",
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    @property
    def _rate_hz(self) -> int:
        return int(self._extractor.sampling_rate)

    @property
    def _spectrogram(self) -> bool:
        return bool(getattr(self._extractor, "max_length", None))

    def _own_window(self) -> tuple[int, int | None]:
        """Samples a window, and the most: a spectrogram's ``max_length`` counts frames of 10 ms."""
        frames = getattr(self._extractor, "max_length", None)
        own = int(frames * self._rate_hz // 100) if frames else _WAVE_WINDOW_S * self._rate_hz
        return own, own if frames else None

    def _probe(self) -> int:
        import numpy as np

        try:
            return int(self._vectors([Sound(np.zeros((1, self._rate_hz), np.float32), self._rate_hz)]).shape[1])
        except (TypeError, ValueError, AttributeError) as error:
            raise EncoderError(
                f"{self.model} is no model that turns sound alone into vectors", given=error, todo="use another model"
            ) from error

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("audio_transformer")

    def prepare(self, clip: Clip) -> Clip:
        """One channel at the model's rate."""
        if self._log_mel is not None:
            return self._log_mel.prepare(clip)
        from mmgraph_encoders.waves import prepared

        self._ready()
        return prepared(clip, self._rate_hz)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        if self._log_mel is not None:
            return self._log_mel._encode(clips)
        self._ready()
        return unit(self._vectors(sounds_of(clips)))

    def _vectors(self, sounds: Sequence[Sound]) -> Floats:
        from mmgraph_encoders.waves import by_length, cut, over_windows

        pieces, counts = cut(sounds, self._rate_hz, *self._span)
        together = self._masked or self._spectrogram  # a spectrogram is always padded to one length
        vectors = by_length(pieces, self._compute, _LONGEST_CALL_S * self._rate_hz, masked=together)
        return over_windows(vectors, counts, self.pooling)

    def _compute(self, pieces: Sequence[Floats]) -> Any:
        """Windows [n] -> tensor [windows, width]."""
        from mmgraph_encoders.pretrained import hidden, onto, over_positions, pooled

        settings = {"padding": True, "return_attention_mask": True} if self._masked else {}
        inputs = self._extractor(list(pieces), sampling_rate=self._rate_hz, return_tensors="pt", **settings)
        inputs = onto(inputs, self._network)
        with warnings.catch_warnings():  # WavLM of transformers mixes masks of two types, each of them right
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            output = self._network(**inputs, **({} if self.layer is None else {"output_hidden_states": True}))
        if not self._masked and self.layer is None:
            return pooled(output, has_pooler=self._has_pooler, otherwise="mean")
        states = output.last_hidden_state if self.layer is None else hidden(output, self.layer, self._network)
        states = states.float()
        if not self._masked:
            return over_positions(states)
        kept = self._network._get_feature_vector_attention_mask(states.shape[1], inputs["attention_mask"])
        weight = kept[:, :, None].to(states.dtype)
        return (states * weight).sum(dim=1) / weight.sum(dim=1)
