"""Sound by torchaudio's own pipelines: wav2vec 2.0, XLS-R, HuBERT, WavLM."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmgraph.encode import hub
from mmgraph.encode.contract import About, Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import weights
from mmgraph_encoders.clips import sounds_of, unit
from mmgraph_encoders.known_sounds import PIPELINES, Pipeline

if TYPE_CHECKING:
    import torch

_WINDOW_S = 30
_LONGEST_CALL_S = 300  # seconds of sound computed at once, unless one window is longer
_BRINGS = "set init_args.state to that file, or connect to the network once"


class TorchaudioPipeline(Encoder):
    """Mean over the frames of a transformer layer, pooled over a sound's windows, of length one.

    bundle: its name in torchaudio.pipelines, e.g. WAV2VEC2_BASE, HUBERT_LARGE, WAVLM_BASE_PLUS; state: a file of its weights
    (.safetensors, or what torch.save wrote), when not given the one in torch's cache, or from the network; layer: from 1, the
    last when not given (middle ones often know more about voice and sound than the last); precision: of the computation;
    window_s: seconds heard at once; hop_s: from one window to the next, a window when not given; pooling: over the windows.
    Windows of equal length only are computed together, so that none is padded.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        *,
        bundle: str = "WAV2VEC2_BASE",
        state: str | None = None,
        layer: int | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        window_s: float = _WINDOW_S,
        hop_s: float | None = None,
        pooling: Literal["mean", "max"] = "mean",
    ) -> None:
        if bundle not in PIPELINES:
            raise EncoderError(
                "bundle is none of torchaudio.pipelines", given=bundle, todo=f"it is one of {', '.join(PIPELINES)}"
            )
        self.bundle, self.state, self.layer, self.precision = bundle, state, layer, precision
        self.window_s, self.hop_s, self.pooling = window_s, hop_s, pooling
        self._network: Any = None

    @property
    def _known(self) -> Pipeline:
        return PIPELINES[self.bundle]

    @property
    def _file(self) -> Path:
        """Where the weights are, or would be."""
        return Path(self.state).expanduser() if self.state is not None else _cache() / self._known.file

    def available(self) -> str | None:
        """Whether the file, torch's cache or the network has the weights."""
        if self._file.is_file():
            return None
        if self.state is not None:
            return f"no file {self._file}; set init_args.state to the weights of {self.bundle}"
        closed = hub.hub_closed()
        return None if closed is None else f"{self.bundle}: no {self._known.file} in {_cache()} and {closed}; {_BRINGS}"

    def identity(self) -> str | None:
        """Name, size and time of the file, and the arguments."""
        if not self._file.is_file():
            return None
        found = self._file.stat()
        names = ("bundle", "layer", "precision", "window_s", "hop_s", "pooling")
        return repr([self._file.name, found.st_size, found.st_mtime_ns, *(getattr(self, name) for name in names)])

    def about(self) -> About:
        """Told without the weights."""
        return About(f"torchaudio {self.bundle}", self._known.licence, self._known.paper, self._known.width)

    def load(self, device: str = "cpu") -> None:
        """Load through torchaudio; raises EncoderError."""
        import torchaudio.pipelines

        from mmgraph_encoders.pretrained import DTYPES
        from mmgraph_encoders.waves import span

        found = getattr(torchaudio.pipelines, self.bundle)
        self._rate_hz = int(found.sample_rate)
        self._span = span(self._rate_hz, self.window_s, self.hop_s, _WINDOW_S * self._rate_hz)
        layers = int(found._params["encoder_num_layers"])
        if self.layer is not None and not 1 <= self.layer <= layers:
            raise EncoderError(f"layer of {self.bundle} must be from 1 to {layers}", given=self.layer)
        self._normalise = bool(found._normalize_waveform)
        network = weights.bring(self.bundle, lambda: _model(found, self._state()))
        self._width = int(found._params["encoder_embed_dim"])
        self._revision = "sha256:" + weights.digest([self._file])
        self._network, self._device = network.to(device, DTYPES[self.precision]), device

    def _state(self) -> dict[str, "torch.Tensor"]:
        """Name -> tensor; never unpickled."""
        import torch
        import torchaudio.pipelines

        if self._file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(self._file)
        if self.state is None and not self._file.is_file():
            found = getattr(torchaudio.pipelines, self.bundle)
            asked = {"model_dir": str(_cache()), "weights_only": True, "progress": False, "map_location": "cpu"}
            state: dict[str, torch.Tensor] = found._get_state_dict(asked)
            return state
        return torch.load(self._file, map_location="cpu", weights_only=True)

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        window, hop = self._span
        every = "" if hop == window else f" every {hop}"
        layer = "last layer" if self.layer is None else f"layer {self.layer}"
        return EncoderCard(
            name="torchaudio_pipeline",
            modality="audio",
            weights=f"torchaudio {self.bundle}",
            revision=self._revision,
            width=self._width,
            input=f"{self._rate_hz} Hz mono, windows of {window}{every}, {layer}{', max' if self.pooling == 'max' else ''}",
            licence=self._known.licence,
            paper=self._known.paper,
            precision=self.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("torchaudio_pipeline")

    def prepare(self, clip: Clip) -> Clip:
        """One channel at the model's rate."""
        from mmgraph_encoders.waves import prepared

        self._ready()
        return prepared(clip, self._rate_hz)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.waves import by_length, cut, over_windows

        self._ready()
        pieces, counts = cut(sounds_of(clips), self._rate_hz, *self._span)
        vectors = by_length(pieces, self._compute, _LONGEST_CALL_S * self._rate_hz, masked=False)
        return unit(over_windows(vectors, counts, self.pooling))

    def _compute(self, pieces: Sequence[Floats]) -> Any:
        """Windows of one length -> tensor [windows, width]."""
        import numpy as np
        import torch

        from mmgraph_encoders.pretrained import onto

        samples = torch.from_numpy(np.stack(pieces))
        if self._normalise:  # here, as torchaudio normalises over the whole batch
            samples = torch.nn.functional.layer_norm(samples, samples.shape[1:])
        layers, _ = self._network.extract_features(onto(samples, self._network), num_layers=self.layer)
        return layers[-1].float().mean(dim=1)


def _cache() -> Path:
    """Where torch.hub keeps files, by its own rules, without importing it."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def _model(bundle: Any, state: dict[str, "torch.Tensor"]) -> Any:
    """The bundle's model without its head for letters and without its normalisation, from the state of either."""
    from torchaudio.models import wav2vec2_model, wavlm_model

    inner = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    factory = wavlm_model if bundle._model_type == "WavLM" else wav2vec2_model
    network = factory(**{**bundle._params, "aux_num_out": None})
    network.load_state_dict({name: tensor for name, tensor in inner.items() if not name.startswith("aux.")})
    return network.eval()
