"""Texts by the words and letters in them, without any weights."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders.clips import texts_of, unit

_VERSION = "1"


class HashedNgrams(Encoder):
    """Words (1-2) in one half of the vector, characters within words (3-5) in the other, each hashed with signs.

    width: even, of the vector. Counts enter as signed square roots, each half and the whole are of length one; an empty text
    gives zeros. Source: Weinberger et al. 2009, feature hashing.
    """

    modality: Modality = "text"

    def __init__(self, *, width: int = 512) -> None:
        if width < 2 or width % 2:
            raise EncoderError("hashed_ngrams.width must be even and positive", given=width, todo="512 is the default")
        self.width = width

    @functools.cached_property
    def _counters(self) -> "tuple[Any, Any]":
        """Of words and of letters."""
        from sklearn.feature_extraction.text import HashingVectorizer  # a second to import, which a stored corpus is spared

        half, common = self.width // 2, {"norm": None, "strip_accents": "unicode"}
        words = HashingVectorizer(n_features=half, ngram_range=(1, 2), **common)
        return words, HashingVectorizer(n_features=half, analyzer="char_wb", ngram_range=(3, 5), **common)

    def available(self) -> str | None:
        """Always."""
        return None

    def identity(self) -> str:
        """Known at once, as there are no weights."""
        return self.card.key()

    def load(self, device: str = "cpu") -> None:
        """Nothing to bring."""

    @property
    def card(self) -> EncoderCard:
        """A change of the computation changes the version, and so the key."""
        return EncoderCard(
            name="hashed_ngrams",
            modality="text",
            weights="none",
            revision=_VERSION,
            width=self.width,
            input="words 1-2, characters 3-5",
            licence="Apache-2.0",
            paper="Weinberger et al. 2009, arXiv:0902.2206",
        )

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        texts = texts_of(clips)
        halves = [np.asarray(some.transform(texts).todense()) for some in self._counters]
        return unit(np.concatenate([unit(np.sign(half) * np.sqrt(np.abs(half))) for half in halves], axis=1))
