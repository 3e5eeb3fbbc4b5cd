"""How far the class of an item can be trusted, and where it is better called unknown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmgraph.evaluate.bootstrap import Statistic, grouped
from mmgraph.evaluate.contract import OURS, LabelQuestion, Row
from mmgraph.evaluate.evaluate import Measured, groups_of, rows_of
from mmgraph.evaluate.evidence import FEWEST
from mmgraph.evaluate.reliability import Reliability, lowest_threshold, measured
from mmgraph.evaluate.rightness import said
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Floats


@dataclass(frozen=True)
class LabelTrust:
    """Below which probability a class that is said of an item is unknown.

    threshold: the lowest from which on validation items, ten at least, are right with a share of ``precision``; None where no
    threshold reaches that, and all are unknown. reliability: of the test items, whether known or not.
    """

    precision: float
    threshold: float | None
    reliability: Reliability | None

    def unknown(self, probability: Floats) -> Bools:
        """Of each item by the probability of its likeliest class: bool [items]."""
        return np.ones(len(probability), bool) if self.threshold is None else probability < self.threshold


def label_trust(question: LabelQuestion, probabilities: Floats, settings: EvaluateSettings) -> LabelTrust:
    """Choose the threshold on validation, and see on test whether the probabilities [items, classes] hold."""
    precision = settings.precision if settings.label_precision is None else settings.label_precision
    labels, test = question.split.labels, question.split.test
    threshold = lowest_threshold(*said(labels, probabilities, question.split.valid)[1:], precision)
    item, probability, right = said(labels, probabilities, test)
    found = measured(probability, right, groups_of(question, test)[item], settings, question.seed)
    return LabelTrust(precision, threshold, found)


def unknown_rows(question: LabelQuestion, probabilities: Floats, trust: LabelTrust, settings: EvaluateSettings) -> list[Row]:
    """Of the test items: ``share/answered``, those whose class is not unknown, and ``accuracy/answered`` among these. Of items of open
    classes ``share/answered_open``: none of them should be.
    """
    test, other = question.split.test, question.split.open
    item, probability, right = said(question.split.labels, probabilities, test)
    known = ~trust.unknown(probability)
    wrongly = ~trust.unknown(probabilities[other].max(1))
    rows = []
    for metric, items, above, below in (
        ("share/answered", test[item], known, np.ones(len(known))),
        ("accuracy/answered", test[item], known & right, known),
        ("share/answered_open", other, wrongly, np.ones(len(other))),
    ):
        if below.any():
            sums = grouped(np.stack((above, below), axis=1).astype(np.float64), groups_of(question, items))
            found: Measured = {(OURS, metric): (Statistic(sums), int(below.sum()))}
            rows += rows_of("categories", question.split.labels.target, "test", found, settings, question.seed)[0]
    return rows


def as_record(question: LabelQuestion, one: LabelTrust) -> dict[str, Any]:
    """As calibration.json holds it, beside the relations; ``field`` names it."""
    shape = "log-linear pool" if len(question.split.valid) >= FEWEST else "none"
    return {"field": question.split.labels.target, "calibration": {"shape": shape}, **asdict(one), "validated": []}


def trust_of(record: Mapping[str, Any]) -> LabelTrust:
    """One entry of calibration.json that has a ``field``; how reliable it was on test is left there."""
    return LabelTrust(record["precision"], record["threshold"], None)
