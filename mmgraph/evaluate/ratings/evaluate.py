"""Ratings of every method on the same held-out links -> rows of metrics.json with intervals over users, and the verdict.

The only place where the test split of ratings is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from mmgraph import registry
from mmgraph.evaluate.bootstrap import Reals, Statistic, grouped, ratio
from mmgraph.evaluate.contract import Row
from mmgraph.evaluate.effects import Measurement
from mmgraph.evaluate.evaluate import Measured, Names, baseline_names, compared_by, rows_of
from mmgraph.evaluate.metrics import ece_of_sums, ece_sums
from mmgraph.evaluate.ratings.contract import RatingBaseline, RatingMethod, predicted
from mmgraph.evaluate.ratings.spread import COVERED, Spread, chances, level_of
from mmgraph.evaluate.verdict import Compared, Verdict, verdict
from mmgraph.settings import EvaluateSettings
from mmgraph.tasks.rated import RatingQuestion, Ratings
from mmgraph.types import Bools

MAIN = "rmse"
COVERAGE = f"coverage@{COVERED:.0%}"
_ROUNDING = 1e-6


def fit_rating_baselines(question: RatingQuestion, names: Names = "all") -> list[RatingMethod]:
    """Every baseline of ratings that applies, fitted; ``names`` picks. Raises SettingsError for an unknown name."""
    chosen: list[RatingBaseline] = [registry.create("rating baseline", name) for name in baseline_names(names, "rating")]
    return [method for baseline in chosen for method in baseline.fit(question)]


def evaluate_ratings(
    question: RatingQuestion,
    methods: Sequence[RatingMethod],
    settings: EvaluateSettings,
    tested: list[Measurement] | None = None,
) -> tuple[list[Row], Verdict]:
    """Measure every method on validation and test ratings; what can be paired of the test is added to ``tested``.

    Rows: rmse, mae, r2 (against the mean of train), slope (of true on expected ratings: 1 where these are neither too bold nor too
    timid), coverage@90% (the share within the interval that held so many on validation; of the test alone); of ratings that are
    levels also accuracy and ece of the likeliest level. Of test ratings the errors by group: of users and items with and without a
    rating that could be seen. An interval resamples users.
    """
    rows, compared = list[Row](), dict[str, Compared]()
    spreads = {one.name: Spread.of(question, one) for one in methods}
    for split, edges in (("valid", question.split.valid), ("test", question.split.test)):
        if not len(edges):
            continue
        true, measured = question.ratings(edges), Measured()
        for one in methods:
            found = _statistics(question, one, true, spreads[one.name], split)
            measured |= {(one.name, metric): (statistic, len(true)) for metric, statistic in found.items()}
        made, drawn = rows_of("ratings", question.name, split, measured, settings, question.seed)
        rows += made
        if split == "test":
            compared = compared_by(MAIN, measured, drawn)
            rows += _grouped(question, methods, true, settings)
            if tested is not None:
                tested += [
                    Measurement("ratings", question.name, method, metric, statistic, n)
                    for (method, metric), (statistic, n) in measured.items()
                    if metric == question.figure
                ]
    told = verdict("ratings", question.name, MAIN, compared, len(question.split.test), settings.level, lower=True)
    return rows, told


def _statistics(
    question: RatingQuestion, method: RatingMethod, true: Ratings, spread: Spread | None, split: str
) -> Mapping[str, Statistic]:
    expected, one = predicted(question, method, true), np.ones(len(true))
    found = dict(_errors(expected, true))
    found["r2"] = _statistic(true, _explained, (expected - true.value) ** 2, (true.value - question.train.mean) ** 2)
    found["slope"] = _statistic(true, _slope, expected, true.value, expected * true.value, expected**2, one)
    if spread is not None and split == "test":
        low, high = spread.interval(question, expected)
        found[COVERAGE] = _statistic(true, ratio, (true.value >= low - _ROUNDING) & (true.value <= high + _ROUNDING), one)
    said = chances(question, method, true, spread)
    if said is not None:
        level = level_of(true.value, question.levels)
        found["accuracy"] = _statistic(true, ratio, said.argmax(1) == level, one)
        found["ece"] = Statistic(grouped(ece_sums(said, level), true.source), ece_of_sums)
    return found


def _errors(expected: Reals, true: Ratings) -> Mapping[str, Statistic]:
    apart, one = expected - true.value, np.ones(len(true))
    return {MAIN: _statistic(true, _root, apart**2, one), "mae": _statistic(true, ratio, np.abs(apart), one)}


def _statistic(true: Ratings, finish: Callable[[Reals], Reals], *sums: Reals | Bools) -> Statistic:
    """A unit is a user, with all their ratings."""
    return Statistic(grouped(np.stack(sums, axis=1).astype(np.float64), true.source), finish)


def _root(sums: Reals) -> Reals:
    return np.sqrt(ratio(sums))


def _explained(sums: Reals) -> Reals:
    return np.where(sums[:, 1] > 0, 1.0 - ratio(sums), 0.0)


def _slope(sums: Reals) -> Reals:
    """Of the line of least squares through (expected, true), from Σx, Σy, Σxy, Σx² and n; 0 where all expect the same.

    >>> _slope(np.array([[3.0, 6.0, 10.0, 5.0, 2.0]]))  # (1, 2) and (2, 4)
    array([2.])
    """
    x, y, xy, xx, n = sums.T
    spread = n * xx - x**2
    return np.divide(n * xy - x * y, spread, out=np.zeros(len(sums)), where=spread > 1e-9 * np.maximum(n * xx, 1.0))


def _grouped(
    question: RatingQuestion, methods: Sequence[RatingMethod], true: Ratings, settings: EvaluateSettings
) -> list[Row]:
    rows = []
    for name, those in _groups(question, true):
        part = Ratings(true.source[those], true.target[those], true.value[those], true.shape)
        measured: Measured = {
            (one.name, metric): (statistic, len(part))
            for one in methods
            for metric, statistic in _errors(predicted(question, one, part), part).items()
        }
        rows += rows_of("ratings", question.name, "test", measured, settings, question.seed, name)[0]
    return rows


def _groups(question: RatingQuestion, true: Ratings) -> Iterator[tuple[str, Bools]]:
    """Warm and cold users, and items; where all are of one side, nothing."""
    seen = question.train
    for grouping, own, known in (("users", true.source, seen.source), ("items", true.target, seen.target)):
        warm = np.isin(own, known)
        if warm.any() and not warm.all():
            yield from ((f"{grouping}=warm", warm), (f"{grouping}=cold", ~warm))
