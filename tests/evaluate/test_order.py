"""Groups put in order, and gaps bridged, by made methods."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from mmgraph.evaluate.again import Everyone
from mmgraph.evaluate.answers import LinkAnswer
from mmgraph.evaluate.calibrate import Calibration
from mmgraph.evaluate.chains import Chains, bridged
from mmgraph.evaluate.gaps import CHANCE, bridging, known_gaps, open_gaps
from mmgraph.evaluate.groups import counted, groups_of, links_of, sequenced
from mmgraph.evaluate.order import chance_abs_tau, confidences, in_order, tau, weighed
from mmgraph.evaluate.reliability import Trust
from mmgraph.graph.contract import Graph
from mmgraph.outputs.order import rightness
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import Split
from mmgraph.split.make import hidden
from mmgraph.types import Relation

from .made import Given, ids, link_question, truth_matrix

FOLLOWS = Relation("a", "follows", "a")
NONE = np.full(12, np.nan)


def videos(parts=(0, 0, 1, 0, 2, 1, 0, 0, 2)):
    """Three of five, four and three items in a row; the parts of their nine links as given."""
    parent = np.repeat([0, 1, 2], [5, 4, 3])
    pairs = [(i, i + 1) for i in range(11) if parent[i] == parent[i + 1]]
    kinds = np.repeat("v", 12).astype(object)
    graph = Graph({"a": ids("a", 12), "v": ids("v", 3)}, {}, parent={"a": parent}, parent_kind={"a": kinds})
    return link_question(FOLLOWS, {}, pairs, parts, graph=graph, temporal=True)


def everyone(question, *methods):
    trust = Trust(Calibration(0.0, 1.0, 1.0, 0.0), 0.5, 0.6, ("linked", "unlinked"), None)
    return Everyone(LinkAnswer(question, methods[0], trust), {method.name: method for method in methods})


def perfect(question, name="mmgraph"):
    return Given(5.0 * truth_matrix(question), name)


def test_a_perfect_scorer_has_tau_1_and_a_reversed_one_minus_1():
    question = videos()
    methods = everyone(question, perfect(question), Given(5.0 * truth_matrix(question).T, "turned"))
    done = [sequenced(group, methods, counted(question, group.within)) for group in groups_of(question, NONE)]
    assert [one.name for one in done] == ["v0", "v1", "v2"]
    assert [one.tau("mmgraph") for one in done] == [1.0, 1.0, 1.0]
    assert [one.tau("turned") for one in done] == [-1.0, -1.0, -1.0]
    assert [one.links for one in done] == [(3, 1, 0), (1, 1, 1), (1, 0, 1)]
    ours, turned, chance = rightness(done, EvaluateSettings(bootstrap=20), 7)
    assert (ours.tau, ours.low, ours.high, ours.apart, ours.exact, ours.n) == (1.0, 1.0, 1.0, 1.0, 1.0, 3)
    assert (turned.tau, turned.apart, turned.exact) == (-1.0, 1.0, 0.0)
    assert (chance.method, chance.tau) == (CHANCE, 0.0)
    assert chance.exact == pytest.approx(np.mean([1 / math.factorial(n) for n in (5, 4, 3)]))
    assert (done[0].probability > 0.99).all()
    assert not done[0].abstain.any()


def test_a_symmetric_method_tells_no_direction():
    question = videos()
    matrix = truth_matrix(question)
    for group in groups_of(question, NONE):
        found = in_order(Given(matrix + matrix.T), group.items)
        assert not found.directed
        true = dict(zip(group.items.tolist(), group.place.tolist(), strict=True))
        assert abs(tau(np.array([true[item] for item in found.items.tolist()]))) == 1.0
        assert in_order(Given(matrix), group.items).directed


def test_ties_tell_nothing_of_the_order_of_the_catalogue():
    parent = np.zeros(40, np.int64)
    graph = Graph({"a": ids("a", 40), "v": ids("v", 1)}, {}, parent={"a": parent})
    question = link_question(FOLLOWS, {}, [(i, i + 1) for i in range(39)], [0] * 39, graph=graph, temporal=True)
    (group,) = groups_of(question, np.full(40, np.nan))
    assert sorted(group.items.tolist()) == list(range(40))
    found = in_order(Given(np.zeros((40, 40))), group.items)
    assert abs(tau(found.items)) < 0.5
    np.testing.assert_array_equal(found.items, in_order(Given(np.zeros((40, 40))), group.items).items)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_tau_is_scipy_s(places):
    slow = sum(np.sign(b - a) for a, b in itertools.combinations(places, 2)) / 15
    assert tau(np.array(places)) == pytest.approx(slow) == pytest.approx(kendalltau(range(6), places).statistic)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_chance_of_tau_is_the_mean_over_all_orders(count):
    slow = np.mean([abs(tau(np.array(order))) for order in itertools.permutations(range(count))])
    assert chance_abs_tau(count) == pytest.approx(slow)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_weights_and_confidences_the_slow_way(seed):
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(9, 9)).astype(np.float32)
    items = generator.permutation(9)[:5]
    scores, weights = weighed(Given(matrix), items, items)
    for i, a in enumerate(items):
        for j, b in enumerate(items):
            assert scores[i, j] == matrix[a, b]
            ahead = np.exp(matrix[a, b]) / sum(np.exp(matrix[a, c]) for c in range(9) if c != a)
            back = np.exp(matrix[a, b]) / sum(np.exp(matrix[c, b]) for c in range(9) if c != b)
            assert weights[i, j] == pytest.approx(0.0 if i == j else np.log(ahead * back), rel=1e-5)
    places = generator.permutation(5)
    got = confidences(weights, places[:-1], places[1:])
    for one, a, b in zip(got, places[:-1], places[1:], strict=True):
        rivals = {(a, c) for c in range(5) if c != a} | {(c, b) for c in range(5) if c != b} | {(b, a)}
        assert one == pytest.approx(np.exp(weights[a, b] / 2) / sum(np.exp(weights[pair] / 2) for pair in rivals))


def test_true_places_are_by_time_else_by_one_chain_of_links_else_unknown():
    question = videos()
    for group in groups_of(question, NONE):
        np.testing.assert_array_equal(group.place, group.items - group.items.min())
    start_s = np.arange(12.0)[::-1].copy()
    start_s[11] = np.nan
    first, second, third = groups_of(question, start_s)
    np.testing.assert_array_equal(first.place, 4 - first.items)
    np.testing.assert_array_equal(second.place, 8 - second.items)
    np.testing.assert_array_equal(third.place, third.items - 9)  # one start is not known
    less = dataclasses.replace(question.split, edges=question.split.edges.take(np.arange(3)))
    first, second, _ = groups_of(dataclasses.replace(question, split=less), NONE)
    assert first.place is None
    assert second.place is None
    alone = dataclasses.replace(question.graph, parent={"a": np.array([0, 0, *[-1] * 10])})
    (group,) = groups_of(dataclasses.replace(question, graph=alone), NONE)
    assert sorted(group.items.tolist()) == [0, 1]
    assert groups_of(dataclasses.replace(question, graph=dataclasses.replace(alone, parent={})), NONE) == []


def test_links_of_groups_leave_the_graph_with_what_is_derived_from_them():
    question = videos()
    first = groups_of(question, NONE)[0]
    links = links_of(question, [first])
    np.testing.assert_array_equal(np.flatnonzero(links), np.sort(first.within))
    near = Relation("a", "near", "a")
    derived = dataclasses.replace(question.split.edges.take(question.split.train), relation=near, derived_from=(FOLLOWS,))
    visible = question.graph.with_edges({**question.graph.edges, near: derived})
    split = Split({FOLLOWS: question.split}, {}, visible)
    before = len(question.split.train)
    left = hidden(split, FOLLOWS, links)
    assert left.links[FOLLOWS].train.tolist() == [i for i in question.split.train if not links[i]]
    assert set(left.links[FOLLOWS].test) == set(question.split.test) | {i for i in question.split.train if links[i]}
    np.testing.assert_array_equal(left.links[FOLLOWS].valid, question.split.valid)
    for relation in (FOLLOWS, near):
        pairs = left.visible.edges[relation]
        assert len(pairs) == len(left.links[FOLLOWS].train) < before
        assert (question.graph.parent["a"][pairs.source] != 0).all()
    assert len(split.visible.edges[FOLLOWS]) == before
    nothing = hidden(split, FOLLOWS, np.zeros(9, bool))
    assert len(nothing.visible.edges[near]) == before


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_bridges_equal_the_best_of_all_orders_of_the_chains(seed):
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(9, 9)).astype(np.float32)
    items = generator.permutation(9)
    links = np.flatnonzero(generator.random(8) < 0.5)
    chains = Chains.of(items, items[links], items[links + 1])
    assert len(chains) == 9 - len(links)
    cuts = np.split(items, [i + 1 for i in range(8) if i not in links])
    assert {(int(one[0]), int(one[-1])) for one in cuts} == set(zip(chains.start.tolist(), chains.end.tolist(), strict=True))
    if len(cuts) > 6:
        return
    _, weights = weighed(Given(matrix), np.arange(9), np.arange(9))
    every = [
        [(int(a[-1]), int(b[0])) for a, b in itertools.pairwise(order)] for order in itertools.permutations(cuts)
    ]  # an order of chains closes no circle, and uses each end and start once
    best = max(every, key=lambda pairs: sum(weights[pair] for pair in pairs))
    found = bridged(Given(matrix), chains)
    assert list(zip(found.source.tolist(), found.target.tolist(), strict=True)) == best
    np.testing.assert_array_equal(found.score, [matrix[pair] for pair in best])


def test_links_that_branch_or_close_a_circle_make_no_chain():
    chains = Chains.of(np.array([3, 1, 2, 0]), np.array([0, 1, 1, 2]), np.array([1, 2, 3, 0]))
    assert (chains.start.tolist(), chains.end.tolist()) == ([3, 0], [3, 2])


def test_pauses_jumps_and_open_ends_are_found():
    question = videos()
    first, second, third = groups_of(question, NONE)
    matrix = 5.0 * truth_matrix(question)
    matrix[6, 7] = -5.0  # the second link of the second group
    methods = everyone(question, Given(matrix, "mmgraph"), Given(np.zeros((12, 12)), "flat"))
    gap_s = np.full(9, 0.5)
    gap_s[1] = 3.0
    (pause,) = known_gaps(first, question, methods, gap_s, 1.0, 0.5)
    assert (pause.group, pause.what, pause.source, pause.target, pause.gap_s) == ("v0", "pause", 1, 2, 3.0)
    assert pause.probability == pytest.approx(1 / (1 + np.exp(-5)))
    assert pause.abstain is False
    (jump,) = known_gaps(second, question, methods, gap_s, 1.0, 0.5)
    assert (jump.what, jump.source, jump.target, jump.abstain) == ("jump", 6, 7, True)
    assert jump.confidence < 0.5 * jump.chance == 0.5 / 6
    assert known_gaps(second, question, methods, gap_s, 1.0, 0.5, "flat") == []  # all are chance
    assert known_gaps(third, question, methods, np.full(9, np.nan), 1.0, 0.5) == []
    known = dataclasses.replace(question, split=dataclasses.replace(question.split, edges=question.split.edges))
    first, *_ = groups_of(known, NONE)
    assert open_gaps(first, known, methods) == []
    lost = dataclasses.replace(first, within=first.within[first.within != 2])
    (gap,) = open_gaps(lost, known, methods)
    assert (gap.what, gap.source, gap.target, gap.gap_s, gap.chance) == ("open", 2, 3, None, 0.5)
    assert gap.confidence > 0.9
    (flat,) = open_gaps(lost, known, methods, "flat")
    assert (flat.probability, flat.abstain, flat.confidence) == (None, None, pytest.approx(0.5))


def test_held_out_links_are_bridged_and_chance_is_one_in_the_chains():
    question = videos((2, 0, 2, 0, 2, 1, 0, 0, 0))
    methods = everyone(question, perfect(question), Given(-5.0 * truth_matrix(question), "against"))
    ours, against, chance = bridging(groups_of(question, NONE), question, methods, EvaluateSettings(bootstrap=20))
    assert (ours.n, ours.share, ours.low, ours.high) == (3, 1.0, 1.0, 1.0)
    assert against.share == 0.0
    assert (chance.method, chance.share) == (CHANCE, pytest.approx((2 / 3 + 1 / 2) / 3))
    none = videos([0] * 9)
    assert bridging(groups_of(none, NONE), none, methods, EvaluateSettings()) == []
