"""The benchmark of paths divides the items so that training sees nothing of those it is asked about."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from facts_made import facts

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def paths():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_of_paths", BENCHMARKS / "paths.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def test_a_half_holds_every_fact_between_its_items_and_no_other(paths):
    graph, split = facts(count=40)
    items = np.sort(np.random.default_rng(1).permutation(40)[:20])
    part = paths.half(paths.Problem("settings", split, []), items, seed=3).split
    assert list(part.visible.ids["n"]) == [f"n{i}" for i in items]
    for relation, edges in graph.edges.items():
        known = {
            (s, t) for s, t in zip(edges.source.tolist(), edges.target.tolist(), strict=True) if {s, t} <= set(items.tolist())
        }
        one = part.links[relation]
        assert known == set(zip(items[one.edges.source].tolist(), items[one.edges.target].tolist(), strict=True))
        assert sorted(np.concatenate([one.train, one.valid, one.test])) == list(range(len(known)))
        told = part.visible.edges[relation]
        assert len(told) == len(one.train) == round(0.7 * len(known))
        np.testing.assert_array_equal(told.source, one.edges.source[one.train])


def test_two_halves_share_no_item(paths):
    _, split = facts(count=21)
    order = np.random.default_rng(2).permutation(21)
    halves = [paths.half(paths.Problem("settings", split, []), np.sort(items), 0).split for items in np.array_split(order, 2)]
    first, second = (set(one.visible.ids["n"]) for one in halves)
    assert not first & second
    assert len(first | second) == 21


def test_the_state_fits_the_other_half(paths):
    """Relations keep their order and their number, also one that has no fact in a half."""
    _, split = facts(count=24)
    halves = [paths.half(paths.Problem("settings", split, []), items, 0).split for items in np.array_split(np.arange(24), 2)]
    assert list(halves[0].visible.edges) == list(halves[1].visible.edges) == list(split.visible.edges)
    assert len(halves[1].visible.edges[list(split.links)[1]]) == 0  # 2 n is below 24 for n below 12 alone
