"""Candidates that the model takes for answers: mined from its own embeddings."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmgraph.errors import SettingsError
from mmgraph.sample.negatives import MinedSampler, NegativeSampler, Questions, Side
from mmgraph.types import Ints


@dataclass(frozen=True, kw_only=True)
class Hard(NegativeSampler):
    """``num`` candidates, a ``share`` of them the best answers to the batch's questions by the embeddings of an earlier epoch, the rest
    even over all items (Xiong et al. 2021, Approximate Nearest Neighbor Negative Contrastive Learning, arXiv 2007.00808, section 4).

    every: epochs after which the embeddings are computed and indexed anew; before the first time all candidates are even, as a model
    that has learnt nothing has no hard negatives. Of a question's best answers the known ones and then the first ``skip`` are left
    out, as they may be the missing links themselves, and the next ``near`` are taken. They are shared by the batch: what is
    near many questions is drawn the more often. Raises SettingsError for numbers that make no sense.
    """

    num: int = 512
    share: float = 0.5
    near: int = 20
    skip: int = 3
    every: int = 5
    mined: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, least in (("num", 1), ("near", 1), ("skip", 0), ("every", 1)):
            if getattr(self, name) < least:
                raise SettingsError(f"hard.{name} is too small", given=getattr(self, name), todo=f"give at least {least}")
        if not 0 <= self.share <= 1:
            raise SettingsError("hard.share is a share", given=self.share, todo="give 0 to 1")

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler: before any embedding is known, all items are as likely."""
        return _even(self.num, num_items, rng)

    def told(self, side: Side) -> NegativeSampler:
        """See NegativeSampler."""
        return _Mined(self, side)


class _Mined(MinedSampler):
    def __init__(self, asked: Hard, side: Side) -> None:
        self._asked, self._side, self.every = asked, side, asked.every

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        return self._asked.others(positives, num_items, rng)

    def candidates(self, asked: Questions, num_items: int, rng: np.random.Generator) -> Ints:
        if self.near is None:
            return self.others(asked.answer, num_items, rng)
        pool = self._pool(asked, num_items)
        drawn, first = np.unique(pool[rng.permutation(len(pool))], return_index=True)
        hard = drawn[np.argsort(first)][: round(self._asked.share * self._asked.num)]
        return np.union1d(hard, _even(self._asked.num - len(hard), num_items, rng))

    def _pool(self, asked: Questions, num_items: int) -> Ints:
        """The best answers to each of the questions, one after the other; an item as often as it is near."""
        assert self.near is not None
        relation, item = np.unique(np.stack([asked.relation, asked.item]), axis=1)
        skip, last = self._asked.skip, self._asked.skip + self._asked.near
        found = self.near.search(item, relation, min(2 * last, num_items))
        free = (found >= 0) & ~self._side.known(item, relation, found)
        rank = np.cumsum(free, axis=1)
        return found[free & (rank > skip) & (rank <= last)]


def _even(num: int, num_items: int, rng: np.random.Generator) -> Ints:
    if num_items <= num:
        return np.arange(num_items, dtype=np.int64)
    return rng.choice(num_items, num, replace=False).astype(np.int64)
