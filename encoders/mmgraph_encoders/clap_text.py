"""Texts by CLAP, in the space of its sounds."""

from collections.abc import Sequence
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import known_sounds, weights
from mmgraph_encoders.clips import texts_of, unit


class ClapText(Encoder):
    """The text tower of a ClapModel; with the same model as ``clap`` both lie in one space. Vectors have length one.

    model: hub id or folder; revision: branch, tag or commit of a hub id; precision: of the computation; prefix: put before every
    text (CLAP was trained on captions such as "The sound of a dog"); max_tokens: what goes beyond is cut off.
    """

    modality: Modality = "text"

    def __init__(
        self,
        *,
        model: str = "laion/clap-htsat-unfused",
        revision: str | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        prefix: str = "",
        max_tokens: int = 77,
    ) -> None:
        self.model, self.revision, self.precision = model, revision, precision
        self.prefix, self.max_tokens = prefix, max_tokens
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        arguments = {name: getattr(self, name) for name in ("precision", "prefix", "max_tokens")}
        return weights.identity(self.model, self.revision, **arguments)

    def about(self) -> About:
        """Told without the weights."""
        config = weights.configured(self.model, self.revision)
        licence, paper = known_sounds.of_weights(self.model, "clap")
        return About(weights.shown(self.model), licence, paper, config.get("projection_dim", 512))

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        from transformers import AutoTokenizer, ClapModel

        from mmgraph_encoders.pretrained import loaded, part

        self._tokenizer = part("the tokenizer", AutoTokenizer, self.model, self.revision)
        network, _ = loaded(ClapModel, self.model, self.revision, device, self.precision)
        text = network.config.text_config
        positions = text.max_position_embeddings - (text.pad_token_id + 1)  # RoBERTa counts from the padding's id on
        self._max_tokens = min(self.max_tokens, self._tokenizer.model_max_length, positions)
        self._commit = weights.revision_of(self.model, self.revision)
        del network.audio_model, network.audio_projection  # the other half of the weights
        self._network, self._device = network, device

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = known_sounds.of_weights(self.model, "clap")
        return EncoderCard(
            name="clap_text",
            modality="text",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=int(self._network.config.projection_dim),
            input=f"{self._max_tokens} tokens, prefix {self.prefix!r}",
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("clap_text")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks

        self._ready()
        return unit(in_chunks([self.prefix + text for text in texts_of(clips)], self._compute))

    def _compute(self, texts: Sequence[str]) -> Any:
        """Texts -> tensor [n, width]."""
        from mmgraph_encoders.pretrained import onto, pooled

        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._max_tokens, padding_side="right", return_tensors="pt"
        )
        return pooled(self._network.get_text_features(**onto(tokens, self._network)))
