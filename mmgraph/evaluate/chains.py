"""Known links of a group as chains, and the missing links that join them: gaps, found and bridged.

Every chain but one has an end that nothing follows yet, and every chain but one a start that follows nothing yet. The bridges are the
path through all chains whose new links weigh most, as in order.py, with a chain in the place of an item; so each end gets one
start, and no circle can close.
"""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import LinkMethod
from mmgraph.evaluate.order import Reals, confidences, weighed
from mmgraph.evaluate.sequence import best_order
from mmgraph.types import Floats, Ints


@dataclass(frozen=True)
class Bridges:
    """Links that close the gaps of one group: positions ``source`` and ``target``, the method's ``score``, and ``confidence`` (as in
    ``Ordered``, among the pairs of open ends); arrays [gaps].
    """

    source: Ints
    target: Ints
    score: Floats
    confidence: Reals


@dataclass(frozen=True)
class Chains:
    """Stretches of a group whose order is known: ``start`` and ``end`` of each, positions int64 [chains]; an item without any link is a
    chain of its own.
    """

    start: Ints
    end: Ints

    @classmethod
    def of(cls, items: Ints, source: Ints, target: Ints) -> "Chains":
        """Chains of ``items`` (whose order they keep) by links within them; where links branch or close a circle, the first ones count."""
        after: dict[int, int] = {}
        start, end = (
            {one: one for one in items.tolist()},
            {one: one for one in items.tolist()},
        )  # of the chain that ends, starts here
        taken: set[int] = set()
        for a, b in zip(source.tolist(), target.tolist(), strict=True):
            if a in after or b in taken or start[a] == b:
                continue
            after[a] = b
            taken.add(b)
            first, last = start[a], end[b]
            start[last], end[first] = first, last
        starts = [one for one in items.tolist() if one not in taken]
        return cls(np.array(starts, np.int64), np.array([end[one] for one in starts], np.int64))

    def __len__(self) -> int:
        return len(self.start)


def bridged(method: LinkMethod, chains: Chains) -> Bridges:
    """The links between the chains of one group, one less than there are chains, in the order of the group."""
    scores, weights = weighed(method, chains.end, chains.start)
    path = best_order(weights)
    source, target = path[:-1], path[1:]
    return Bridges(chains.end[source], chains.start[target], scores[source, target], confidences(weights, source, target))
