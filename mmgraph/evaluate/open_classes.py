"""Whether a method is less sure of items whose class it has never seen: the area under the ROC curve of its confidence.

Confidence is the probability of the likeliest class (Hendrycks & Gimpel 2017, A baseline for detecting misclassified and
out-of-distribution examples in neural networks, arXiv 1610.02136).
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.bootstrap import counts, interval
from mmgraph.evaluate.contract import LabelQuestion, Row
from mmgraph.evaluate.evaluate import groups_of
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Floats

Reals = npt.NDArray[np.float64]
OPEN = "auroc/open"


def aurocs(score: Floats, positive: Bools, weight: Reals) -> Reals:
    """Area under the ROC curve [draws] for ``weight`` [draws, items], how often each item counts; ties half; nan without both sides.

    >>> score, positive = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    >>> aurocs(score, positive, np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]]))
    array([0.875, 0.5  ])
    """
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])  # of each run of equal scores
    high = np.add.reduceat(weight[:, order] * positive[order], first, axis=1)
    low = np.add.reduceat(weight[:, order] * ~positive[order], first, axis=1)
    below = np.cumsum(low, axis=1) - low / 2.0
    pairs = high.sum(1) * low.sum(1)
    return np.divide((high * below).sum(1), pairs, out=np.full(len(weight), np.nan), where=pairs > 0)


def open_rows(question: LabelQuestion, predictions: Mapping[str, Floats], settings: EvaluateSettings) -> list[Row]:
    """``auroc/open`` of every method: confidence on test items against items of open classes; none without either."""
    split = question.split
    items = np.concatenate((split.test, split.open))
    known = np.arange(len(items)) < len(split.test)
    if not len(split.open) or not len(split.test):
        return []
    units = np.unique(groups_of(question, items), return_inverse=True)[1]
    rows = []
    for name, probabilities in predictions.items():
        confidence = probabilities[items].max(1)
        value = float(aurocs(confidence, known, np.ones((1, len(items))))[0])
        drawn = np.concatenate([aurocs(confidence, known, weight) for weight in _weights(units, settings, question.seed)])
        low, high = interval(drawn[np.isfinite(drawn)], settings.level) if np.isfinite(drawn).any() else (None, None)
        rows.append(Row("categories", split.labels.target, "test", name, OPEN, value, low, high, len(items)))
    return rows


def _weights(units: npt.NDArray[np.intp], settings: EvaluateSettings, seed: int) -> Iterator[Reals]:
    """How often each item is drawn, some draws at a time."""
    yield np.zeros((0, len(units)))
    for drawn in counts(int(units.max()) + 1, settings.bootstrap, seed) if settings.bootstrap else ():
        yield drawn[:, units]
