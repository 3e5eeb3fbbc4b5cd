"""What was chosen is made again from its record, with the same scores."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from mmgraph.errors import RunError
from mmgraph.evaluate.again import chosen_again, report_of
from mmgraph.evaluate.evaluate import fit_link_baselines
from mmgraph.evaluate.evidence import COMBINATION, combine_links
from mmgraph.settings import EvaluateSettings

from .made import Given, random_question, truth_matrix


def made():
    """Two methods of which each knows half of the links, and baselines."""
    question = random_question(3, sources=40, targets=50, links=400)
    truth, rng = truth_matrix(question), np.random.default_rng(0)
    half = rng.random(truth.shape) < 0.5
    pieces = [Given(3 * truth * mask + rng.normal(size=truth.shape), name) for mask, name in ((half, "gnn"), (~half, "other"))]
    return question, [*pieces, *fit_link_baselines(question)]


def recorded(report):
    return report_of(json.loads(json.dumps(asdict(report), allow_nan=False)))


def test_the_combination_has_the_same_scores_and_fits_nothing(monkeypatch):
    question, methods = made()
    ours, report = combine_links(question, methods, EvaluateSettings(), question.seed)
    assert report.chosen == COMBINATION
    monkeypatch.setattr("mmgraph.evaluate.fusion.fit", None)
    again = chosen_again(question, methods, recorded(report))
    for direction in question.directions:
        every = np.arange(question.count("source" if direction == "target" else "target"))
        np.testing.assert_array_equal(again.scores(every, direction), ours.scores(every, direction))


def test_a_single_method_is_itself():
    question, methods = made()
    _, report = combine_links(question, methods, EvaluateSettings(), question.seed)
    assert chosen_again(question, methods, replace(recorded(report), chosen="other")) is methods[1]


@pytest.mark.parametrize("chosen", ["other", COMBINATION])
def test_a_method_that_is_gone_is_named(chosen):
    question, methods = made()
    _, report = combine_links(question, methods, EvaluateSettings(), question.seed)
    with pytest.raises(
        RunError, match="a method that the run chose is not there any more; given: other; run `mmgraph fit` again"
    ):
        chosen_again(question, [methods[0], *methods[2:]], replace(recorded(report), chosen=chosen))
