"""Frames by the image tower of an open_clip model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Bytes, Floats, Modality
from mmgraph_encoders.contrastive import Contrastive, ContrastiveWeights, pictures_alone

if TYPE_CHECKING:
    from mmgraph.encode.tuning import Tunable


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
        self._loaded = pictures_alone(self.weights.load(device))

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

    def tunable(self, blocks: int, tokens: int | None) -> "Tunable | str":
        """The last blocks of an image tower that is a vision transformer of open_clip's own; frames are pooled by their mean."""
        from mmgraph_encoders.tunable_transformer import cut_frames
        from mmgraph_encoders.vision_tails import open_clip_tail

        if self.pooling != "mean":
            return f"its frames are pooled by {self.pooling}; pooling: mean can be trained"
        visual = self._ready().network.visual
        return cut_frames(visual, open_clip_tail(visual), self._compute, self.prepare, blocks)

    def _ready(self) -> Contrastive:
        from mmgraph_encoders.pretrained import unloaded

        if self._loaded is None:
            raise unloaded("open_clip_image")
        return self._loaded

    def prepare(self, clip: Clip) -> Clip:
        """Frames resized and cropped as open_clip does for these weights."""
        return self._ready().pictures.prepare(clip)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pictures import frame_vectors

        return frame_vectors(clips, self._ready().pictures, self._compute, self.pooling, self._ready().device)

    def _compute(self, frames: Sequence[Bytes]) -> Any:
        """Prepared frames uint8 [h, w, 3] -> tensor [n, width]."""
        loaded = self._ready()
        inputs = loaded.pictures.inputs(frames, loaded.device, loaded.dtype)
        return loaded.network.encode_image(inputs["pixel_values"])
