"""The sample corpus: real files with a known hidden truth.

``make`` writes it, ``plan`` gives the truth behind it (never on disk). Both are imported when first used.
"""

from typing import TYPE_CHECKING, Any

from mmgraph.corpus.truth import CATEGORIES, ROLES, CorpusSize, Plan, look_of, sound_of, words_of

if TYPE_CHECKING:
    from mmgraph.corpus.build import make
    from mmgraph.corpus.planning import plan

__all__ = ["CATEGORIES", "ROLES", "CorpusSize", "Plan", "look_of", "make", "plan", "sound_of", "words_of"]


def __getattr__(name: str) -> Any:
    if name == "make":
        from mmgraph.corpus.build import make

        return make
    if name == "plan":
        from mmgraph.corpus.planning import plan

        return plan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
