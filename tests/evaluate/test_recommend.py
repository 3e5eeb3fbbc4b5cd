"""Recommended lists and their metrics, beside the slow way."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.evaluate.bootstrap import interval
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations
from mmgraph.evaluate.recommend.lists import best_of, lists_of
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.evaluate.worth import worth
from mmgraph.settings import EvaluateSettings

from .made import Given, link_question, random_question, truth_matrix

FEW = EvaluateSettings(bootstrap=50, ks=(1, 3, 50))


def asked(seed=0, at=3, sources=12, targets=15, links=70):
    plain = random_question(seed, sources=sources, targets=targets, links=links)
    return RecommendQuestion(plain.graph, plain.split, plain.seed, at=at)


def random_method(question, seed=0, levels=6, name="given"):
    shape = question.count("source"), question.count("target")
    return Given(np.random.default_rng(seed).integers(levels, size=shape), name)


def slow_list(scores, known, k, drawn):
    left = [item for item in range(len(scores)) if item not in known and scores[item] > -np.inf]
    return sorted(left, key=lambda item: (-scores[item], drawn[item]))[:k]


def items_of(question, part, user):
    one = question.split.edges.take(getattr(question.split, part))
    return {int(t) for s, t in zip(one.source, one.target, strict=True) if s == user}


def slow_metrics(listed, truth, k):
    hit = [item in truth for item in listed[:k]]
    places = [place for place, one in enumerate(hit, 1) if one]
    ideal = sum(1 / math.log2(1 + place) for place in range(1, min(k, len(truth)) + 1))
    return {
        "recall": len(places) / len(truth),
        "precision": len(places) / k,
        "hr": float(bool(places)),
        "mrr": 1 / places[0] if places else 0.0,
        "ndcg": sum(1 / math.log2(1 + place) for place in places) / ideal,
        "map": sum((number / place) for number, place in enumerate(places, 1)) / min(k, len(truth)),
    }


def slow_rows(question, method, part, ks, users=None, items=None, among=None):
    """(metric -> mean over users, the lists): everything by loops over sets."""
    drawn = np.random.default_rng([question.seed, 0x71E5]).permutation(question.count("target"))
    parts = ("train",) if part == "valid" else ("train", "valid")
    found, lists = {}, {}
    for user in range(question.count("source")):
        truth = items_of(question, part, user) if users is None or user in users else set()
        truth = truth if items is None else truth & items
        if not truth:
            continue
        known = set().union(*(items_of(question, one, user) for one in parts))
        known |= set() if among is None else set(range(question.count("target"))) - among
        lists[user] = slow_list(method.matrix[user], known, max(ks), drawn)
        for k in ks:
            for name, value in slow_metrics(lists[user], truth, k).items():
                found.setdefault(f"{name}@{k}", []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}, lists


def values(rows, split="test", group=""):
    return {row.metric: row.value for row in rows if row.split == split and row.group == group}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(10, 120))
def test_metrics_are_those_of_sets_and_loops(seed, levels, links):
    question = asked(seed, links=links)
    method = random_method(question, seed, levels)
    rows, _ = evaluate_recommendations(question, [method], EvaluateSettings(bootstrap=0, ks=FEW.ks))
    for part in ("valid", "test"):
        slow, _ = slow_rows(question, method, part, (1, 3, 50))
        fast = values(rows, part)
        assert slow.keys() <= fast.keys()
        for name, value in slow.items():
            assert fast[name] == pytest.approx(value), name


def test_lists_beyond_accuracy_the_slow_way():
    question = asked(3)
    method = random_method(question, 3)
    rows, _ = evaluate_recommendations(question, [method], FEW)
    _, lists = slow_rows(question, method, "test", (3,))
    count = question.count("target")
    seen = question.visible
    popularity = [int((seen.target == item).sum()) for item in range(count)]
    active = len(set(seen.source.tolist()))
    got = values(rows)
    assert got["coverage@3"] == pytest.approx(len({item for one in lists.values() for item in one}) / count)
    means = [np.mean([popularity[item] for item in one]) for one in lists.values()]
    assert got["arp@3"] == pytest.approx(np.mean(means))
    bits = [np.mean([-math.log2((1 + popularity[item]) / (1 + active)) for item in one]) for one in lists.values()]
    assert got["novelty@3"] == pytest.approx(np.mean(bits))
    times = [sum(item in one for one in lists.values()) for item in range(count)]
    pairs = sum(abs(one - two) for one in times for two in times)
    assert got["gini@3"] == pytest.approx(pairs / (2 * count * sum(times)))  # half the relative mean difference


def test_groups_are_the_same_lists_of_some_users_and_of_some_items():
    question = asked(5, links=90)
    method = random_method(question, 5, levels=50)
    rows, _ = evaluate_recommendations(question, [method], FEW)
    links = np.bincount(question.visible.source, minlength=question.count("source"))
    cold = set(range(question.count("target"))) - set(question.visible.target.tolist())
    groups = {row.group for row in rows}
    assert {"items=cold", "items=warm", "items=cold, among the cold"} <= groups
    for group in groups - {""}:
        grouping, _, name = group.partition("=")
        asking = {}
        if grouping == "users":
            low, _, high = name.removesuffix("+").partition("-")
            low, high = (0, 0) if name == "cold" else (int(low), int(high or 10**6))
            asking = {"users": {int(user) for user in np.flatnonzero((links >= low) & (links <= high))}}
        elif name.startswith("cold"):
            asking = {"items": cold, "among": cold if "among" in name else None}
        else:
            asking = {"items": set(question.visible.target.tolist())}
        slow, _ = slow_rows(question, method, "test", (3,), **asking)
        assert values(rows, group=group) == pytest.approx(slow), group
    assert {row.candidates for row in rows if "among" in row.group} == {"cold"}
    assert {row.candidates for row in rows if "among" not in row.group} == {"kind"}


def test_an_interval_draws_users():
    question = asked(1, sources=40, links=300)
    method = random_method(question, 1)
    rows, _ = evaluate_recommendations(question, [method], EvaluateSettings(bootstrap=4000, ks=(3,)))
    (row,) = (one for one in rows if (one.split, one.metric, one.group) == ("test", "recall@3", ""))
    drawn = np.random.default_rng(0)
    users = [user for user in range(question.count("source")) if items_of(question, "test", user)]
    each = [slow_rows(question, method, "test", (3,), users={user})[0]["recall@3"] for user in users]
    low, high = interval(np.array([np.mean(drawn.choice(each, len(each))) for _ in range(4000)]), 0.95)
    assert row.n == len(users)
    assert row.low == pytest.approx(low, abs=0.03)
    assert row.high == pytest.approx(high, abs=0.03)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(1, 9), st.integers(0, 6), st.integers(1, 4))
def test_the_best_of_rows_are_those_of_sorting(seed, rows, columns, k, levels):
    generator = np.random.default_rng(seed)
    scores = generator.integers(levels, size=(rows, columns)).astype(np.float32)
    scores[generator.random(scores.shape) < 0.3] = -np.inf
    drawn, before = generator.permutation(columns), scores.copy()
    items, value = best_of(scores, k, drawn)
    np.testing.assert_array_equal(scores, before)
    for row in range(rows):
        wanted = slow_list(scores[row], set(), k, drawn)
        assert items[row].tolist() == wanted + [-1] * (min(k, columns) - len(wanted))
        assert value[row].tolist() == [*scores[row][wanted].tolist(), *[-np.inf] * (min(k, columns) - len(wanted))]


@pytest.mark.parametrize(("columns", "levels"), [(1000, 4), (1003, 900), (1003, 10**6)])
def test_many_columns_are_looked_at_in_groups(columns, levels):
    generator = np.random.default_rng(columns)
    scores = generator.integers(levels, size=(5, columns)).astype(np.float32)
    scores[generator.random(scores.shape) < 0.1] = -np.inf
    scores[4, 3:] = -np.inf
    drawn = generator.permutation(columns)
    items, _ = best_of(scores, 6, drawn)
    for row in range(5):
        wanted = slow_list(scores[row], set(), 6, drawn)
        assert items[row].tolist() == wanted + [-1] * (6 - len(wanted))


def test_the_methods_own_scores_stay_as_they_are():
    question = asked(2, sources=30, links=150)
    table = random_method(question, 2).scores(np.arange(30), "target").copy()
    method, before = Given(table), table.copy()
    users = np.arange(30)
    free = lists_of(method, question, users, question.split.train, 4)
    table.flags.writeable = False
    np.testing.assert_array_equal(lists_of(method, question, users, question.split.train, 4).items, free.items)
    np.testing.assert_array_equal(table, before)


def test_blocks_change_nothing_and_known_items_are_left_out():
    question = asked(2, sources=30, links=150)
    method = random_method(question, 2)
    users, known = np.arange(30), question.split.train
    whole = lists_of(method, question, users, known, 4)
    done = []
    again = lists_of(method, question, users, known, 4, cells=45, done=done.append)
    np.testing.assert_array_equal(whole.items, again.items)
    assert sum(done) == 30 and len(done) == 10
    for user in range(30):
        assert not set(whole.items[user].tolist()) & items_of(question, "train", user)


def test_the_truth_itself_is_perfect_and_its_opposite_is_not():
    question = asked(4, at=15)
    perfect = Given(truth_matrix(question), "perfect")
    rows, verdict = evaluate_recommendations(question, [Given(truth_matrix(question), OURS), random_method(question)], FEW)
    got = {row.metric: row.value for row in rows if row.method == OURS and row.split == "test" and not row.group}
    assert got["ndcg@15"] == got["recall@15"] == got["hr@15"] == got["mrr@15"] == got["map@15"] == 1.0
    assert verdict.metric == "ndcg@15" and verdict.difference > 0
    assert "NDCG@15" in verdict.text
    worse, _ = evaluate_recommendations(question, [Given(-perfect.matrix)], FEW)
    assert values(worse)["recall@3"] < 0.1


def test_nothing_held_out_gives_no_rows():
    plain = link_question(random_question().relation, {"a": 3, "b": 2}, [(0, 0), (1, 1)], [0, 0])
    question = RecommendQuestion(plain.graph, plain.split, plain.seed)
    rows, verdict = evaluate_recommendations(question, [random_method(question)], FEW)
    assert rows == []
    assert "nothing can be said" in verdict.text


def test_what_chooses_is_the_ndcg_of_each_user():
    question = asked(6, links=90)
    method = random_method(question, 6)
    edges = question.split.valid
    got = worth(method, question, edges)
    drawn = np.random.default_rng([question.seed, 0x71E5]).permutation(question.count("target"))
    for place, user in enumerate(question.split.edges.source[edges]):
        listed = slow_list(method.matrix[user], items_of(question, "train", user), 3, drawn)
        assert got[place] == pytest.approx(slow_metrics(listed, items_of(question, "valid", user), 3)["ndcg"])
    judged = question.judged(edges)
    assert sorted(question.units(edges[judged]).tolist()) == sorted(set(question.units(edges).tolist()))


def test_a_combination_of_two_halves_beats_either_for_users():
    question = asked(7, sources=60, targets=40, links=900, at=5)
    generator, truth = np.random.default_rng(7), truth_matrix(question)
    noise = [truth + generator.normal(size=truth.shape).astype(np.float32) for _ in range(2)]
    methods = [Given(noise[0], "one"), Given(noise[1], "two")]
    ours, report = combine_links(question, methods, FEW, 7)
    assert report.metric == "ndcg@5" and report.chosen == "combination"
    assert report.n == len(np.unique(question.units(question.split.valid)))
    rows, _ = evaluate_recommendations(question, [ours, *methods], FEW)
    got = {row.method: row.value for row in rows if (row.split, row.metric, row.group) == ("test", "ndcg@5", "")}
    assert got[OURS] > max(got["one"], got["two"])


def test_it_is_told_what_each_adds_to_ease():
    question = asked(8, sources=60, targets=40, links=900, at=5)
    generator, truth = np.random.default_rng(8), truth_matrix(question)
    made = {name: truth + generator.normal(size=truth.shape).astype(np.float32) for name in ("two", "ease")}
    methods = [Given(made["two"], "two"), Given(generator.normal(size=truth.shape), "noise"), Given(made["ease"], "ease")]
    _, report = combine_links(question, methods, FEW, 7)
    added = {piece.name: piece.added for piece in report.pieces}
    assert report.base == "ease" and added["ease"] is None
    for one in methods[:2]:
        _, pair = combine_links(question, [one, methods[2]], FEW, 7)
        assert added[one.name] == pytest.approx((pair.combination - pair.pieces[1].value, added[one.name][1]))
    assert added["two"][0] > added["two"][1] > 0
    assert f"; to ease alone add, on validation: two {added['two'][0]:+.3f} (± {added['two'][1]:.3f})" in report.carried
    assert added["noise"][0] <= added["noise"][1] and report.carried.endswith("; noise nothing that can be told")
    _, without = combine_links(question, methods[:2], FEW, 7)
    assert without.base is None and "to ease" not in without.carried


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_lists_are_combined_by_the_order_alone(seed):
    question = asked(seed, sources=40, targets=30, links=500, at=5)
    generator, truth = np.random.default_rng(seed), truth_matrix(question)
    given_scores = [truth + generator.normal(size=truth.shape).astype(np.float32) for _ in range(2)]
    reports = []
    for stretch in (lambda x: x, lambda x: np.exp(3 * x)):  # the same order, other gaps
        methods = [Given(stretch(one), name) for name, one in zip(("one", "two"), given_scores, strict=True)]
        reports.append(combine_links(question, methods, FEW, 7)[1])
    weights = [[piece.weights for piece in one.pieces] for one in reports]
    for one, other in zip(*weights, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)
        assert set(one) == {"gap/target", "order/target"} and one["gap/target"] == 0.0
