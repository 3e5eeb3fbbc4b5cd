"""Texts by a transformer of the hub or of a folder, pooled over its tokens."""

from collections.abc import Sequence
from typing import Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import weights
from mmgraph_encoders.clips import texts_of, unit

_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_KNOWN = {_MINILM: ("Apache-2.0", "Reimers & Gurevych 2019, arXiv:1908.10084; Wang et al. 2020, arXiv:2002.10957")}


class SentenceTransformer(Encoder):
    """Any text model of transformers' AutoModel.

    model: hub id or folder; revision: branch, tag or commit of a hub id; pooling: over the tokens; prefix: put before every text
    (e.g. ``passage: ``); normalise: to length one; max_tokens: what goes beyond is cut off.
    """

    modality: Modality = "text"

    def __init__(
        self,
        *,
        model: str = "sentence-transformers/all-MiniLM-L6-v2",
        revision: str | None = None,
        pooling: Literal["mean", "cls", "last"] = "mean",
        prefix: str = "",
        normalise: bool = True,
        max_tokens: int = 256,
    ) -> None:
        self.model, self.revision = model, revision
        self.pooling, self.prefix, self.normalise, self.max_tokens = pooling, prefix, normalise, max_tokens
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return weights.identity(
            self.model,
            self.revision,
            pooling=self.pooling,
            prefix=self.prefix,
            normalise=self.normalise,
            max_tokens=self.max_tokens,
        )

    def about(self) -> About:
        """Told without the weights."""
        licence, paper = _KNOWN.get(self.model, ("as the weights' page states", "as the weights' page states"))
        width = 384 if self.model == _MINILM else weights.configured(self.model, self.revision).get("hidden_size")
        return About(weights.shown(self.model), licence, paper, width)

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        from transformers import AutoModel, AutoTokenizer

        from mmgraph_encoders.pretrained import loaded, part

        self._tokenizer = part("the tokenizer", AutoTokenizer, self.model, self.revision)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        network, _ = loaded(AutoModel, self.model, self.revision, device)
        positions = getattr(network.config, "max_position_embeddings", None) or self.max_tokens
        self._max_tokens = min(self.max_tokens, self._tokenizer.model_max_length, positions)
        self._commit = weights.revision_of(self.model, self.revision)
        self._network, self._device = network, device

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = _KNOWN.get(self.model, ("as the weights' page states", "as the weights' page states"))
        settings = f"{self._max_tokens} tokens, {self.pooling} pooling, prefix {self.prefix!r}, normalise {self.normalise}"
        return EncoderCard(
            name="sentence_transformer",
            modality="text",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=int(self._network.config.hidden_size),
            input=settings,
            licence=licence,
            paper=paper,
        )

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("sentence_transformer")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.pretrained import in_chunks

        self._ready()
        vectors = in_chunks([self.prefix + text for text in texts_of(clips)], self._compute)
        return unit(vectors) if self.normalise else vectors

    def _compute(self, texts: Sequence[str]) -> Any:
        """Texts -> tensor [n, width]; padding is masked, so a text's vector does not depend on its neighbours."""
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._max_tokens, padding_side="right", return_tensors="pt"
        ).to(self._device)
        hidden = self._network(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"]
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "last":
            last = mask.sum(dim=1).clamp(min=1) - 1
            return hidden[range(len(hidden)), last]
        weight = mask[:, :, None].to(hidden.dtype)
        return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
