"""What a loader needs to know of a task: which links or labels are asked, and what they are compared with."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from mmgraph.graph.contract import Graph
from mmgraph.sample.batch import LabelBatch, LogQ
from mmgraph.sample.members import Members
from mmgraph.sample.negatives import KnownPairs, NegativeSampler, Questions, Side, equal
from mmgraph.types import Bools, Floats, Ints, Relation, Times

_HIDING = 0x41DE


@dataclass(frozen=True)
class AskedLinks:
    """The train links of a relation; ``edges`` are their positions within the visible edges of the relation.

    ``known`` and ``known_reverse`` hold the train links only: what is held out may be drawn as a negative. time: float64 [links]
    seconds, NaN unknown, or None. passing: the head passes messages of its own, so a batch carries the whole graph without what is asked.
    alone: of what is asked only the links themselves leave the messages, not the same pairs stated otherwise. weight: float32 [links],
    where it is what is asked.
    """

    name: str
    relation: Relation
    source: Ints
    target: Ints
    num_sources: int
    num_targets: int
    negatives: NegativeSampler
    time: Times | None = None
    passing: bool = False
    alone: bool = False
    weight: Floats | None = None
    known: KnownPairs = field(init=False)
    samplers: tuple[NegativeSampler, NegativeSampler] = field(init=False)  # of targets, of sources

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", KnownPairs(self.source, self.target, self.num_targets))
        none = np.zeros(len(self.source), np.int64)
        counts = np.bincount(self.target, minlength=self.num_targets), np.bincount(self.source, minlength=self.num_sources)
        sides = (
            Side(none, self.target, counts[0], len(none), self._known_targets),
            Side(none, self.source, counts[1], len(none), self._known_sources),
        )
        object.__setattr__(self, "samplers", tuple(self.negatives.told(side) for side in sides))

    def withheld(self, chosen: Ints) -> Ints:
        """Positions of the chosen links and, within one kind and not ``alone``, of the same pairs stated the other way round."""
        if self.alone or self.relation.source != self.relation.target:
            return chosen
        back = self._back[chosen]
        return np.union1d(chosen, back[back >= 0])

    @cached_property
    def _back(self) -> Ints:
        """Of each link within one kind, the position of the same pair stated the other way round, -1 where it is not; found once."""
        keys, wanted = self.source * self.num_targets + self.target, self.target * self.num_targets + self.source
        order = np.argsort(keys, kind="stable")
        place = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)] if len(keys) else order
        return np.where(keys[place] == wanted, place, -1)

    def questions(self, chosen: Ints) -> tuple[Questions, Questions]:
        """Of the chosen links: for their targets, and for their sources."""
        source, target, none = self.source[chosen], self.target[chosen], np.zeros(len(chosen), np.int64)
        return Questions(source, none, target, len(chosen)), Questions(target, none, source, len(chosen))

    def others(self, chosen: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
        """Candidates for the targets of the chosen links, which of them are no negatives, as cells (``LinkBatch.known``), and the same
        for the sources.
        """
        forward, backward = self.questions(chosen)
        targets = self.samplers[0].candidates(forward, self.num_targets, rng)
        sources = self.samplers[1].candidates(backward, self.num_sources, rng)
        column, row = self.known.pairs(sources, backward.item)
        known = self._cells(self.samplers[0], forward, targets, self.known.pairs(forward.item, targets))
        return targets, known, sources, self._cells(self.samplers[1], backward, sources, (row, column))

    def log_q(self, chosen: Ints, targets: Ints, sources: Ints) -> tuple[LogQ | None, LogQ | None]:
        """How likely the true ends and the candidates are drawn, for targets and for sources."""
        forward, backward = self.questions(chosen)
        return (
            log_q(self.samplers[0], forward, targets, self.num_targets),
            log_q(self.samplers[1], backward, sources, self.num_sources),
        )

    def weights(self, chosen: Ints) -> torch.Tensor | None:
        """Of the chosen links, where they are asked."""
        return None if self.weight is None else torch.from_numpy(self.weight[chosen])

    def _cells(self, sampler: NegativeSampler, asked: Questions, drawn: Ints, known: tuple[Ints, Ints]) -> Ints:
        """Of known links, of the asked item itself, and of what does not suit the question."""
        pairs, suits = [known], sampler.suits(asked, drawn)
        if self.relation.source == self.relation.target:
            pairs.append(equal(asked.item, drawn))
        if suits is not None:
            row, column = np.nonzero(~suits)
            pairs.append((row, column))
        return np.concatenate([row * len(drawn) + column for row, column in pairs])

    def _known_targets(self, item: Ints, _: Ints, others: Ints) -> Bools:
        return self._or_itself(self.known.contains(item[:, None], others), item, others)

    def _known_sources(self, item: Ints, _: Ints, others: Ints) -> Bools:
        return self._or_itself(self.known.contains(others, item[:, None]), item, others)

    def _or_itself(self, known: Bools, item: Ints, others: Ints) -> Bools:
        """Within one kind the asked item is no negative of its own; between two nothing is compared."""
        return known | (item[:, None] == others) if self.relation.source == self.relation.target else known


def log_q(sampler: NegativeSampler, asked: Questions, others: Ints, num_items: int) -> LogQ | None:
    """What the sampler states of the answers and of the candidates; None where it states nothing."""
    true, drawn = (sampler.log_q(items, asked, num_items) for items in (asked.answer, others))
    return None if true is None or drawn is None else LogQ(torch.from_numpy(true), torch.from_numpy(drawn))


@dataclass(frozen=True)
class AskedLabels:
    """The train labels of a field: item positions of ``kind`` and their classes, of a field of several values bool [items, classes].
    members: the parts that they are read out from. hidden: share of them that a step hides and asks, while the others enter the network,
    of fields of one value; 0: all are asked, and none enter.
    """

    name: str
    kind: str
    items: Ints
    classes: Ints | Bools
    members: Members | None = None
    hidden: float = 0.0

    def parted(self, part: Ints, *key: int) -> Ints:
        """Those of the chosen labels that a step asks, drawn by the key: all, or the hidden share, one at least."""
        if not self.hidden or not len(part):
            return part
        rng = np.random.default_rng((*key, _HIDING))
        return np.sort(rng.permutation(part)[: max(1, round(self.hidden * len(part)))])

    def shown(self, asked: Ints, count: int) -> Ints:
        """Of each of the ``count`` items of the kind, one more than its class where its label is shown, 0 where it has none or is asked.

        >>> AskedLabels("l", "x", np.array([3, 0]), np.array([1, 0])).shown(np.array([1]), 5)
        array([0, 0, 0, 2, 0])
        """
        classes = np.zeros(count, np.int64)
        classes[self.items] = self.classes + 1
        classes[self.items[asked]] = 0
        return classes

    def wanted(self, part: Ints) -> tuple[str, Ints]:
        """The kind and the positions of the items whose embeddings the chosen labels need."""
        if self.members is None:
            return self.kind, self.items[part]
        return self.members.kind, self.members.of(self.items[part])[0]

    def batch(self, part: Ints, rows: Ints | None, num_rows: int) -> LabelBatch:
        """The chosen labels. rows: sorted positions of the items, of the wanted kind, that have output embeddings; None where all have,
        and ``num_rows`` is how many.
        """
        items, classes = self.items[part], torch.from_numpy(self.classes[part])
        if self.members is not None:
            return LabelBatch(torch.arange(len(items)), classes, self.members.adjacency(items, rows, num_rows))
        return LabelBatch(torch.from_numpy(items if rows is None else np.searchsorted(rows, items)), classes)

    def whole(self, graph: Graph) -> LabelBatch:
        """All labels, in a batch of the whole graph."""
        return self.batch(np.arange(len(self.items)), None, graph.count(self.wanted(np.zeros(0, np.int64))[0]))
