"""Sound by models of transformers that read log-mel patches as images: YAMNet, VGGish, PANNs and their kin."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import known_sounds, weights
from mmgraph_encoders.clips import chosen, sounds_of, unit

if TYPE_CHECKING:
    from mmgraph_encoders.log_mel import LogMel

_NONE = (
    "log_mel_model has no weights of its own; set init_args.model to a folder or hub id of a model that reads log-mel patches"
)


class LogMelModel(Encoder):
    """Pooled over a sound's patches, of length one.

    model: hub id or folder, read by transformers' AutoModel, which is given patches [n, 1, frames, mels] as ``pixel_values``;
    revision: branch, tag or commit of a hub id; front_end: whose numbers hold where the next are not given; rate_hz; n_fft;
    window and hop: samples of a frame and from one to the next; mels: bands from low_hz to high_hz; floor: added before the
    logarithm; patch_frames, patch_hop: frames a patch and from one to the next; layer: from 1, whose mean over a patch is taken
    instead of the model's own vector (the last layers of a classifier know its classes, middle ones more of everything else);
    precision: of the model; pooling: over patches.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        *,
        model: str = "",
        revision: str | None = None,
        front_end: Literal["yamnet", "vggish", "panns"] = "yamnet",
        rate_hz: int | None = None,
        n_fft: int | None = None,
        window: int | None = None,
        hop: int | None = None,
        mels: int | None = None,
        low_hz: float | None = None,
        high_hz: float | None = None,
        floor: float | None = None,
        patch_frames: int | None = None,
        patch_hop: int | None = None,
        layer: int | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        pooling: Literal["mean", "max"] = "mean",
    ) -> None:
        self.model, self.revision, self.front_end = model, revision, front_end
        self.layer, self.precision, self.pooling = layer, precision, pooling
        given = {"rate_hz": rate_hz, "n_fft": n_fft, "window": window, "hop": hop, "mels": mels, "low_hz": low_hz}
        given |= {"high_hz": high_hz, "floor": floor, "patch_frames": patch_frames, "patch_hop": patch_hop}
        self._given: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision) if self.model else _NONE

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        if not self.model:
            return None
        arguments = {"front_end": self.front_end, "precision": self.precision, "pooling": self.pooling, **self._given}
        if self.layer is not None:
            arguments["layer"] = self.layer
        return weights.identity(self.model, self.revision, **arguments)

    def about(self) -> About:
        """Told without the weights."""
        licence, paper = self._source()
        config = weights.configured(self.model, self.revision) if self.model else {}
        width = config.get("hidden_size") or (1024 if config.get("model_type") == "mobilenet_v1" else None)
        if self.layer is not None and "hidden_size" not in config:
            width = None  # the layers of a convolution are of many widths
        return About(weights.shown(self.model) if self.model else "none given", licence, paper, width)

    def _source(self) -> tuple[str, str]:
        if self.front_end == "yamnet" and not self._given:
            return known_sounds.YAMNET
        return known_sounds.of_weights(self.model)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision) if self.model else None

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        import torch
        from transformers import AutoModel

        from mmgraph_encoders.log_mel import FRONT_ENDS
        from mmgraph_encoders.pretrained import in_chunks, loaded

        self._front: LogMel = replace(FRONT_ENDS[self.front_end], **self._given)
        self._front.check()
        network, self._has_pooler = loaded(AutoModel, self.model, self.revision, device, self.precision)
        self._commit = weights.revision_of(self.model, self.revision)
        self._network, self._device = network, device
        silence = self._front.patches(torch.zeros(1))
        self._width = int(in_chunks(silence, self._compute).shape[1])  # type: ignore[arg-type]  # a tensor is a sequence of patches

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = self._source()
        return EncoderCard(
            name="log_mel_model",
            modality="audio",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=self._width,
            input=self._front.described() + chosen(self.layer, self.pooling),
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("log_mel_model")

    def prepare(self, clip: Clip) -> Clip:
        """One channel at the front end's rate."""
        from mmgraph_encoders.waves import prepared

        self._ready()
        return prepared(clip, self._front.rate_hz)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks
        from mmgraph_encoders.waves import log_mel_patches, over_windows

        self._ready()
        patches, counts = log_mel_patches(sounds_of(clips), self._front)
        vectors = in_chunks(patches, self._compute)  # type: ignore[arg-type]  # a tensor is a sequence of patches
        return unit(over_windows(vectors, counts, self.pooling))

    def _compute(self, patches: Any) -> Any:
        from mmgraph_encoders.pretrained import hidden, onto, over_positions, pooled

        patches = onto(patches, self._network)
        if self.layer is None:
            return pooled(self._network(pixel_values=patches), has_pooler=self._has_pooler)
        output = self._network(pixel_values=patches, output_hidden_states=True)
        return over_positions(hidden(output, self.layer, self._network).float())
