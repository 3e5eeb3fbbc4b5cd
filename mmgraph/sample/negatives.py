"""The contract of negative samplers, what they are told, and the test whether a pair is a known train link.

Whatever a sampler draws, a candidate that is a known train link of a row is no negative of that row: the loaders mask it (``is_link`` in
``sample/batch.py``), as in the filtered setting of Bordes et al. 2013 (section 4.2). A link that is held out for validation or test may be
drawn as a negative like any unknown one: to leave it out would tell the model that it is there.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

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
    ``candidates``. states_log_q: it can say how likely an item is drawn, which losses with ``log_q`` need.
    """

    states_log_q: ClassVar[bool] = False

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


class KnownPairs:
    """Answers, for many pairs at once, whether they are train links.

    >>> known = KnownPairs(np.array([0, 2]), np.array([1, 1]), 5)
    >>> known.contains(np.array([0, 1, 2])[:, None], np.array([1, 4])[None, :])
    array([[ True, False],
           [False, False],
           [ True, False]])
    """

    def __init__(self, source: Ints, target: Ints, num_targets: int) -> None:
        self._num_targets = num_targets
        self._keys = np.sort(source * num_targets + target)

    def contains(self, source: Ints, target: Ints) -> Bools:
        """Broadcasts ``source`` against ``target``."""
        wanted = source * self._num_targets + target
        if not len(self._keys):
            return np.zeros(wanted.shape, bool)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return self._keys[place] == wanted
