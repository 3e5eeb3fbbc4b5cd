"""Which unlabelled items a person should label next, and the contract of what chooses them."""

import abc
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mmgraph.errors import SettingsError
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AskQuestion:
    """Which of ``n`` unlabelled items to ask about.

    probabilities: float32 [n, classes], what the run says of them; vectors: float32 [n, wide], what its network reads the class from;
    shown: float32 [m, wide], the same of the items that are trained on; group: int64 [n], items of one number belong together, as the
    segments of one video do; several: whether an item may have several classes, each by itself.
    """

    probabilities: Floats
    vectors: Floats
    shown: Floats
    group: Ints
    several: bool = False

    def __len__(self) -> int:
        return len(self.probabilities)

    def take(self, rows: Ints) -> "AskQuestion":
        """Only these rows."""
        return replace(self, probabilities=self.probabilities[rows], vectors=self.vectors[rows], group=self.group[rows])

    def showing(self, rows: Ints) -> "AskQuestion":
        """The same after these rows have been asked about: they are among what is shown, though not gone."""
        return replace(self, shown=np.concatenate((self.shown, self.vectors[rows])))

    @property
    def uncertainty(self) -> Reals:
        """1 less the margin between the two likeliest classes (Scheffer, Decomain & Wrobel 2001); of several classes that of the class that
        is nearest to one half. float64 [n], from 0, sure, to 1.
        """
        return margin_uncertainty(self.probabilities, self.several)


def margin_uncertainty(probabilities: Floats, several: bool) -> Reals:
    """See ``AskQuestion.uncertainty``.

    >>> margin_uncertainty(np.array([[0.5, 0.25, 0.25], [1, 0, 0]]), False), margin_uncertainty(np.array([[0.5, 1.0]]), True)
    (array([0.75, 0.  ]), array([1.]))
    """
    p = probabilities.astype(np.float64)
    if several:
        return 1.0 - np.abs(2.0 * p - 1.0).min(axis=1)
    ordered = np.sort(p, axis=1)
    return 1.0 - (ordered[:, -1] - ordered[:, -2])


class Strategy(abc.ABC):
    """One file in ``strategies/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` with defaults for all.

    by_group: whether of each group only the item nearest to the group's mean is offered, as long as there are other groups. The least sure
    item of a group would be the one that shows least of what all of them are: an empty shot of a video.
    """

    by_group: ClassVar[bool] = True

    def pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        """At most ``n`` different rows, the one most worth asking first. Raises SettingsError for less than one."""
        if n < 1:
            raise SettingsError("there is nothing to ask for", given=n, todo="ask for 1 item at least")
        free, picked = np.ones(len(question), bool), np.zeros(0, np.int64)
        while len(picked) < n and free.any():
            rows = _offered(question, free) if self.by_group else np.flatnonzero(free)
            some = question.showing(picked).take(rows)
            found = rows[self._pick(some, min(n - len(picked), len(rows)), seed)]
            assert len(np.unique(found)) == len(found) == min(n - len(picked), len(rows))
            free[found] = False
            picked = np.concatenate((picked, found)).astype(np.int64)
        return picked

    @abc.abstractmethod
    def _pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        """Exactly ``n`` different rows, 1 <= n <= len(question)."""


def _offered(question: AskQuestion, free: Bools) -> Ints:
    """Of each group the free row that is nearest to the mean of the group, the first of equal ones."""
    rows = np.flatnonzero(free)
    names, of = np.unique(question.group, return_inverse=True)
    mean = np.zeros((len(names), question.vectors.shape[1]))
    np.add.at(mean, of, question.vectors)
    mean /= np.bincount(of, minlength=len(names))[:, None]
    apart = ((question.vectors[rows] - mean[of[rows]]) ** 2).sum(axis=1)
    order = np.lexsort((rows, apart, of[rows]))
    _, first = np.unique(of[rows][order], return_index=True)
    return np.sort(rows[order[first]]).astype(np.int64)
