"""Each relation of a knowledge graph apart."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import Asked, Grouping, Texts


@dataclass(frozen=True, kw_only=True)
class Relation(Grouping):
    """By the name of the relation; nothing where there is only one."""

    def groups(self, asked: Asked) -> Texts:
        """See Grouping."""
        if len(asked.relations) == 1:
            return np.full(len(asked.number), "")
        return np.array([relation.name for relation in asked.relations])[asked.number]
