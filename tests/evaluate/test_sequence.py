import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.evaluate import sequence
from mmgraph.evaluate.sequence import best_order, improved, joined, total


def made(seed, count, levels):
    generator = np.random.default_rng(seed)
    if levels:
        return generator.integers(levels, size=(count, count)).astype(np.float64)
    return generator.normal(size=(count, count))


def slow_best(weights):
    orders = np.array(list(itertools.permutations(range(len(weights)))))
    return weights[orders[:, :-1], orders[:, 1:]].sum(1).max()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 7), levels=st.sampled_from([0, 2, 3]))
def test_equals_the_best_of_all_permutations(seed, count, levels):
    weights = made(seed, count, levels)
    before = weights.copy()
    order = best_order(weights)
    assert sorted(order.tolist()) == list(range(count))
    assert total(weights, order) == pytest.approx(slow_best(weights), abs=1e-9)
    assert total(weights, sequence._exact(weights)) == pytest.approx(slow_best(weights), abs=1e-9)
    np.testing.assert_array_equal(order, best_order(weights))
    np.testing.assert_array_equal(weights, before)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 9), levels=st.sampled_from([0, 3]))
def test_each_change_gains_what_it_says_and_no_other_of_its_sort_gains_more(seed, count, levels):
    weights = made(seed, count, levels)
    order = np.random.default_rng(seed).permutation(count)
    now = total(weights, order)
    gain, changed = sequence._reversal(weights, order)
    reversals = [
        total(weights, np.concatenate((order[:i], order[i:j][::-1], order[j:]))) - now
        for i, j in itertools.combinations(range(count + 1), 2)
        if j - i > 1
    ]
    assert gain == pytest.approx(max(reversals))
    assert total(weights, changed) - now == pytest.approx(gain)
    for length, (gain, changed) in enumerate(sequence._moves(weights, order), start=1):
        moved = []
        for i in range(count - length + 1):
            rest = np.delete(order, slice(i, i + length))
            moved += [
                total(weights, np.insert(rest, at, order[i : i + length])) - now for at in range(len(rest) + 1) if at != i
            ]
        assert gain == pytest.approx(max(moved))
        assert total(weights, changed) - now == pytest.approx(gain)


@pytest.mark.parametrize("count", [13, 40])
def test_many_items_are_put_in_order_by_steps_that_gain(count):
    weights = made(count, count, 0)
    start = joined(weights)
    order = improved(weights, start)
    assert sorted(order.tolist()) == list(range(count))
    assert total(weights, order) >= total(weights, start)
    hidden = np.random.default_rng(0).permutation(count)
    weights[hidden[:-1], hidden[1:]] += 10.0
    np.testing.assert_array_equal(best_order(weights), hidden)
    np.testing.assert_array_equal(improved(weights, joined(weights)), hidden)


def test_heaviest_pairs_are_joined_without_branches_and_circles():
    weights = np.zeros((4, 4))
    weights[0, 1], weights[1, 0], weights[2, 1], weights[1, 2], weights[3, 0] = 9, 8, 7, 6, 5
    assert joined(weights).tolist() == [3, 0, 1, 2]


def test_none_and_one():
    assert best_order(np.zeros((0, 0))).tolist() == []
    assert best_order(np.zeros((1, 1))).tolist() == [0]
