"""What is asked next, against slow and obvious computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.evaluate.asking import AskQuestion, margin_uncertainty
from mmgraph.evaluate.strategies.badge import Badge
from mmgraph.evaluate.strategies.core_set import CoreSet
from mmgraph.evaluate.strategies.random import Random
from mmgraph.evaluate.strategies.typical import Typical, typicality
from mmgraph.evaluate.strategies.uncertain import Uncertain, entropy

NAMES = sorted(registry.discover("strategy"))


def question(n=30, classes=3, width=4, shown=5, groups=None, seed=0, several=False):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), size=n).astype(np.float32)
    p = rng.random((n, classes)).astype(np.float32) if several else p
    vectors = rng.normal(size=(n + shown, width)).astype(np.float32)
    group = np.arange(n) if groups is None else rng.integers(groups, size=n)
    return AskQuestion(p, vectors[:n], vectors[n:], group, several)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("several", [False, True])
def test_different_items_as_many_as_asked_the_same_by_the_same_seed(name, several):
    strategy = registry.create("strategy", name)
    for asked, n in ((question(several=several), 7), (question(1, several=several), 3), (question(n=4, shown=0), 4)):
        before = [one.copy() for one in (asked.probabilities, asked.vectors, asked.shown, asked.group)]
        found = strategy.pick(asked, n, 3)
        assert len(set(found.tolist())) == len(found) == min(n, len(asked))
        assert found.dtype == np.int64
        assert found.tolist() == strategy.pick(asked, n, 3).tolist()
        for was, now in zip(before, (asked.probabilities, asked.vectors, asked.shown, asked.group), strict=True):
            np.testing.assert_array_equal(was, now)
    same = AskQuestion(*(np.ones((6, 2), np.float32) / 2,) * 3, np.arange(6))
    assert sorted(strategy.pick(same, 6, 1).tolist()) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(SettingsError, match="there is nothing to ask for; given: 0; ask for 1 item at least"):
        strategy.pick(question(), 0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_of_a_group_one_item_is_asked_while_there_are_others(name):
    asked = question(groups=6)
    groups = len(np.unique(asked.group))
    found = registry.create("strategy", name).pick(asked, groups + 3, 0)
    if name == "random":
        assert len(np.unique(asked.group[found[:groups]])) < groups
        return
    assert len(np.unique(asked.group[found[:groups]])) == groups
    for row in found[:groups]:  # of each group the item in its middle is offered
        mine = np.flatnonzero(asked.group == asked.group[row])
        middle = asked.vectors[mine].mean(0)
        assert row == min(mine, key=lambda one: np.linalg.norm(asked.vectors[one] - middle))
    assert len(set(found.tolist())) == groups + 3


@given(st.integers(0, 50), st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_uncertainty_and_entropy_by_hand(seed, classes):
    one, many = question(9, classes, seed=seed), question(9, classes, seed=seed, several=True)
    for row, p in enumerate(one.probabilities):
        first, second = sorted(p.astype(float))[::-1][:2]
        assert margin_uncertainty(one.probabilities, False)[row] == pytest.approx(1 - first + second)
        assert entropy(one)[row] == pytest.approx(-sum(x * np.log(x) for x in p.astype(float)), rel=1e-4)
    for row, p in enumerate(many.probabilities):
        assert many.uncertainty[row] == pytest.approx(1 - min(abs(2 * float(x) - 1) for x in p))


def slow_gradients(asked):
    """Of the last layer's loss, written down: [n, classes * wide]."""
    p, h = asked.probabilities.astype(np.float64), asked.vectors.astype(np.float64)
    rows = []
    for one, vector in zip(p, h, strict=True):
        said = np.zeros_like(one)
        said[one.argmax()] = 1.0
        rows.append(np.outer(one - said, vector).ravel())
    return np.array(rows)


def test_badge_draws_as_kmeans_plus_plus_of_the_gradients_does():
    asked = question(40)
    gradients, rng = slow_gradients(asked), np.random.default_rng([5, 0xBAD6E])
    picked = [int(np.linalg.norm(gradients, axis=1).argmax())]
    while len(picked) < 8:
        apart = np.array([min(((g - gradients[one]) ** 2).sum() for one in picked) for g in gradients])
        apart[picked] = 0.0
        picked.append(int(rng.choice(len(gradients), p=apart / apart.sum())))
    assert Badge().pick(asked, 8, 5).tolist() == picked


def test_core_set_takes_the_farthest_from_everything_again_and_again():
    asked = question(40)
    known, picked = list(asked.shown.astype(np.float64)), []
    for _ in range(6):
        apart = [min(np.linalg.norm(v - k) for k in known) for v in asked.vectors.astype(np.float64)]
        picked.append(int(np.argmax(apart)))
        known.append(asked.vectors[picked[-1]].astype(np.float64))
    assert CoreSet().pick(asked, 6, 0).tolist() == picked


def test_uncertain_alone_is_by_order_and_with_more_it_is_spread_among_them():
    asked = question(60)
    order = np.argsort(-asked.uncertainty, kind="stable")
    assert Uncertain(beta=1.0).pick(asked, 9, 0).tolist() == order[:9].tolist()
    assert (
        Uncertain(beta=1.0, by="entropy").pick(asked, 9, 0).tolist() == np.argsort(-entropy(asked), kind="stable")[:9].tolist()
    )
    found = Uncertain(beta=3.0).pick(asked, 9, 0)
    assert set(found.tolist()) <= set(order[:27].tolist())
    two = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)  # two places: one of each is picked, however unsure one place is
    even = AskQuestion(np.tile(np.float32([0.5, 0.5]), (20, 1)), two, two[:0], np.arange(20))
    assert sorted(Uncertain(beta=10.0).pick(even, 2, 0) // 10) == [0, 1]
    with pytest.raises(SettingsError, match="Uncertain.beta is how many times n are looked at; given: 0.5"):
        Uncertain(beta=0.5).pick(asked, 2, 0)


def test_typical_looks_where_nothing_is_labelled_and_takes_the_middle():
    rng = np.random.default_rng(1)
    centres = np.eye(3, dtype=np.float32) * 10
    sizes = (12, 30, 20)
    vectors = np.concatenate([c + rng.normal(size=(s, 3)) for c, s in zip(centres, sizes, strict=True)]).astype(np.float32)
    of = np.repeat(np.arange(3), sizes)
    shown = centres[[1]]  # the largest has a label
    asked = AskQuestion(np.full((62, 3), 1 / 3, np.float32), vectors, shown, np.arange(62))
    first, second = Typical(neighbours=5).pick(asked, 2, 0)
    assert [of[first], of[second]] == [2, 0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = [np.mean(sorted(np.linalg.norm(unit[of == 2] - u, axis=1))[1:6]) for u in unit[of == 2]]
    np.testing.assert_allclose(typicality(unit[of == 2], 5), 1 / np.array(mean), rtol=1e-4)
    assert first == np.flatnonzero(of == 2)[np.argmin(mean)]


def test_random_picks_each_item_as_often():
    asked = question(10, groups=2)
    counts = np.bincount(np.concatenate([Random().pick(asked, 3, seed) for seed in range(400)]), minlength=10)
    assert counts.sum() == 1200
    assert counts.min() > 80
    assert counts.max() < 160
