"""Links of many relations between items of one kind, asked from both sides: what a knowledge graph's batches are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from mmgraph.graph.contract import Edges
from mmgraph.sample.batch import TripleBatch
from mmgraph.sample.negatives import NegativeSampler, Questions, Side, stretches
from mmgraph.sample.questions import log_q
from mmgraph.types import Bools, Ints, Relation


class Triples(NamedTuple):
    """int64 [links] each: source, number of the relation, target."""

    source: Ints
    relation: Ints
    target: Ints

    @classmethod
    def of(cls, edges: Sequence[Edges]) -> "Triples":
        """The links of several relations, which are numbered in this order."""
        number = np.repeat(np.arange(len(edges)), [len(one) for one in edges])
        return cls(np.concatenate([e.source for e in edges]), number, np.concatenate([e.target for e in edges]))

    def questions(self, relations: int) -> tuple[Ints, Ints, Ints]:
        """(item, relation, answer) int64 [2 x links]: first every target asked, then every source.

        >>> Triples(np.array([0]), np.array([1]), np.array([5])).questions(3)
        (array([0, 5]), array([1, 4]), array([5, 0]))
        """
        item = np.concatenate([self.source, self.target])
        relation = np.concatenate([self.relation, self.relation + relations])
        return item, relation, np.concatenate([self.target, self.source])


class KnownAnswers:
    """The known answers of every question (item, relation), one after the other."""

    def __init__(self, item: Ints, relation: Ints, answer: Ints, num_items: int) -> None:
        self._num_items = num_items
        key = relation * num_items + item
        order = np.argsort(key, kind="stable")
        self._key, self._answer = key[order], answer[order]

    def pairs(self, item: Ints, relation: Ints) -> tuple[Ints, Ints]:
        """(row, answer) of everything known of the questions.

        >>> KnownAnswers(np.array([0, 0]), np.array([1, 1]), np.array([4, 2]), 5).pairs(np.array([3, 0]), np.array([1, 1]))
        (array([1, 1]), array([4, 2]))
        """
        key = relation * self._num_items + item
        low, high = np.searchsorted(self._key, key), np.searchsorted(self._key, key, side="right")
        count = high - low
        rows = np.repeat(np.arange(len(key)), count)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return rows, self._answer[np.repeat(low, count) + within]

    def contains(self, item: Ints, relation: Ints, others: Ints) -> Bools:
        """Which ``others`` [n, m] are known answers to their questions [n]: bool [n, m].

        >>> known = KnownAnswers(np.array([0, 0]), np.array([1, 1]), np.array([4, 2]), 5)
        >>> known.contains(np.array([0, 3]), np.array([1, 1]), np.array([[2, 3], [2, 4]]))
        array([[ True, False],
               [False, False]])
        """
        rows, answers = self.pairs(item, relation)
        own = np.arange(len(item))[:, None] * self._num_items + others
        return np.isin(own, rows * self._num_items + answers)


@dataclass(frozen=True)
class AskedTriples:
    """The train links of ``relations``, all between items of ``kind``; ``triples.relation`` counts within ``relations``.

    The links of a relation lie together and in the order of its visible edges, so that their positions are edge ids.
    filtered: other known train answers of a question are no negatives of it. passing, alone: see AskedLinks.
    """

    name: str
    kind: str
    relations: tuple[Relation, ...]
    triples: Triples
    num_items: int
    negatives: NegativeSampler
    filtered: bool = True
    passing: bool = False
    alone: bool = False
    known: KnownAnswers = field(init=False)
    sampler: NegativeSampler = field(init=False)

    def __post_init__(self) -> None:
        item, relation, answer = self.triples.questions(len(self.relations))
        object.__setattr__(self, "known", KnownAnswers(item, relation, answer, self.num_items))
        source, _, target = self.triples
        degree = np.bincount(answer, minlength=self.num_items)
        degree -= np.bincount(source[source == target], minlength=self.num_items)  # a loop is one link, not two
        side = Side(relation, answer, degree, len(self), self.known.contains)
        object.__setattr__(self, "sampler", self.negatives.told(side))

    def __len__(self) -> int:
        return len(self.triples.source)

    def batch(self, chosen: Ints, rng: np.random.Generator) -> TripleBatch:
        """Both questions of every chosen link, with their candidates."""
        some = Triples(*(column[chosen] for column in self.triples))
        item, relation, answer = some.questions(len(self.relations))
        questions = Questions(item, relation, answer, len(chosen))
        others = self.sampler.candidates(questions, self.num_items, rng)
        known, suits = self._known(item, relation, answer, others), self.sampler.suits(questions, others)
        if suits is not None:
            known = np.concatenate([known, np.stack(np.nonzero(~suits))], axis=1)
        drawn = log_q(self.sampler, questions, others, self.num_items)
        made = torch.from_numpy
        return TripleBatch(made(item), made(relation), made(answer), made(others), made(known), drawn)

    def withheld(self, chosen: Ints) -> dict[Relation, Ints]:
        """Edge ids, by relation, of the chosen links and, unless ``alone``, of every train link between the same two items, in either
        direction.
        """
        relation = self.triples.relation
        gone = np.sort(chosen if self.alone else self._between_the_same(chosen))
        first = np.searchsorted(relation, np.arange(len(self.relations)))
        numbers = relation[gone]
        return {
            one: gone[numbers == number] - first[number]
            for number, one in enumerate(self.relations)
            if (numbers == number).any()
        }

    @cached_property
    def _pairs(self) -> tuple[Ints, Ints, Ints]:
        """Of each link a number for the two items that it joins, either way; the order by it; and the numbers in that order."""
        source, _, target = self.triples
        pair = np.minimum(source, target) * self.num_items + np.maximum(source, target)
        order = np.argsort(pair, kind="stable")
        return pair, order, pair[order]

    def _between_the_same(self, chosen: Ints) -> Ints:
        """Positions of all links between the two items of a chosen one, each once."""
        pair, order, ordered = self._pairs
        wanted = np.unique(pair[chosen])
        low, high = (np.searchsorted(ordered, wanted, side) for side in ("left", "right"))
        return order[stretches(low, high)[1]]

    def _known(self, item: Ints, relation: Ints, answer: Ints, others: Ints) -> Ints:
        """(question, candidate) int64 [2, pairs]: candidates that are no negatives."""
        column = np.full(self.num_items, -1, np.int64)
        column[others] = np.arange(len(others))
        own = np.arange(len(item)), answer
        rows, answers = self.known.pairs(item, relation) if self.filtered else own
        place = column[answers]
        return np.stack([rows[place >= 0], place[place >= 0]])
