"""Texts by a transformer of the hub or of a folder, pooled over its tokens."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard, Repository
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders import known, text_defaults, weights
from mmgraph_encoders.clips import texts_of, unit
from mmgraph_encoders.text_defaults import Reading

if TYPE_CHECKING:
    from mmgraph.encode.tuning import Tunable

_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_OFFSET = (
    "roberta",
    "xlm-roberta",
    "camembert",
    "mpnet",
    "xlm-roberta-xl",
    "roberta-prelayernorm",
)  # count from the padding's id


class SentenceTransformer(Encoder):
    """Any text model of transformers, of encoders (MiniLM, E5, BGE) and of decoders (E5-Mistral, Qwen3-Embedding).

    model: hub id or folder; revision: branch, tag or commit of a hub id; pooling: over the tokens; prefix: put before every text;
    role: which of the weights' own prefixes is taken where ``prefix`` is not given; normalise: to length one; max_tokens: what
    goes beyond is cut off; precision: of the computation. What is left out is as the weights' files say (those of
    sentence-transformers), else as a table of known models does, else mean over 256 tokens, of length one.
    """

    modality: Modality = "text"

    def __init__(
        self,
        *,
        model: str = "sentence-transformers/all-MiniLM-L6-v2",
        revision: str | None = None,
        pooling: Literal["mean", "cls", "last"] | None = None,
        prefix: str | None = None,
        role: Literal["passage", "query"] = "passage",
        normalise: bool | None = None,
        max_tokens: int | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ) -> None:
        self.model, self.revision, self.role, self.precision = model, revision, role, precision
        self._given = {"pooling": pooling, "prefix": prefix, "normalise": normalise, "max_tokens": max_tokens}
        self._network: Any = None

    def available(self) -> str | None:
        """Whether a folder, the cache or the hub has the weights."""
        return weights.missing(self.model, self.revision)

    @property
    def reading(self) -> Reading:
        """Pooling, prefix, normalising and length, as given and else as the weights ask; raises EncoderError."""
        given: dict[str, Any] = {name: value for name, value in self._given.items() if value is not None}
        if len(given) == len(self._given):
            return Reading(**given)
        asked = text_defaults.reading(self.model, self.revision, self.role, pooled="pooling" in given)
        return Reading(**asdict(asked) | given)

    def identity(self) -> str | None:
        """The files of the folder or the commit, and the arguments."""
        return weights.identity(self.model, self.revision, precision=self.precision, **asdict(self.reading))

    def about(self) -> About:
        """Told without the weights."""
        config = weights.configured(self.model, self.revision)
        licence, paper = known.of_weights(self.model, config.get("model_type"))
        return About(weights.shown(self.model), licence, paper, 384 if self.model == _MINILM else config.get("hidden_size"))

    def repository(self) -> Repository | None:
        """The hub's, unless the weights are in a folder."""
        return weights.repository(self.model, self.revision)

    def load(self, device: str = "cpu") -> None:
        """Load through transformers; raises EncoderError."""
        import transformers

        from mmgraph_encoders.pretrained import loaded, part

        text_defaults.bring(self.model, self.revision)
        self._tokenizer = part("the tokenizer", transformers.AutoTokenizer, self.model, self.revision)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token or self._tokenizer.unk_token
        config = part("the configuration", transformers.AutoConfig, self.model, self.revision)
        factory = transformers.AutoModelForTextEncoding if config.is_encoder_decoder else transformers.AutoModel
        network, _ = loaded(factory, self.model, self.revision, device, self.precision)
        self._reading = self.reading
        self._max_tokens = min(self._reading.max_tokens, self._tokenizer.model_max_length, _positions(network.config))
        self._commit, self._architecture = weights.revision_of(self.model, self.revision), config.model_type
        self._network, self._device = network, device

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        self._ready()
        licence, paper = known.of_weights(self.model, self._architecture)
        how = self._reading
        settings = f"{self._max_tokens} tokens, {how.pooling} pooling, prefix {how.prefix!r}, normalise {how.normalise}"
        return EncoderCard(
            name="sentence_transformer",
            modality="text",
            weights=weights.shown(self.model),
            revision=self._commit,
            width=int(self._network.config.hidden_size),
            input=settings,
            licence=licence,
            paper=paper,
            precision=self.precision,
        )

    def tunable(self, blocks: int, tokens: int | None) -> "Tunable | str":
        """The last blocks of BERT and its kin, with the pooling."""
        from mmgraph_encoders.tunable_transformer import cut_text

        self._ready()
        length = min(tokens or self._max_tokens, self._max_tokens)

        def tokenize(texts: Sequence[str]) -> dict[str, Any]:
            return self._padded(self._tokens([self._reading.prefix + text for text in texts], length))

        how = self._reading
        return cut_text(self._network, tokenize, blocks, length, pooling=how.pooling, normalise=how.normalise)

    def _ready(self) -> None:
        from mmgraph_encoders.pretrained import unloaded

        if self._network is None:
            raise unloaded("sentence_transformer")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        from mmgraph_encoders.token_batches import by_length

        self._ready()
        tokens = self._tokens([self._reading.prefix + text for text in texts_of(clips)])
        vectors = by_length(tokens, self._compute, self._device)
        return unit(vectors) if self._reading.normalise else vectors

    def _tokens(self, texts: Sequence[str], length: int | None = None) -> list[list[int]]:
        """Numbers of the tokens of each text, cut to length; at least one, also where a tokenizer adds none of its own."""
        longest = length or self._max_tokens
        found = self._tokenizer(list(texts), truncation=True, max_length=longest, return_token_type_ids=False)
        return [one or [self._tokenizer.pad_token_id or 0] for one in found["input_ids"]]

    def _padded(self, tokens: Sequence[Sequence[int]]) -> dict[str, Any]:
        """What the network takes. Padding is on the right and masked, so that positions count from a text's first token."""
        from mmgraph_encoders.token_batches import padded

        return padded(tokens, self._tokenizer.pad_token_id or 0, self._device)

    def _compute(self, tokens: Sequence[Sequence[int]]) -> Any:
        """Tokens of texts -> tensor [n, width]; a text's vector does not depend on its neighbours."""
        from mmgraph_encoders.token_batches import pooled_tokens

        inputs = self._padded(tokens)
        return pooled_tokens(self._network(**inputs).last_hidden_state, inputs["attention_mask"], self._reading.pooling)


def _positions(config: Any) -> int:
    """How many tokens the network has positions for; where they are relative, as many as anybody asks."""
    found = getattr(config, "max_position_embeddings", None) or 2**31
    taken = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET else 0
    return int(found) - taken
