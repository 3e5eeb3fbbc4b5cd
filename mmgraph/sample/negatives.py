"""The contract of negative samplers, what they are told, and the test whether a pair is a known train link.

Whatever a sampler draws, a candidate that is a known train link of a row is no negative of that row: the loaders mask it (``is_link`` in
``sample/batch.py``), as in the filtered setting of Bordes et al. 2013 (section 4.2). A link that is held out for validation or test may be
drawn as a negative like any unknown one: to leave it out would tell the model that it is there.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from mmgraph.types import Bools, Floats, Ints


class Questions(NamedTuple):
    """(item, relation, ?) with the true answer: int64 [questions] each. links: of how many links these are the questions.

    ``relation`` is 0 where one relation is asked from one side; of many relations those asked for sources have numbers of their own.
    """

    item: Ints
    relation: Ints
    answer: Ints
    links: int


@dataclass(frozen=True)
class Side:
    """What is known of the side of the links that is asked: of the train links alone.

    relation, answer: int64 [train questions], as in ``Questions``; degree: int64 [items], train links that have the item on this side;
    links: how many train links there are; known: (item [n], relation [n], others [n, m]) -> bool [n, m], which are known answers or
    the item itself.
    """

    relation: Ints
    answer: Ints
    degree: Ints
    links: int
    known: Callable[[Ints, Ints, Ints], Bools]

    @property
    def num_items(self) -> int:
        """How many items may be candidates."""
        return len(self.degree)


class NegativeSampler(abc.ABC):
    """Chooses candidates that a batch of links is compared with. One file in ``model/negatives/`` with one class.

    ``others`` is all that a sampler has to say. One that wants the train links is ``told`` them; one that wants the whole questions says
    ``candidates``. states_log_q: it can say how likely an item is drawn, which losses with ``log_q`` need. mined: what it is ``told``
    becomes a ``MinedSampler``.
    """

    states_log_q: ClassVar[bool] = False
    mined: ClassVar[bool] = False

    @abc.abstractmethod
    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """``positives`` [links] (the true ends) -> candidate positions [others] of the same kind, each once, shared by all links."""

    def told(self, side: Side) -> "NegativeSampler":
        """The sampler that draws for one side of the links, once its train links are known; by default this one."""
        return self

    def candidates(self, asked: Questions, num_items: int, rng: np.random.Generator) -> Ints:
        """As ``others``, from the whole questions."""
        return self.others(asked.answer, num_items, rng)

    def suits(self, asked: Questions, others: Ints) -> Bools | None:
        """bool [questions, others]: which candidates may be negatives of which question; None for all."""
        return None

    def log_q(self, items: Ints, asked: Questions, num_items: int) -> Floats | None:
        """Natural logarithm of how likely each item is among the candidates of such a batch: float32 [items]; None: not stated."""
        return None


class Nobody(NegativeSampler):
    """Draws nothing, for losses without negatives."""

    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """See NegativeSampler."""
        return np.zeros(0, np.int64)


class Near(Protocol):
    """What finds the most probable answers by the embeddings of some epoch."""

    def search(self, item: Ints, relation: Ints, most: int) -> Ints:
        """The most probable answers to (item, relation, ?) [n], the best first: int64 [n, most], -1 where there are no more."""


class MinedSampler(NegativeSampler):
    """A sampler that looks into the embeddings. near: of the last epoch that was looked at, set in training; None before.

    every: epochs between two looks, the first after as many.
    """

    every: int
    near: Near | None = None


class KnownPairs:
    """Answers, for many pairs at once, whether they are train links.

    >>> known = KnownPairs(np.array([0, 2]), np.array([1, 1]), 5)
    >>> known.contains(np.array([0, 1, 2])[:, None], np.array([1, 4])[None, :])
    array([[ True, False],
           [False, False],
           [ True, False]])
    """

    def __init__(self, source: Ints, target: Ints, num_targets: int) -> None:
        self._num_targets, self._num_sources = num_targets, int(source.max(initial=-1)) + 1
        self._keys = np.sort(source * num_targets + target)

    def pairs(self, source: Ints, target: Ints) -> tuple[Ints, Ints]:
        """(position in ``source``, position in ``target``) of every two that are known; goes through the links of the side with fewer.

        >>> KnownPairs(np.array([0, 2]), np.array([1, 1]), 5).pairs(np.array([2, 1]), np.array([4, 1]))
        (array([0]), array([1]))
        """
        low, high = _stretch(self._first, source)
        low_back, high_back = _stretch(self._first_back, target)
        if (high - low).sum() <= (high_back - low_back).sum():
            rows, place = stretches(low, high)
            some, columns = equal(self._keys[place] - source[rows] * self._num_targets, target)
            return rows[some], columns
        columns, place = stretches(low_back, high_back)
        some, rows = equal(self._keys_back[place] - target[columns] * self._num_sources, source)
        return rows, columns[some]

    def contains(self, source: Ints, target: Ints) -> Bools:
        """Broadcasts ``source`` against ``target``; all pairs of a column with a row cost no more than what is known of one side."""
        if source.ndim == target.ndim == 2 and source.shape[1] == target.shape[0] == 1:
            return self._between(source[:, 0], target[0])
        if source.ndim == target.ndim == 2 and source.shape[0] == target.shape[1] == 1:
            return np.ascontiguousarray(self._between(source[0], target[:, 0]).T)
        wanted = source * self._num_targets + target
        if not len(self._keys):
            return np.zeros(wanted.shape, bool)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return self._keys[place] == wanted

    @cached_property
    def _keys_back(self) -> Ints:
        """The same pairs, grouped by target."""
        source, target = np.divmod(self._keys, self._num_targets)
        return np.sort(target * self._num_sources + source)

    @cached_property
    def _first(self) -> Ints:
        """Where the pairs of each source begin."""
        return np.searchsorted(self._keys, np.arange(self._num_sources + 1) * self._num_targets)

    @cached_property
    def _first_back(self) -> Ints:
        return np.searchsorted(self._keys_back, np.arange(self._num_targets + 1) * self._num_sources)

    def _between(self, source: Ints, target: Ints) -> Bools:
        """bool [sources, targets]."""
        found = np.zeros((len(source), len(target)), bool)
        found[self.pairs(source, target)] = True
        return found


def _stretch(first: Ints, items: Ints) -> tuple[Ints, Ints]:
    """From where to before where the pairs of each item are; nothing for an item that is in none."""
    last = len(first) - 1
    return first[np.minimum(items, last)], first[np.minimum(items + 1, last)]


def stretches(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """(number of the stretch, position) of everything in the stretches from ``low`` to before ``high``.

    >>> stretches(np.array([4, 1, 7]), np.array([6, 1, 8]))
    (array([0, 0, 2]), array([4, 5, 7]))
    """
    count = high - low
    number = np.repeat(np.arange(len(low)), count)
    return number, np.arange(len(number)) + np.repeat(low - (np.cumsum(count) - count), count)


def equal(wanted: Ints, items: Ints) -> tuple[Ints, Ints]:
    """(position in ``wanted``, position in ``items``) of every two that are equal; both may be repeated.

    >>> equal(np.array([5, 4]), np.array([4, 7, 4]))
    (array([1, 1]), array([0, 2]))
    """
    order = np.argsort(items, kind="stable")
    low, high = (np.searchsorted(items, wanted, side, order) for side in ("left", "right"))
    number, place = stretches(low, high)
    return number, order[place]
