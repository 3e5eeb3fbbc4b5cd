"""Items that are linked already, and items that are new."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import Asked, Grouping, Texts

_NAMES = np.array(["warm", "cold answer", "cold query", "both cold"])


@dataclass(frozen=True, kw_only=True)
class Warmth(Grouping):
    """An item is cold where it has no visible link of the asked relations; it may have others, and features."""

    def groups(self, asked: Asked) -> Texts:
        """See Grouping."""
        answer, query = (of(asked.degree) == 0 for of in (asked.of_answer, asked.of_query))
        return _NAMES[answer + 2 * query]
