"""Candidates that occur on the asked side of the relation."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.sample.negatives import KnownPairs, NegativeSampler, Questions, Side
from mmgraph.types import Bools, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Typed(NegativeSampler):
    """Items that answer the same relation somewhere in the train links: the local closed-world assumption of Krompass et al. 2015
    (Type-Constrained Representation Learning in Knowledge Graphs, arXiv 1508.02593, section 3.2).

    ``num`` draws with replacement, shared evenly by the relations of the batch, at least one each; each drawn item once. In a batch of
    several relations a candidate is a negative of the questions whose relation it answers somewhere.
    """

    num: int = 512
    states_log_q: ClassVar[bool] = True

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler: before any link is known, all items may be answers."""
        return np.unique(rng.integers(0, num_items, self.num))

    def told(self, side: Side) -> NegativeSampler:
        """See NegativeSampler."""
        return _Told(self.num, side)


class _Told(NegativeSampler):
    """The answers of each relation lie together in ``_answer``, each once."""

    states_log_q: ClassVar[bool] = True

    def __init__(self, num: int, side: Side) -> None:
        count = max(side.num_items, 1)
        relation, self._answer = np.divmod(np.unique(side.relation * count + side.answer), count)
        self._first = np.searchsorted(relation, np.arange(int(side.relation.max(initial=-1)) + 2))
        self._num, self._answers = num, KnownPairs(relation, self._answer, count)

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        return np.unique(positives)

    def candidates(self, asked: Questions, num_items: int, rng: np.random.Generator) -> Ints:
        relations, draws = self._shared(asked)
        size = (self._first[relations + 1] - self._first[relations])[:, None]
        place = (rng.random((len(relations), draws)) * size).astype(np.int64)
        return np.unique(self._answer[self._first[relations][:, None] + place])

    def suits(self, asked: Questions, others: Ints) -> Bools:
        return self._answers.contains(asked.relation[:, None], others[None, :])

    def log_q(self, items: Ints, asked: Questions, num_items: int) -> Floats:
        """1 - the product, over the batch's relations that it answers, of (1 - 1 / answers) ** draws."""
        relations, draws = self._shared(asked)
        size = self._first[relations + 1] - self._first[relations]
        answers = self._answers.contains(relations[:, None], items[None, :])
        with np.errstate(divide="ignore"):  # a relation's only answer is always drawn
            missed = np.where(answers, draws * np.log1p(-1 / size)[:, None], 0.0).sum(0)
            return np.log(-np.expm1(missed)).astype(np.float32)

    def _shared(self, asked: Questions) -> tuple[Ints, int]:
        relations = np.unique(asked.relation)
        return relations, -(-self._num // max(len(relations), 1))
