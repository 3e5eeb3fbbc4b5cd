"""The contract of negative samplers, and the test whether a pair is a known train link."""

import abc

import numpy as np

from mmgraph.types import Bools, Ints


class NegativeSampler(abc.ABC):
    """Chooses candidates that a batch of links is compared with. One file in ``model/negatives/`` with one class."""

    @abc.abstractmethod
    def others(self, positives: Ints, num_items: int, rng: np.random.Generator) -> Ints:
        """``positives`` [links] (the true ends) -> candidate positions [others] of the same kind, shared by all links."""


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
