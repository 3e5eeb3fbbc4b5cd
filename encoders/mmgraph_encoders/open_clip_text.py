"""Texts by the text tower of an open_clip model."""

from collections.abc import Sequence
from typing import Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders.clips import texts_of, unit
from mmgraph_encoders.contrastive import Contrastive, ContrastiveWeights, texts_alone


class OpenClipText(Encoder):
    """The text side of ``open_clip_image``: with the same settings both lie in one space. Vectors have length one.

    model: an architecture of open_clip, ``hf-hub:ID`` or ``local-dir:FOLDER``; pretrained: the tag, or file, of an architecture's
    weights; revision: branch, tag or commit of the hub's repository; precision: of the computation. What goes beyond the
    model's context (77 tokens) is cut off.
    """

    modality: Modality = "text"

    def __init__(
        self,
        *,
        model: str = "ViT-B-32",
        pretrained: str = "laion2b_s34b_b79k",
        revision: str | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ) -> None:
        self.weights = ContrastiveWeights(model, pretrained, precision, revision)
        self._loaded: Contrastive | None = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return self.weights.missing()

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return self.weights.identity()

    def about(self) -> About:
        """Told without the weights."""
        return self.weights.about()

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return self.weights.repository()

    def load(self, device: str = "cpu") -> None:
        """Load through open_clip; raises EncoderError."""
        self._loaded = texts_alone(self.weights.load(device))

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        loaded = self._ready()
        licence, paper = self.weights.stated()
        return EncoderCard(
            name="open_clip_text",
            modality="text",
            weights=self.weights.shown,
            revision=loaded.revision,
            width=loaded.width,
            input=f"{loaded.tokens} tokens",
            licence=licence,
            paper=paper,
            precision=self.weights.precision,
        )

    def _ready(self) -> Contrastive:
        from mmgraph_encoders.pretrained import unloaded

        if self._loaded is None:
            raise unloaded("open_clip_text")
        return self._loaded

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks

        loaded = self._ready()
        texts = texts_of(clips)
        return unit(in_chunks(texts, lambda some: loaded.network.encode_text(loaded.tokenize(list(some)).to(loaded.device))))
