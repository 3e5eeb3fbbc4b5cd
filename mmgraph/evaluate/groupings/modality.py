"""What there is to see, hear or read of the answer."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import Asked, Grouping, Texts


@dataclass(frozen=True, kw_only=True)
class Modality(Grouping):
    """By the modalities that the true answer has, all of them together (``audio+image``); ``none`` without any."""

    def groups(self, asked: Asked) -> Texts:
        """See Grouping."""

        def present(kind: str) -> Texts:
            each = sorted(asked.graph.features_of(kind).items())
            code = sum((one.present.astype(np.int64) << place for place, (_, one) in enumerate(each)), np.int64(0))
            names = [
                "+".join(name for bit, (name, _) in enumerate(each) if value >> bit & 1) for value in range(2 ** len(each))
            ]
            return np.array([names[0] or "none", *names[1:]])[np.broadcast_to(code, asked.graph.count(kind))]

        return asked.of_answer(present)
