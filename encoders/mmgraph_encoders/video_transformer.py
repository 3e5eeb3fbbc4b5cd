"""Clips by a video model of transformers, which sees what moves."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames
from mmgraph.types import Bytes, Floats, Ints, Modality
from mmgraph_encoders import known, weights
from mmgraph_encoders.clips import frames_of, unit

_MEAN_OF_TOKENS = ("videomae",)


class VideoTransformer(Encoder):
    """X-CLIP, VideoMAE, TimeSformer or ViViT, by AutoModel. Vectors have length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id; precision: of the computation. The model gets as many
    frames as it was trained on (8 or 16), those nearest in time to even steps from the first of a clip to its last; so set
    ``media.frames_per_segment`` to as many. Fewer are repeated, and a still picture is a film in which nothing moves. X-CLIP
    gives its projected vector, the others the first token or, as VideoMAE is trained, the mean over the tokens.
    """

    modality: Modality = "image"

    def __init__(
        self,
        *,
        model: str = "microsoft/xclip-base-patch32",
        revision: str | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ) -> None:
        self.model, self.revision, self.precision = model, revision, precision
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return weights.identity(self.model, self.revision, precision=self.precision)

    def about(self) -> About:
        """Told without the weights."""
        config = weights.configured(self.model, self.revision)
        licence, paper = known.of_weights(self.model, config.get("model_type"))
        return About(weights.shown(self.model), licence, paper, config.get("projection_dim") or config.get("hidden_size"))

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        import transformers

        from mmgraph_encoders.pictures import Processed
        from mmgraph_encoders.pretrained import loaded, part

        config = part("the configuration", transformers.AutoConfig, self.model, self.revision)
        self._num_frames = _num_frames(config, self.model)
        processor = part("the image processor", transformers.AutoImageProcessor, self.model, self.revision)
        classifies = any("ForVideoClassification" in name for name in config.architectures or ())
        kind = "AutoModelForVideoClassification" if classifies and config.model_type in _MEAN_OF_TOKENS else "AutoModel"
        network, self._has_pooler = loaded(getattr(transformers, kind), self.model, self.revision, device, self.precision)
        self._pictures = Processed(processor)
        self._commit, self._architecture = weights.revision_of(self.model, self.revision), config.model_type
        self._network, self._device = network, device
        grey = self._pictures.prepare(Frames(np.full((1, 224, 224, 3), 128, np.uint8)))
        self._width = self._vectors(frames_of([grey]), [(0.0,)]).shape[1]

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = known.of_weights(self.model, self._architecture)
        return EncoderCard(
            name="video_transformer",
            modality="image",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=self._width,
            input=f"{self._num_frames} frames, {self._pictures.shown}",
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("video_transformer")

    def prepare(self, clip: Clip) -> Clip:
        """The frames that the model will see, each once, resized and cropped by the weights' own image processor."""
        from mmgraph_encoders.pictures import Prepared

        self._ready()
        (pixels,) = frames_of([clip])
        if not isinstance(clip, Frames) or (isinstance(clip, Prepared) and clip.recipe == self._pictures.recipe):
            return clip
        times = _times(clip.times_s, len(pixels))
        seen = np.unique(nearest(times, self._num_frames))
        return self._pictures.prepare(Frames(pixels[seen], tuple(times[i] for i in seen)))

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        times = [clip.times_s for clip in clips if isinstance(clip, Frames)]
        return unit(self._vectors(frames_of(clips), times))

    def _vectors(self, pixels: Sequence[Bytes], times: Sequence[tuple[float, ...]]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks

        picked = [nearest(_times(some, len(frames)), self._num_frames) for frames, some in zip(pixels, times, strict=True)]
        films = [frames[which] for frames, which in zip(pixels, picked, strict=True)]
        return in_chunks(films, self._compute, 8 if self._device == "cpu" else 64)

    def _compute(self, films: Sequence[Bytes]) -> Any:
        """Prepared frames uint8 [num_frames, h, w, 3] of each clip -> tensor [n, width]."""
        import torch

        from mmgraph_encoders.pretrained import DTYPES, pooled

        dtype = DTYPES[self.precision]
        each = [self._pictures.inputs(list(film), self._device, dtype)["pixel_values"] for film in films]
        videos = torch.stack([one.flatten(0, -4) for one in each])
        if hasattr(self._network, "get_video_features"):
            return pooled(self._network.get_video_features(pixel_values=videos))
        if self._architecture not in _MEAN_OF_TOKENS:
            return pooled(self._network(pixel_values=videos), has_pooler=self._has_pooler)
        vectors = getattr(self._network, "videomae", self._network)(pixel_values=videos).last_hidden_state.mean(dim=1)
        norm = getattr(self._network, "fc_norm", None)
        return vectors if norm is None else norm(vectors)


def nearest(times: Sequence[float], count: int) -> Ints:
    """Positions of the times nearest to ``count`` even steps from the first to the last; of two as near the earlier.

    >>> nearest([0.0, 1.0, 3.0], 4).tolist()
    [0, 1, 1, 2]
    """
    steps = np.linspace(times[0], times[-1], count)
    return np.abs(np.asarray(times)[None, :] - steps[:, None]).argmin(axis=1)


def _times(times: Sequence[float], count: int) -> Sequence[float]:
    """Positions take the place of times that do not fit the frames."""
    return times if len(times) == count else [float(i) for i in range(count)]


def _num_frames(config: Any, model: str) -> int:
    found = getattr(config, "num_frames", None) or getattr(getattr(config, "vision_config", None), "num_frames", None)
    if not found:
        todo = "use vision_transformer, which pools over frames, or a model such as microsoft/xclip-base-patch32"
        raise EncoderError(f"{model} is no video model", given=f"model_type {config.model_type}", todo=todo)
    return int(found)
