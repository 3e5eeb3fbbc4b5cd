"""Which pairs are known: equal to looking each of them up in a set."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.sample.negatives import KnownPairs, stretches

POSITION = st.integers(0, 6)
PAIRS = st.lists(st.tuples(POSITION, POSITION), max_size=30)
ITEMS = st.lists(POSITION, max_size=12).map(lambda some: np.array(some, np.int64))


@given(PAIRS, ITEMS, ITEMS)
def test_all_with_all_whatever_the_shape(pairs, source, target):
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    known = KnownPairs(ends[:, 0], ends[:, 1], 7)
    wanted = np.array([[(a, b) in set(pairs) for b in target] for a in source], bool).reshape(len(source), len(target))
    assert (known.contains(source[:, None], target[None, :]) == wanted).all()
    assert (known.contains(source[None, :], target[:, None]) == wanted.T).all()
    both = np.broadcast_arrays(source[:, None], target[None, :])
    assert (known.contains(*both) == wanted).all()


@given(PAIRS, PAIRS)
def test_row_by_row(pairs, asked):
    ends, rows = (np.array(some, np.int64).reshape(-1, 2) for some in (pairs, asked))
    found = KnownPairs(ends[:, 0], ends[:, 1], 7).contains(rows[:, 0], rows[:, 1])
    assert found.tolist() == [one in set(pairs) for one in asked]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=8))
def test_stretches(some):
    low, count = np.array(some, np.int64).reshape(-1, 2).T
    wanted = [(i, p) for i, (first, n) in enumerate(some) for p in range(first, first + n)]
    assert list(zip(*(found.tolist() for found in stretches(low, low + count)), strict=True)) == wanted
