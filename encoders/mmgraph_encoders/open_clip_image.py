"""Frames by the image tower of an open_clip model."""

from collections.abc import Sequence
from typing import Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Bytes, Floats, Modality
from mmgraph_encoders.contrastive import Contrastive, ContrastiveWeights


class OpenClipImage(Encoder):
    """Image and text of one model lie in one space. Vectors have length one.

    model: an architecture of open_clip, ``hf-hub:ID`` or ``local-dir:FOLDER``; pretrained: the tag, or file, of an architecture's
    weights; revision: branch, tag or commit of the hub's repository; pooling: of the vectors of a clip's frames (``motion`` weighs
    a frame by how much the picture changes around it); precision: of the computation.
    """

    modality: Modality = "image"

    def __init__(
        self,
        *,
        model: str = "ViT-B-32",
        pretrained: str = "laion2b_s34b_b79k",
        revision: str | None = None,
        pooling: Literal["mean", "max", "motion"] = "mean",
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ) -> None:
        self.weights = ContrastiveWeights(model, pretrained, precision, revision)
        self.pooling = pooling
        self._loaded: Contrastive | None = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return self.weights.missing()

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        found = self.weights.identity()
        return found and f"{found} {self.pooling}"

    def about(self) -> About:
        """Told without the weights."""
        return self.weights.about()

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return self.weights.repository()

    def load(self, device: str = "cpu") -> None:
        """Load through open_clip; raises EncoderError."""
        self._loaded = self.weights.load(device)

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        loaded = self._ready()
        licence, paper = self.weights.stated()
        return EncoderCard(
            name="open_clip_image",
            modality="image",
            weights=self.weights.shown,
            revision=loaded.revision,
            width=loaded.width,
            input=f"{loaded.pictures.shown}, {self.pooling} of frames",
            licence=licence,
            paper=paper,
            precision=self.weights.precision,
        )

    def _ready(self) -> Contrastive:
        from mmgraph_encoders.pretrained import unloaded

        if self._loaded is None:
            raise unloaded("open_clip_image")
        return self._loaded

    def prepare(self, clip: Clip) -> Clip:
        """Frames resized and cropped as open_clip does for these weights."""
        return self._ready().pictures.prepare(clip)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        import torch

        from mmgraph_encoders.pictures import frame_vectors

        loaded = self._ready()

        def compute(frames: Sequence[Bytes]) -> torch.Tensor:
            inputs = loaded.pictures.inputs(frames, loaded.device, loaded.dtype)
            return loaded.network.encode_image(inputs["pixel_values"])

        return frame_vectors(clips, loaded.pictures, compute, self.pooling)
