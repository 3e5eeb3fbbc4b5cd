"""What a part is worth, recomputed by hand and by a loop over draws."""

import numpy as np
import pytest

from mmgraph.evaluate.bootstrap import Statistic, counts
from mmgraph.evaluate.effects import Measurement, effects, over_baselines
from mmgraph.settings import EvaluateSettings

SETTINGS = EvaluateSettings(bootstrap=200, level=0.9)


def measured(method, right, target="a.b", metric="accuracy"):
    right = np.asarray(right, float)
    return Measurement("categories", target, method, metric, Statistic(np.stack([right, np.ones(len(right))], 1)), len(right))


def test_a_difference_is_paired_item_by_item():
    rng = np.random.default_rng(0)
    first = rng.random(40) < 0.8
    second = np.where(rng.random(40) < 0.1, ~first, first)
    (one,) = effects([measured("gnn", first)], [measured("gnn", second)], "modality", "image", SETTINGS)
    slow = []
    for (drawn,) in counts(40, 200, 0, size=1):
        items = np.repeat(np.arange(40), drawn.astype(int))
        slow.append(first[items].mean() - second[items].mean())
    assert one.difference == pytest.approx(first.mean() - second.mean())
    assert (one.low, one.high) == pytest.approx(tuple(np.quantile(slow, [0.05, 0.95])))
    assert (one.whole, one.without, one.n) == (first.mean(), second.mean(), 40)


def test_only_what_both_fits_answered_is_compared():
    whole = [measured("gnn", [1, 0]), measured("mmgraph", [1, 1]), measured("majority", [0, 0]), measured("gnn", [1], "c.d")]
    found = effects(whole, [measured("gnn", [0, 0]), measured("majority", [1, 1])], "links", "links", SETTINGS)
    assert [(one.target, one.method, one.difference) for one in found] == [("a.b", "gnn", 0.5)]


def test_the_hardest_baseline_is_the_opponent():
    whole = [
        measured("mmgraph", [1, 1, 1]),
        measured("gnn", [1, 0, 0]),
        measured("majority", [0, 0, 0]),
        measured("knn", [1, 1, 0]),
    ]
    whole += [measured("gnn", [1, 1], "c.d")]  # no baseline there
    found = over_baselines(whole, EvaluateSettings(bootstrap=0))
    assert [(one.method, one.name) for one in found] == [("mmgraph", "knn"), ("gnn", "knn")]
    assert [one.difference for one in found] == pytest.approx([1 / 3, -1 / 3])
    assert found[1].text == "a.b: gnn accuracy 0.333 against 0.667 for knn, the best baseline: -0.333"


def test_sentences():
    (clear,) = effects([measured("gnn", [1] * 9)], [measured("gnn", [0] * 9)], "random", "image", SETTINGS)
    assert clear.text == "a.b: image beyond random features added +1.000 (+1.000 to +1.000) to gnn's accuracy"
    (none,) = effects([measured("gnn", [1] * 9)], [measured("gnn", [1] * 9)], "joint", "joint", SETTINGS)
    assert none.text.startswith(
        "a.b: training with the other tasks added +0.000 (+0.000 to +0.000) to gnn's accuracy: nothing"
    )
    assert clear.shown
    assert not none.shown
