"""Percentile bootstrap (Efron 1979): units are drawn again with replacement, every metric is computed on every draw.

A metric is a function of sums over units, so that all draws of all metrics of all methods are one matrix product. A unit is
what is independent: an edge with both its directions, or a group of labelled items (the segments of one video). All
statistics given together are computed on the same draws, so their differences are paired.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
_CELLS = 2**22  # counts held at once: 32 MiB


def ratio(sums: Reals) -> Reals:
    """First sum over second, 0 where the second is 0.

    >>> ratio(np.array([[1.0, 2.0], [0.0, 0.0]]))
    array([0.5, 0. ])
    """
    return np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] != 0)


@dataclass(frozen=True)
class Statistic:
    """``sums`` float64 [units, k]: what each unit adds; ``finish``: sums of a draw [draws, k] -> the metric [draws]."""

    sums: Reals
    finish: Callable[[Reals], Reals] = ratio

    @property
    def value(self) -> float:
        """The metric on the units as they are."""
        return float(self.finish(self.sums.sum(0)[None])[0])


def grouped(sums: Reals, groups: npt.NDArray[np.int64]) -> Reals:
    """Sums of items [items, k] -> sums of their groups [groups, k]; ``groups`` int64 [items], any numbers.

    >>> grouped(np.array([[1.0], [2.0], [4.0]]), np.array([7, 3, 7]))
    array([[2.],
           [5.]])
    """
    names, row = np.unique(groups, return_inverse=True)
    out = np.zeros((len(names), sums.shape[1]))
    np.add.at(out, row, sums)
    return out


def draws(statistics: Sequence[Statistic], resamples: int, seed: int) -> Reals:
    """[statistics, resamples]: each statistic on the same draws of units. All have equally many units, at least one."""
    stacked = np.concatenate([one.sums for one in statistics], axis=1)
    sums = np.concatenate([drawn @ stacked for drawn in counts(len(stacked), resamples, seed)])
    cuts = np.cumsum([one.sums.shape[1] for one in statistics])[:-1]
    return np.stack([one.finish(part) for one, part in zip(statistics, np.split(sums, cuts, axis=1), strict=True)])


def interval(drawn: Reals, level: float) -> tuple[float, float]:
    """The middle ``level`` of the draws.

    >>> interval(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def counts(units: int, resamples: int, seed: int, size: int | None = None) -> Iterator[Reals]:
    """How often each unit is drawn: float64 [draws, units], ``resamples`` rows in all, ``size`` at a time (what fits)."""
    generator = np.random.default_rng([seed, 0xB007])
    size = size or max(1, _CELLS // units)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = generator.integers(units, size=(rows, units)) + np.arange(rows)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
