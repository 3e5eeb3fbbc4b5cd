import numpy as np
import pytest

from mmgraph.evaluate import bootstrap
from mmgraph.evaluate.bootstrap import Statistic, draws, grouped, interval


def means(values):
    return Statistic(np.stack((values, np.ones(len(values))), axis=1))


def test_one_unit_has_one_value():
    np.testing.assert_array_equal(draws([means(np.array([0.25]))], 10, seed=1), np.full((1, 10), 0.25))


def test_interval_of_a_mean_agrees_with_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    low, high = interval(draws([means(values)], 4000, seed=1)[0], 0.95)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.015)


def test_same_draws_for_all_so_differences_are_paired():
    values = np.random.default_rng(0).normal(size=50)
    drawn = draws([means(values), means(values + 1.0)], 200, seed=3)
    np.testing.assert_allclose(drawn[1] - drawn[0], 1.0)


def test_same_seed_same_draws_in_any_block_size(monkeypatch):
    one = means(np.arange(30.0))
    first = draws([one], 100, seed=5)
    np.testing.assert_array_equal(first, draws([one], 100, seed=5))
    assert (first != draws([one], 100, seed=6)).any()
    monkeypatch.setattr(bootstrap, "_CELLS", 90)
    np.testing.assert_array_equal(first, draws([one], 100, seed=5))


def test_every_draw_has_as_many_units_as_there_are():
    counts = np.concatenate(list(bootstrap.counts(7, 50, seed=0)))
    assert counts.shape == (50, 7)
    assert (counts.sum(1) == 7).all()


def test_groups_widen_the_interval_of_copies():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 10)
    alone = draws([means(values)], 1000, seed=0)[0]
    sums = grouped(means(values).sums, np.repeat(np.arange(20), 10))
    together = draws([Statistic(sums)], 1000, seed=0)[0]
    assert together.std() > 2.5 * alone.std()
    assert Statistic(sums).value == pytest.approx(values.mean())
