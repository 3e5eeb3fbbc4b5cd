"""Where held-out links come among the candidates: the figure by which a head's epoch is chosen."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mmgraph.graph.contract import Graph
from mmgraph.sample.moved import moved
from mmgraph.sample.negatives import KnownPairs, stretches
from mmgraph.sample.triples import KnownAnswers, Triples
from mmgraph.split.contract import LinkSplit
from mmgraph.types import Ints

_BLOCK = 512
_CELLS = 1 << 23


class LinkRanking:
    """The first ``links`` validation links of a relation, asked from both sides."""

    def __init__(self, split: LinkSplit, visible: Graph, links: int) -> None:
        edges, chosen = split.edges, split.valid[:links]
        self._source, self._target = edges.source[chosen], edges.target[chosen]
        seen = np.concatenate([split.train, split.valid])
        self._counts = visible.count(split.relation.source), visible.count(split.relation.target)
        self._known = KnownPairs(edges.source[seen], edges.target[seen], self._counts[1])
        self._same = split.relation.source == split.relation.target

    @property
    def _step(self) -> int:
        """Links of one block."""
        return max(1, min(_BLOCK, _CELLS // max(*self._counts, 1)))

    @property
    def bytes(self) -> int:
        """What ``figures`` takes at most beside what ``scores`` does: what is known, and its comparison."""
        return min(self._step, len(self._source)) * 8 * max(self._counts)

    def figures(self, scores: Callable[[Ints, bool], Tensor]) -> dict[str, float]:
        """Filtered mean reciprocal rank over both directions, ties at their mean rank; nothing without validation links.

        scores: of all candidates of some queries [queries, candidates]: sources, or, where the second argument is true, targets.
        """
        ranks: list[Tensor] = []
        step = self._step
        for start in range(0, len(self._source), step):
            source, target = self._source[start : start + step], self._target[start : start + step]
            itself = [(np.arange(len(source)), source)] if self._same else []
            known = self._known.pairs(source, np.arange(self._counts[1]))
            ranks.append(_ranks(scores(source, False), target, known, *itself))
            itself = [(np.arange(len(target)), target)] if self._same else []
            column, row = self._known.pairs(np.arange(self._counts[0]), target)
            ranks.append(_ranks(scores(target, True), source, (row, column), *itself))
        return _mrr(ranks)


class ListRanking:
    """The lists of the first ``users`` sources that have validation links, each ``at`` long, without what train shows."""

    def __init__(self, split: LinkSplit, visible: Graph, users: int, at: int) -> None:
        edges, self._at = split.edges, at
        self._items = visible.count(split.relation.target)
        self._users = np.unique(edges.source[split.valid])[:users]
        self._true = KnownPairs(edges.source[split.valid], edges.target[split.valid], self._items)
        order = np.argsort(edges.source[split.train], kind="stable")
        self._known = edges.target[split.train][order]
        self._ends = np.searchsorted(edges.source[split.train][order], [self._users, self._users + 1])
        self._held_out = np.bincount(edges.source[split.valid], minlength=visible.count(split.relation.source))[self._users]
        self._same = split.relation.source == split.relation.target

    @property
    def _step(self) -> int:
        """Users of one block."""
        return max(1, min(_BLOCK, _CELLS // max(self._items, 1)))

    @property
    def bytes(self) -> int:
        """As LinkRanking's: the scores of a block again, and which of them are known."""
        return 8 * min(self._step, len(self._users)) * self._items

    def figures(self, scores: Callable[[Ints, bool], Tensor]) -> dict[str, float]:
        """Mean NDCG over the users (evaluate/recommend/metrics.py); nothing where there are none. ``scores``: as LinkRanking's."""
        found, gains = np.zeros(len(self._users)), 1.0 / np.log2(np.arange(2, self._at + 2))
        ideal = np.cumsum(gains)[np.minimum(self._held_out, self._at) - 1]
        step = self._step
        for start in range(0, len(self._users), step):
            users = self._users[start : start + step]
            given = scores(users, False).float().clone()
            row, place = stretches(*self._ends[:, start : start + step])
            given[_there((row, self._known[place]), given.device)] = -torch.inf
            if self._same:
                given[_there((np.arange(len(users)), users), given.device)] = -torch.inf
            best = given.topk(min(self._at, self._items), dim=1).indices.cpu().numpy()
            hit = self._true.contains(np.broadcast_to(users[:, None], best.shape), best)
            found[start : start + step] = hit @ gains[: best.shape[1]]
        return {f"ndcg@{self._at}": float((found / ideal).mean())} if len(found) else {}


class FactRanking:
    """Both questions of validation facts; ``known``: train and validation facts."""

    def __init__(self, valid: Triples, known: Triples, relations: int, num_items: int) -> None:
        self._questions = valid.questions(relations)
        self._known = KnownAnswers(*known.questions(relations), num_items)
        self._num_items = num_items

    @property
    def _step(self) -> int:
        """Questions of one block."""
        return max(1, _CELLS // max(self._num_items, 1))

    @property
    def bytes(self) -> int:
        """As LinkRanking's: scores, what is known, and their comparison."""
        return 8 * min(self._step, len(self._questions[0])) * self._num_items

    def figures(self, scores: Callable[[Ints, Ints], Tensor]) -> dict[str, float]:
        """As LinkRanking's; ``scores``: of every item as the answer to questions (item, relation), [questions, items]."""
        step = self._step
        starts = range(0, len(self._questions[0]), step)
        return _mrr([self._ranks(scores, *(column[i : i + step] for column in self._questions)) for i in starts])

    def _ranks(self, scores: Callable[[Ints, Ints], Tensor], item: Ints, relation: Ints, answer: Ints) -> Tensor:
        return _ranks(scores(item, relation), answer, self._known.pairs(item, relation))


def _mrr(ranks: list[Tensor]) -> dict[str, float]:
    return {"mrr": float(torch.cat(ranks).cpu().reciprocal().mean())} if ranks else {}


def _ranks(scores: Tensor, truth: Ints, *known: tuple[Ints, Ints]) -> Tensor:
    """Without the known ones (row, column), where the scores are: they are far more than what is told of them."""
    filtered = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    for pairs in known:
        filtered[_there(pairs, scores.device)] = True
    return mean_ranks(scores.float(), moved(torch.from_numpy(truth), scores.device), filtered)


def _there(pairs: tuple[Ints, Ints], device: torch.device) -> tuple[Tensor, Tensor]:
    row, column = pairs
    return moved(torch.from_numpy(row), device), moved(torch.from_numpy(column), device)


def mean_ranks(scores: Tensor, truth: Tensor, filtered: Tensor) -> Tensor:
    """Rank of the truth among the candidates that are not filtered, ties at their mean.

    >>> mean_ranks(torch.tensor([[1.0, 3.0, 3.0, 9.0]]), torch.tensor([1]), torch.tensor([[False, True, False, True]]))
    tensor([1.5000])
    """
    own = scores.gather(1, truth[:, None])
    others = ~filtered
    others.scatter_(1, truth[:, None], torch.zeros_like(truth[:, None], dtype=torch.bool))
    above, beside = (_counted((scores > own).logical_and_(others)), _counted((scores == own).logical_and_(others)))
    return 1 + above + beside / 2


def _counted(mask: Tensor) -> Tensor:
    """How many are true in every row; numpy counts piece by piece, where torch on the CPU first makes eight bytes of every one."""
    return torch.from_numpy(mask.numpy().sum(1)) if mask.device.type == "cpu" else mask.sum(1)
