"""Items of one group put in the order that a method's scores of "what follows what" speak for.

A pair (a, b) weighs log P(b follows a | a) + log P(b follows a | b), each a softmax of the method's scores over all candidates, as in
fusion.py; the order is the path through the items of the group that weighs most (sequence.py). Over the candidates of the group
alone every item but the last would have to have a follower as likely as any other's, and two items could never be told apart. A
method whose weights are symmetric cannot tell an order from its reverse.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from scipy.stats import kendalltau

from mmgraph.evaluate.contract import Direction, LinkMethod
from mmgraph.evaluate.ranking import CELLS
from mmgraph.evaluate.sequence import best_order
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
CHANCE = "any order (chance)"  # every order of a group equally likely


@dataclass(frozen=True)
class Ordered:
    """items: positions int64 [n] in the order that was found; score, confidence [n - 1]: of each with the next, the method's score, and
    how it stands against its rivals (``confidences``); directed: whether the reverse was weighed otherwise.
    """

    items: Ints
    score: Floats
    confidence: Reals
    directed: bool


@dataclass(frozen=True)
class OrderedGroup:
    """A group put in order. items: positions in an order that tells nothing; place: the true place of each, from 0, or None where it is
    not known; links: how many links within the group are train, valid, test; ordered: method -> its order; probability, abstain:
    of the neighbours in the order that the run hands out.
    """

    name: str
    items: Ints
    place: Ints | None
    links: tuple[int, int, int]
    ordered: Mapping[str, Ordered]
    probability: Floats
    abstain: Bools

    def tau(self, method: str) -> float:
        """Kendall's tau of a method's order with the true one; nan where that is not known."""
        return float("nan") if self.place is None else tau(self.places(method))

    def places(self, method: str) -> Ints:
        """The true place of each item in the order of a method; -1 where it is not known."""
        if self.place is None:
            return np.full(len(self.items), -1)
        true = dict(zip(self.items.tolist(), self.place.tolist(), strict=True))
        return np.array([true[item] for item in self.ordered[method].items.tolist()], np.int64)


def tau(places: Ints) -> float:
    """Kendall's rank correlation (Kendall 1938) of an order with the true one, given the true places in that order.

    >>> tau(np.array([0, 1, 2])), tau(np.array([2, 1, 0]))
    (1.0, -1.0)
    """
    return round(float(kendalltau(np.arange(len(places)), places).statistic), 12)  # 1 is 1, not a little less


@functools.cache
def chance_abs_tau(count: int) -> float:
    """Mean of |tau| over all orders of ``count`` items, from the numbers of orders by inversions (MacMahon).

    >>> chance_abs_tau(2), round(chance_abs_tau(3), 3)
    (1.0, 0.556)
    """
    shares = np.ones(1)
    for size in range(2, count + 1):
        shares = np.convolve(shares, np.full(size, 1.0 / size))
    pairs = count * (count - 1) / 2
    return float((shares * np.abs(1.0 - 2.0 * np.arange(len(shares)) / pairs)).sum())


def in_order(method: LinkMethod, items: Ints) -> Ordered:
    """The order of the items of one group; of orders that weigh the same, the order of ``items`` decides."""
    scores, weights = weighed(method, items, items)
    path = best_order(weights)
    told = not np.allclose(weights, weights.T, atol=1e-5)
    return Ordered(items[path], scores[path[:-1], path[1:]], confidences(weights, path[:-1], path[1:]), told)


def confidences(weights: Reals, source: Ints, target: Ints) -> Reals:
    """Of each pair of places its share, by exp(weight / 2), among the pairs that cannot be true beside it, float64 [pairs].

    Those begin with the same item, end with the same item, or are its reverse. ``weights[i, i]`` is not read.

    >>> confidences(np.zeros((2, 2)), np.array([0]), np.array([1])), confidences(np.zeros((3, 3)), np.array([2]), np.array([0]))
    (array([0.5]), array([0.25]))
    """
    half = weights / 2.0
    np.fill_diagonal(half, -np.inf)
    same_end = half[:, target].T
    same_end[np.arange(len(source)), source] = -np.inf  # the pair itself is among those with its start
    rivals = np.concatenate((half[source], same_end, half[target, source][:, None]), axis=1)
    return np.exp(half[source, target] - logsumexp(rivals, axis=1)) if len(source) else np.zeros(0)


def weighed(method: LinkMethod, sources: Ints, targets: Ints) -> tuple[Floats, Reals]:
    """(scores, weights), both [sources, targets]; an item with itself weighs 0."""
    scores, ahead = _likely(method, sources, targets, "target")
    back = _likely(method, targets, sources, "source")[1].T
    itself = sources[:, None] == targets[None, :]
    return scores, np.where(itself, 0.0, ahead + back)


def _likely(method: LinkMethod, queries: Ints, others: Ints, direction: Direction) -> tuple[Floats, Reals]:
    """(scores, log probabilities among all candidates but the query itself), both [queries, others]; block by block."""
    found: list[tuple[Floats, Reals]] = [(np.zeros((0, len(others)), np.float32), np.zeros((0, len(others))))]
    start, size = 0, 1  # the first answer says how many candidates there are
    while start < len(queries):
        asked = queries[start : start + size]
        every = np.array(method.scores(asked, direction), np.float32)
        scores = every[:, others]
        every[np.arange(len(asked)), asked] = -np.inf
        found.append((scores, scores.astype(np.float64) - logsumexp(every.astype(np.float64), axis=1)[:, None]))
        start, size = start + size, max(1, CELLS // every.shape[1])
    scores, logs = (np.concatenate(one) for one in zip(*found, strict=True))
    return scores, logs
