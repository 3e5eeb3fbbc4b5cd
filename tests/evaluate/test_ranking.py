import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmgraph.errors import MMGraphError
from mmgraph.evaluate import ranking
from mmgraph.evaluate.evaluate import evaluate_links
from mmgraph.evaluate.ranking import DIRECTIONS, ranks
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Relation

from .made import Given, link_question, random_question, truth_matrix


def slow_rank(question, matrix, edge, direction, group=None):
    """One query, candidate by candidate; with ``group`` those of the query's alone."""
    edges = question.split.edges
    links = set(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    s, t = int(edges.source[edge]), int(edges.target[edge])
    better = equal = candidates = 0
    for other in range(question.count(direction)):
        pair = (s, other) if direction == "target" else (other, t)
        if pair == (s, t):
            candidates += 1
            continue
        if pair in links or (question.relation.source == question.relation.target and pair[0] == pair[1]):
            continue
        if group is not None and group[pair[0]] != group[pair[1]]:
            continue
        candidates += 1
        better += matrix[pair] > matrix[s, t]
        equal += matrix[pair] == matrix[s, t]
    return 1 + better + equal / 2, candidates


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), same=st.booleans(), levels=st.integers(1, 6), block=st.integers(1, 9))
def test_equals_brute_force_with_ties(seed, same, levels, block):
    question = random_question(seed, same)
    generator = np.random.default_rng(seed)
    matrix = generator.integers(levels, size=(question.count("source"), question.count("target"))).astype(np.float32)
    edges = generator.permutation(len(question.split.edges))
    before = matrix.copy()
    for direction in DIRECTIONS:
        got = ranks(Given(matrix), question, edges, direction, block)
        slow = [slow_rank(question, matrix, edge, direction) for edge in edges]
        np.testing.assert_array_equal(got.rank, [rank for rank, _ in slow])
        np.testing.assert_array_equal(got.candidates, [count for _, count in slow])
        picked = question.split.edges.take(edges)
        wanted = (picked.source, picked.target) if direction == "target" else (picked.target, picked.source)
        np.testing.assert_array_equal(got.query, wanted[0])
        np.testing.assert_array_equal(got.truth, wanted[1])
        np.testing.assert_array_equal(got.score, matrix[picked.source, picked.target])
    np.testing.assert_array_equal(matrix, before)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.integers(1, 6), block=st.integers(1, 9))
@example(seed=239, levels=1, block=1)  # no two items have one parent: there are no groups
def test_among_the_query_s_group_equals_brute_force(seed, levels, block):
    question = random_question(seed, same=True, temporal=True)
    generator = np.random.default_rng(seed)
    matrix = generator.integers(levels, size=(12, 12)).astype(np.float32)
    edges, group = generator.permutation(len(question.split.edges)), question.group
    if group is None:
        parent = question.graph.parent["a"]
        assert len(set(parent[parent >= 0])) == (parent >= 0).sum()
        together = np.zeros(len(edges), bool)
    else:
        together = group[question.split.edges.source[edges]] == group[question.split.edges.target[edges]]
    for direction in DIRECTIONS:
        got = ranks(Given(matrix), question, edges, direction, block, group=group)
        plain = ranks(Given(matrix), question, edges, direction, block)
        np.testing.assert_array_equal(got.rank, plain.rank)
        assert not plain.near_candidates.any()
        slow = [slow_rank(question, matrix, edge, direction, group) if one else (0, 0)
                for edge, one in zip(edges, together, strict=True)]  # fmt: skip
        np.testing.assert_array_equal(got.near_rank, [rank for rank, _ in slow])
        np.testing.assert_array_equal(got.near_candidates, [count for _, count in slow])


def test_only_temporal_relations_within_a_kind_have_groups():
    parent = random_question(1, same=True, temporal=True)
    assert len(set(parent.group[parent.graph.parent["a"] == 1])) == 1
    assert len(set(parent.group[parent.graph.parent["a"] == -1])) == (parent.graph.parent["a"] == -1).sum()
    assert random_question(1, same=True).group is None
    assert random_question(1, temporal=True).group is None
    assert link_question(Relation("a", "r", "a"), {"a": 3}, [(0, 1)], [2], temporal=True).group is None


def test_no_edges_gives_no_ranks():
    got = ranks(Given(np.zeros((12, 15))), random_question(), np.zeros(0, np.int64), "target")
    assert len(got.rank) == len(got.candidates) == len(got.query) == 0


def test_one_item_on_each_side():
    question = link_question(Relation("a", "r", "b"), {"a": 1, "b": 1}, [(0, 0)], [2])
    got = ranks(Given([[3.0]]), question, question.split.test, "target")
    assert (got.rank.tolist(), got.candidates.tolist()) == ([1.0], [1])


def test_a_loop_is_ranked_though_the_query_itself_is_filtered():
    question = link_question(Relation("a", "r", "a"), {"a": 3}, [(1, 1)], [2])
    got = ranks(Given(np.eye(3)), question, question.split.test, "target")
    assert (got.rank.tolist(), got.candidates.tolist()) == ([1.0], [3])


def test_the_truth_itself_ranks_first_and_a_constant_in_the_middle():
    question = random_question(3)
    for direction in DIRECTIONS:
        truth = ranks(Given(truth_matrix(question)), question, question.split.test, direction)
        assert (truth.rank == 1).all()
        constant = ranks(Given(np.zeros((12, 15))), question, question.split.test, direction)
        np.testing.assert_array_equal(constant.rank, (constant.candidates + 1) / 2)


def test_the_filter_can_be_told_not_to_know_test():
    question = link_question(Relation("a", "r", "b"), {"a": 1, "b": 4}, [(0, 0), (0, 1), (0, 2)], [0, 1, 2])
    matrix = [[9.0, 1.0, 5.0, 0.0]]
    assert ranks(Given(matrix), question, question.split.valid, "target").rank.tolist() == [1.0]
    known = np.concatenate((question.split.train, question.split.valid))
    assert ranks(Given(matrix), question, question.split.valid, "target", known=known).rank.tolist() == [2.0]


def test_memory_is_bounded_whatever_the_block():
    assert ranking.rows_at_once(1024, 10**6) * 10**6 <= ranking.CELLS
    assert ranking.rows_at_once(1024, 10**9) == 1
    assert ranking.rows_at_once(1024, 0) == 1024


class Watched(Given):
    """Remembers the shapes that it was asked for."""

    def __init__(self, matrix):
        super().__init__(matrix)
        self.shapes = []

    def scores(self, queries, direction):
        found = super().scores(queries, direction)
        self.shapes.append(found.shape)
        return found


@pytest.mark.parametrize(("cells", "most"), [(1, 1), (15, 1), (31, 2), (60, 4), (10**6, 12)])
def test_blocks_obey_the_memory(cells, most):
    question = random_question(0, links=200)
    every = np.arange(len(question.split.edges))
    matrix = np.random.default_rng(0).normal(size=(12, 15))
    watched = Watched(matrix)
    whole = ranks(Given(matrix), question, every, "target")
    got = ranks(watched, question, every, "target", cells=cells)
    np.testing.assert_array_equal(got.rank, whole.rank)
    assert max(rows for rows, _ in watched.shapes) <= most
    assert all(rows * width <= max(cells, width) for rows, width in watched.shapes)


def test_memory_is_a_setting(monkeypatch):
    asked = []
    monkeypatch.setattr(ranking, "rows_at_once", lambda block, candidates, cells: asked.append((block, cells)) or 4)
    question = random_question(0)
    evaluate_links(question, [Given(np.zeros((12, 15)), "mmgraph")], EvaluateSettings(bootstrap=0, memory_mb=3, block=7))
    assert set(asked) == {(7, 3 * 2**20 // 4)}


def test_wrong_scores_are_named():
    question = random_question()
    with pytest.raises(MMGraphError, match="given gave scores of a wrong shape"):
        ranks(Given(np.zeros((12, 14))), question, question.split.test, "target")
    with pytest.raises(MMGraphError, match="given gave scores that are not finite"):
        ranks(Given(np.full((12, 15), np.nan)), question, question.split.test, "target")
