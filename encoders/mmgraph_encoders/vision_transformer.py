"""Frames by any vision model of transformers."""

from collections.abc import Sequence
from typing import Any

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import weights
from mmgraph_encoders.clips import frames_of, mean_by_clip, unit

_KNOWN = {"facebook/dinov2-small": ("Apache-2.0", "Oquab et al. 2023, arXiv:2304.07193")}


class VisionModel(Encoder):
    """DINOv2, ViT, MobileNet, or the image tower of CLIP or SigLIP, by AutoModel. Mean over a clip's frames, of length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id. A frame gives the projected vector of a two-tower model,
    else the pooled output, else (no weights for a pooler) the first token.
    """

    modality: Modality = "image"

    def __init__(self, *, model: str = "facebook/dinov2-small", revision: str | None = None) -> None:
        self.model, self.revision = model, revision
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        import numpy as np
        from transformers import AutoImageProcessor, AutoModel

        from mmgraph_encoders.pretrained import in_chunks, loaded, part

        self._processor = part("the image processor", AutoImageProcessor, self.model, self.revision)
        network, self._has_pooler = loaded(AutoModel, self.model, self.revision, device)
        self._commit = weights.revision_of(self.model, self.revision)
        self._network, self._device = network, device
        grey = np.full((224, 224, 3), 128, np.uint8)
        self._width = in_chunks([grey], self._compute).shape[1]

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = _KNOWN.get(self.model, ("as the weights' page states", "as the weights' page states"))
        return EncoderCard(
            name="vision_transformer",
            modality="image",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=self._width,
            input=f"by its {type(self._processor).__name__}",
            licence=licence,
            paper=paper,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("vision_transformer")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks

        self._ready()
        pixels = frames_of(clips)
        vectors = in_chunks([frame for some in pixels for frame in some], self._compute)
        return unit(mean_by_clip(vectors, [len(some) for some in pixels]))

    def _compute(self, frames: Sequence[Any]) -> Any:
        """Frames uint8 [h, w, 3] -> tensor [n, width]."""
        from PIL import Image

        from mmgraph_encoders.pretrained import pooled

        images = self._processor(images=[Image.fromarray(frame) for frame in frames], return_tensors="pt")["pixel_values"]
        towers = getattr(self._network, "get_image_features", None)
        output = (towers or self._network)(pixel_values=images.to(self._device))
        return pooled(output, has_pooler=self._has_pooler)
