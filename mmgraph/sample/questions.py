"""What a loader needs to know of a task: which links or labels are asked, and what they are compared with."""

from dataclasses import dataclass, field

import numpy as np

from mmgraph.sample.negatives import KnownPairs, NegativeSampler
from mmgraph.types import Bools, Ints, Relation


@dataclass(frozen=True)
class AskedLinks:
    """The train links of a relation; ``edges`` are their positions within the visible edges of the relation.

    ``known`` and ``known_reverse`` hold the train links only: what is held out may be drawn as a negative.
    """

    name: str
    relation: Relation
    source: Ints
    target: Ints
    num_sources: int
    num_targets: int
    negatives: NegativeSampler
    known: KnownPairs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", KnownPairs(self.source, self.target, self.num_targets))

    def withheld(self, chosen: Ints) -> Ints:
        """Positions of the chosen links and, within one kind, of the same pairs stated the other way round."""
        if self.relation.source != self.relation.target:
            return chosen
        keys = self.source * self.num_targets + self.target
        order = np.argsort(keys, kind="stable")
        wanted = self.target[chosen] * self.num_targets + self.source[chosen]
        place = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        return np.union1d(chosen, place[keys[place] == wanted])

    def others(self, chosen: Ints, rng: np.random.Generator) -> tuple[Ints, Bools, Ints, Bools]:
        """Candidates for the targets of the chosen links, which of them are links, and the same for the sources."""
        source, target = self.source[chosen], self.target[chosen]
        targets = self.negatives.others(target, self.num_targets, rng)
        sources = self.negatives.others(source, self.num_sources, rng)
        is_link = self.known.contains(source[:, None], targets[None, :])
        is_link_source = self.known.contains(sources[None, :], target[:, None])
        if self.relation.source == self.relation.target:
            is_link |= source[:, None] == targets[None, :]
            is_link_source |= target[:, None] == sources[None, :]
        return targets, is_link, sources, is_link_source


@dataclass(frozen=True)
class AskedLabels:
    """The train labels of a field: item positions of ``kind`` and their classes."""

    name: str
    kind: str
    items: Ints
    classes: Ints
