"""Frames by any vision model of transformers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Bytes, Floats, Modality
from mmgraph_encoders import known, weights

if TYPE_CHECKING:
    from mmgraph.encode.tuning import Tunable

# ``model_type`` of a checkpoint with two towers -> the class that reads its image tower alone, projection included.
_TOWERS = {
    "clip": "CLIPVisionModelWithProjection",
    "metaclip_2": "MetaClip2VisionModelWithProjection",
    "siglip": "SiglipVisionModel",
    "siglip2": "Siglip2VisionModel",
}


class VisionModel(Encoder):
    """DINOv2, ViT, MobileNet, or the image tower of CLIP or SigLIP, by AutoModel. Vectors have length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id; pooling: of the vectors of a clip's frames (``motion``
    weighs a frame by how much the picture changes around it); precision: of the computation. A frame gives the projected vector
    of a two-tower model, of which only the image tower is loaded where transformers has a class for it; else the pooled
    output, else (no weights for a pooler) the first token.
    """

    modality: Modality = "image"

    def __init__(
        self,
        *,
        model: str = "facebook/dinov2-small",
        revision: str | None = None,
        pooling: Literal["mean", "max", "motion"] = "mean",
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ) -> None:
        self.model, self.revision = model, revision
        self.pooling, self.precision = pooling, precision
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return weights.identity(self.model, self.revision, pooling=self.pooling, precision=self.precision)

    def about(self) -> About:
        """Told without the weights."""
        config = weights.configured(self.model, self.revision)
        licence, paper = known.of_weights(self.model, config.get("model_type"))
        width = 384 if self.model == "facebook/dinov2-small" else config.get("projection_dim") or config.get("hidden_size")
        return About(weights.shown(self.model), licence, paper, width)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        import transformers

        from mmgraph_encoders.pictures import Processed, width_of
        from mmgraph_encoders.pretrained import loaded, part

        config = part("the configuration", transformers.AutoConfig, self.model, self.revision)
        processor = part("the image processor", transformers.AutoImageProcessor, self.model, self.revision)
        factory = getattr(transformers, _TOWERS.get(config.model_type, "AutoModel"))
        tower = {"config": _tower(config)} if config.model_type in _TOWERS else {}
        network, self._has_pooler = loaded(factory, self.model, self.revision, device, self.precision, **tower)
        self._pictures = Processed(processor)
        self._commit, self._architecture = weights.revision_of(self.model, self.revision), config.model_type
        self._network, self._device = network, device
        self._width = width_of(self._pictures, self._compute)

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = known.of_weights(self.model, self._architecture)
        return EncoderCard(
            name="vision_transformer",
            modality="image",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=self._width,
            input=f"{self._pictures.shown}, {self.pooling} of frames",
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def tunable(self, blocks: int, tokens: int | None) -> "Tunable | str":
        """The last blocks of ViT, DINOv2, CLIP, SigLIP and their kin; frames are pooled by their mean."""
        from mmgraph_encoders.tunable_transformer import cut_frames
        from mmgraph_encoders.vision_tails import tail_of, tower_of

        if self.pooling != "mean":
            return f"its frames are pooled by {self.pooling}; pooling: mean can be trained"
        tail = tail_of(self._network, self._has_pooler)
        return cut_frames(tower_of(self._network), tail, self._compute, self.prepare, blocks)

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("vision_transformer")

    def prepare(self, clip: Clip) -> Clip:
        """Frames resized and cropped by the weights' own image processor."""
        self._ready()
        return self._pictures.prepare(clip)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pictures import frame_vectors

        return frame_vectors(clips, self._pictures, self._compute, self.pooling, self._device)

    def _compute(self, frames: Sequence[Bytes]) -> Any:
        """Prepared frames uint8 [h, w, 3] -> tensor [n, width]."""
        from mmgraph_encoders.pretrained import DTYPES, pooled

        inputs = self._pictures.inputs(frames, self._device, DTYPES[self.precision])
        network = getattr(self._network, "get_image_features", self._network)
        return pooled(network(**inputs), has_pooler=self._has_pooler)


def _tower(config: Any) -> Any:
    """The image tower's configuration, with the width of the projection that the whole model states."""
    vision = config.vision_config
    if hasattr(config, "projection_dim"):
        vision.projection_dim = config.projection_dim
    return vision
