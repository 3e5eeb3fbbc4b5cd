"""Frames by any image model of timm."""

from collections.abc import Sequence
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Bytes, Floats, Modality
from mmgraph_encoders import known
from mmgraph_encoders.timm_weights import TimmWeights


class TimmImage(Encoder):
    """The pooled output of a model of timm before its classifier. Vectors have length one.

    model: a name of timm with the tag of its weights (``resnet50.a1_in1k``), ``hf-hub:ID`` or ``local-dir:FOLDER``; checkpoint: a
    safetensors file for such a name, classifier included; revision: branch, tag or commit of the hub's repository; pooling: of
    the vectors of a clip's frames (``motion`` weighs a frame by how much the picture changes around it); precision: of the
    computation.
    """

    modality: Modality = "image"

    def __init__(
        self,
        *,
        model: str = "vit_base_patch16_224.augreg2_in21k_ft_in1k",
        checkpoint: str | None = None,
        revision: str | None = None,
        pooling: Literal["mean", "max", "motion"] = "mean",
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ) -> None:
        self.weights = TimmWeights(model, checkpoint, revision)
        self.pooling, self.precision = pooling, precision
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, a file, the cache or the hub has the weights."""
        return self.weights.missing()

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        found = self.weights.identity()
        return found and f"{found} {self.pooling} {self.precision}"

    def about(self) -> About:
        """Told without the weights."""
        licence, paper = known.of_weights(self.weights.shown)
        return About(self.weights.shown, licence, paper)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder or file."""
        return self.weights.repository()

    def load(self, device: str = "cpu") -> None:
        """Load through timm; raises EncoderError."""
        import timm.data

        from mmgraph_encoders.pictures import Composed, width_of
        from mmgraph_encoders.pretrained import DTYPES

        network = self.weights.build()
        config = timm.data.resolve_model_data_config(network)
        self._pictures = Composed(timm.data.create_transform(**config, is_training=False))
        self._stated, self._commit = _stated(network.pretrained_cfg), self.weights.revision()
        self._device = device
        self._network = network.to(device, DTYPES[self.precision])
        self._width = width_of(self._pictures, self._compute)

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = self._stated
        return EncoderCard(
            name="timm_image",
            modality="image",
            weights=self.weights.shown,
            revision=self._commit,
            width=self._width,
            input=f"{self._pictures.shown}, {self.pooling} of frames",
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("timm_image")

    def prepare(self, clip: Clip) -> Clip:
        """Frames resized and cropped as timm does for these weights."""
        self._ready()
        return self._pictures.prepare(clip)

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pictures import frame_vectors

        return frame_vectors(clips, self._pictures, self._compute, self.pooling, self._device)

    def _compute(self, frames: Sequence[Bytes]) -> Any:
        """Prepared frames uint8 [h, w, 3] -> tensor [n, width]."""
        from mmgraph_encoders.pretrained import DTYPES

        return self._network(self._pictures.inputs(frames, self._device, DTYPES[self.precision])["pixel_values"]).flatten(1)


def _stated(config: dict[str, Any]) -> tuple[str, str]:
    """Licence and paper as timm's description of the weights has them, else by the name."""
    licence, paper = known.of_weights(str(config.get("hf_hub_id") or ""))
    papers = config.get("paper_ids") or ()
    named = "; ".join([papers] if isinstance(papers, str) else papers)
    return str(config.get("license") or licence), named or paper
