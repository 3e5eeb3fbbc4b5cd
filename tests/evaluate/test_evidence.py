import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import logsumexp

from mmgraph.evaluate import evidence, fusion
from mmgraph.evaluate.contract import Direction
from mmgraph.evaluate.evidence import COMBINATION, combine_labels, combine_links
from mmgraph.evaluate.pool import Pool, fit_pool
from mmgraph.evaluate.ranking import DIRECTIONS, ranks
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Relation

from .made import Given, label_question, link_question, random_question, truth_matrix

SETTINGS = EvaluateSettings()
RELATION = Relation("a", "r", "b")


def made(seed=0, size=60, links=240):
    """Links where two hidden numbers agree; one method sees each of them."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(size, size)), generator.normal(size=(size, size))
    order = np.argsort((first + second).ravel() + 0.3 * generator.normal(size=size * size))[::-1][:links]
    pairs = np.stack(np.unravel_index(generator.permutation(order), (size, size)), axis=1)
    question = link_question(RELATION, {"a": size, "b": size}, pairs, np.arange(links) % 3)
    noise = generator.normal(size=(size, size))
    return question, {"gnn": Given(first, "gnn"), "second": Given(100 * second, "second"), "noise": Given(noise, "noise")}


def mrr(method, question, edges):
    return np.mean([1 / ranks(method, question, edges, d).rank for d in DIRECTIONS])


def test_two_pieces_that_complete_each_other_are_combined_and_noise_gets_nothing():
    question, pieces = made()
    method, report = combine_links(question, list(pieces.values()), SETTINGS, seed=7)
    assert method.name == "mmgraph"
    assert report.chosen == COMBINATION
    test = question.split.test
    assert mrr(method, question, test) > max(mrr(piece, question, test) for piece in pieces.values()) + 0.1
    sums = {piece.name: sum(piece.weights.values()) for piece in report.pieces}
    assert sums["noise"] < 0.15 * min(sums["gnn"], sums["second"])
    assert all(weight >= 0 for piece in report.pieces for weight in piece.weights.values())
    assert report.combination > max(piece.value for piece in report.pieces)
    assert "combination is handed out" in report.text


def test_a_good_method_is_handed_out_as_it_is_where_the_rest_is_noise():
    chosen = []
    for seed in range(6):
        question, pieces = made(seed)
        generator = np.random.default_rng(1000 + seed)
        good = Given(pieces["gnn"].matrix, "good")
        noise = [Given(generator.normal(size=(60, 60)), f"noise{i}") for i in range(3)]
        method, report = combine_links(question, [noise[0], good, *noise[1:]], SETTINGS, seed=seed)
        assert method.name == "mmgraph"
        assert mrr(method, question, question.split.test) > mrr(good, question, question.split.test) - 0.03
        chosen.append(report.chosen)
        if report.chosen == "good":
            np.testing.assert_array_equal(method.scores(np.arange(5), "source"), good.scores(np.arange(5), "source"))
    assert set(chosen) <= {"good", COMBINATION}
    assert chosen.count("good") >= 4


@pytest.mark.parametrize("seed", range(6))
def test_what_is_worse_on_validation_is_never_handed_out(seed):
    question = random_question(seed, links=100)
    generator = np.random.default_rng(seed)
    methods = [Given(generator.normal(size=(12, 15)), name) for name in ("gnn", "second", "third")]
    _, report = combine_links(question, methods, SETTINGS, seed=seed)
    best = max(report.pieces, key=lambda piece: piece.value)
    if report.chosen == COMBINATION:
        assert report.difference > report.error >= 0
        assert report.combination > best.value
    else:
        assert report.chosen == best.name


def values_of(report):
    return {piece.name: piece.value for piece in report.pieces}


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100_000), strength=st.sampled_from([0.0, 0.5, 2.0]), same=st.booleans())
def test_what_is_handed_out_is_never_worse_on_validation_than_any_method_alone(seed, strength, same):
    """Links and methods at random, of which some know a little."""
    question = random_question(seed, same, sources=20, targets=20, links=120)
    generator = np.random.default_rng(seed)
    truth = strength * truth_matrix(question)
    methods = [Given(generator.normal(size=truth.shape) + generator.random() * truth, name) for name in ("gnn", "a", "b")]
    handed, report = combine_links(question, methods, EvaluateSettings(block=7), seed=seed)
    assert report.value >= max(values_of(report).values())
    assert handed.name == "mmgraph"
    valid, known = question.split.valid, np.concatenate((question.split.train, question.split.valid))
    for method in methods:
        slow = np.mean([1 / ranks(method, question, valid, d, known=known).rank for d in DIRECTIONS])
        assert values_of(report)[method.name] == pytest.approx(slow)
        assert report.value >= slow - 1e-12


def slow_cross(stack, truth, fold):
    """(right, log-likelihood) of every item by a pool of the items of other folds, item by item."""
    right, likelihood = [], []
    for item, number in enumerate(fold):
        others = fold != number
        p = fit_pool(stack[:, others], truth[others]).of(stack[:, [item]])[0]
        right.append(float(p.argmax() == truth[item]))
        likelihood.append(np.log(p[truth[item]]))
    return np.array(right), np.array(likelihood)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 100_000), right=st.sampled_from([0.3, 0.6, 0.9]))
def test_labels_are_pooled_where_it_is_likelier_and_not_less_accurate_by_more_than_a_standard_error(seed, right):
    question = label_question(seed, items=150, valid=60)
    generator, truth = np.random.default_rng(seed), question.split.labels.values
    pieces = {name: soft(truth, 3, 0.7, generator, right * generator.random()) for name in ("gnn", "a", "b")}
    _, report = combine_labels(question, pieces, seed=seed)
    valid, best = question.split.valid, max(accuracy(p, question, question.split.valid) for p in pieces.values())
    stack, fold = np.stack(list(pieces.values()))[:, valid], evidence.folds(evidence.groups_of(question, valid), seed)
    pooled, likelihood = slow_cross(stack, truth[valid], fold)
    alone = {name: slow_cross(p[None, valid], truth[valid], fold)[1] for name, p in pieces.items()}
    name = max(pieces, key=lambda one: (accuracy(pieces[one], question, valid), alone[one].mean()))
    apart = pooled - (pieces[name][valid].argmax(1) == truth[valid])
    error = apart.std(ddof=1) / np.sqrt(len(valid))
    likelier = (likelihood - alone[name]).mean() > 1e-4
    assert report.chosen == (COMBINATION if likelier and apart.mean() >= -error else name)
    assert report.value >= best - error - 1e-12


def slow_without(question, methods, left_out, seed):
    """Fit and rank the other methods alone, fold by fold, with the same sample of candidates."""
    valid = evidence.used_of_validation(question, seed)
    fold = evidence.folds(question.units(valid), seed)
    samples, context = evidence._samples(question, methods, valid, seed)
    kept = [i for i in range(2 * len(methods)) if i // 2 != left_out]
    places = [i for i in range(len(methods)) if i != left_out]
    smaller = dataclasses.replace(
        context,
        methods=[methods[i] for i in places],
        deviation={d: one[places] for d, one in context.deviation.items()},
    )
    reciprocal, known = np.zeros(len(valid)), np.concatenate((question.split.train, question.split.valid))
    for number in range(evidence.FOLDS):
        held = fold == number
        others = {}
        for d, one in samples.items():
            part = one.of_edges(valid[~held])
            others[d] = dataclasses.replace(part, x=np.ascontiguousarray(part.x[:, :, kept]))
        weights = dict.fromkeys(others, fusion.fit(list(others.values())))
        method = fusion.Combined(smaller, weights)
        reciprocal[held] = np.mean([1 / ranks(method, question, valid[held], d, known=known).rank for d in DIRECTIONS], axis=0)
    return reciprocal.mean()


def test_what_each_piece_is_worth_the_slow_way():
    question, pieces = made()
    methods = list(pieces.values())
    _, report = combine_links(question, methods, SETTINGS, seed=7)
    for place, piece in enumerate(report.pieces):
        wanted = slow_without(question, methods, place, 7) if any(piece.weights.values()) else report.combination
        assert piece.without == pytest.approx(wanted, abs=2e-3)
    drops = {piece.name: report.combination - piece.without for piece in report.pieces}
    assert drops["gnn"] > 0.1 and drops["second"] > 0.1 > abs(drops["noise"])
    assert report.carrier.name == max(drops, key=drops.__getitem__)
    assert report.carried.startswith(f"carried by {report.carrier.name}: of the combination's mrr on validation, 0.")
    assert f"{report.carrier.without:.3f} is left without it" in report.carried


def test_what_each_piece_is_worth_on_a_sample_of_many_links(monkeypatch):
    question, pieces = made(links=600)
    whole = combine_links(question, list(pieces.values()), SETTINGS, seed=7)[1]
    monkeypatch.setattr(evidence, "MOST_ABLATED", 100)
    part = combine_links(question, list(pieces.values()), SETTINGS, seed=7)[1]
    assert part.combination == whole.combination
    for one, other in zip(part.pieces, whole.pieces, strict=True):
        assert one.without == pytest.approx(other.without, abs=0.06)
    assert part.pieces[0].without != whole.pieces[0].without


def test_what_carries_a_single_method_is_itself():
    question, pieces = made()
    _, report = combine_links(question, [pieces["gnn"]], SETTINGS, seed=7)
    assert (report.carrier, report.carried) == (None, "validation chose gnn alone")
    none = dataclasses.replace(question, split=dataclasses.replace(question.split, valid=np.zeros(0, np.int64)))
    _, report = combine_links(none, list(pieces.values()), SETTINGS, seed=7)
    assert report.carried == "nothing to choose on, so it is gnn alone"
    assert all(piece.without is None for piece in report.pieces)


def test_labels_say_what_each_piece_is_worth():
    question = label_question(0, items=900, classes=4, valid=300)
    generator, truth = np.random.default_rng(0), question.split.labels.values
    pieces = {name: soft(truth, 4, 0.7, generator, right) for name, right in (("gnn", 0.4), ("a", 0.7), ("b", 0.5))}
    _, report = combine_labels(question, pieces, seed=7)
    assert report.chosen == COMBINATION
    for piece in report.pieces:
        others = {name: p for name, p in pieces.items() if name != piece.name}
        assert piece.without == combine_labels(question, others, seed=7)[1].combination
    assert report.carrier.name == "a"


def test_test_links_change_nothing():
    question, pieces = made()
    edges = question.split.edges
    source = edges.source.copy()
    source[question.split.test] = (source[question.split.test] + 1) % 60
    other = dataclasses.replace(
        question, split=dataclasses.replace(question.split, edges=dataclasses.replace(edges, source=source))
    )
    results = [combine_links(q, list(pieces.values()), SETTINGS, seed=7) for q in (question, question, other)]
    for method, report in results[1:]:
        assert report == results[0][1]
        np.testing.assert_array_equal(method.scores(np.arange(60), "target"), results[0][0].scores(np.arange(60), "target"))


def test_few_validation_links_choose_among_the_single_ones_and_none_gives_the_gnn():
    question, pieces = made()
    better = [Given(pieces["noise"].matrix, "gnn"), Given(truth_matrix(question), "second")]
    few = dataclasses.replace(question, split=dataclasses.replace(question.split, valid=question.split.valid[:19]))
    method, report = combine_links(few, better, SETTINGS, seed=7)
    assert (report.chosen, report.combination, report.n) == ("second", None, 19)
    assert method.name == "mmgraph"
    assert "too few to fit a combination" in report.text
    none = dataclasses.replace(question, split=dataclasses.replace(question.split, valid=np.zeros(0, np.int64)))
    method, report = combine_links(none, better, SETTINGS, seed=7)
    assert (report.chosen, report.n) == ("gnn", 0)
    assert "no validation data" in report.text
    np.testing.assert_array_equal(method.scores(np.array([3]), "target"), better[0].scores(np.array([3]), "target"))


def test_many_candidates_take_a_sample_of_validation(monkeypatch):
    question, pieces = made()
    monkeypatch.setattr(evidence, "MOST_LINKS", (30, 40))
    monkeypatch.setattr(evidence, "_CELLS", 35 * 60)
    assert len(evidence.used_of_validation(question, seed=7)) == 35
    monkeypatch.setattr(evidence, "_CELLS", 1)
    _, report = combine_links(question, list(pieces.values()), SETTINGS, seed=7)
    assert (report.n, report.chosen) == (30, COMBINATION)


def test_one_method_alone():
    question, pieces = made()
    method, report = combine_links(question, [pieces["gnn"]], SETTINGS, seed=7)
    assert (method.name, report.chosen) == ("mmgraph", "gnn")


def test_constant_methods_and_one_candidate():
    pairs = [(i, 0) for i in range(60)]
    question = link_question(RELATION, {"a": 60, "b": 1}, pairs, np.arange(60) % 2)
    methods = [Given(np.zeros((60, 1)), "gnn"), Given(np.ones((60, 1)), "second")]
    method, report = combine_links(question, methods, SETTINGS, seed=7)
    assert report.chosen == "gnn"
    assert np.isfinite(method.scores(np.arange(60), "target")).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.integers(1, 8), columns=st.integers(1, 12))
def test_order_the_slow_way(seed, levels, columns):
    generator = np.random.default_rng(seed)
    scores = generator.integers(levels, size=(3, columns)).astype(np.float32)
    counted = generator.random((3, columns)) < 0.7
    got = fusion.order(scores, counted)
    for row in range(3):
        for c in range(columns):
            others = [o for o in range(columns) if o != c and counted[row, o]]
            better = sum(scores[row, o] > scores[row, c] for o in others)
            equal = sum(scores[row, o] == scores[row, c] for o in others)
            assert got[row, c] == pytest.approx(-np.log(1 + better + equal / 2), abs=1e-6)


def test_order_in_parts_is_the_same(monkeypatch):
    scores = np.random.default_rng(0).integers(5, size=(7, 6)).astype(np.float32)
    whole = fusion.order(scores, scores >= 0)
    monkeypatch.setattr(fusion, "_SORTED_CELLS", 13)
    np.testing.assert_array_equal(fusion.order(scores, scores >= 0), whole)
    assert fusion.order(np.zeros((3, 0), np.float32), np.zeros((3, 0), bool)).shape == (3, 0)


def samples_of(question, methods, seed=0):
    valid = question.split.valid
    known = question.split.edges.take(np.concatenate((question.split.train, valid)))
    context = fusion.Context.of(question, methods, dict.fromkeys(DIRECTIONS, valid))
    generator = np.random.default_rng(seed)
    return context, {d: fusion.sample(context, question, valid, d, known, generator) for d in DIRECTIONS}


def test_combined_scores_are_the_weighted_features():
    question, pieces = made()
    context, _ = samples_of(question, list(pieces.values()))
    directions: tuple[Direction, ...] = DIRECTIONS
    weights = {d: np.array([0.5, 0.0, 0.0, 2.0, 0.0, 0.0]) for d in directions}
    combined = fusion.Combined(context, weights)
    queries = np.array([4, 9])
    x = context.features(queries, "target")
    np.testing.assert_allclose(combined.scores(queries, "target"), x @ weights["target"], rtol=1e-5, atol=1e-5)
    assert combined.pieces == ("gnn", "second")
    parts = combined.parts(queries, "target")
    for place, part in enumerate(parts):
        np.testing.assert_array_equal(part.given, list(pieces.values())[place].matrix[queries])
        share = x[:, :, 2 * place : 2 * place + 2] @ weights["target"][2 * place : 2 * place + 2]
        np.testing.assert_allclose(part.share, share, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(sum(part.share for part in parts), combined.scores(queries, "target"))


def test_visible_links_do_not_count_in_features():
    question, pieces = made()
    context, _ = samples_of(question, [pieces["gnn"]])
    loud = pieces["gnn"].matrix.copy()
    train = question.split.edges.take(question.split.train)
    loud[train.source, train.target] = 1e6
    loudly = dataclasses.replace(context, methods=[Given(loud)])
    counted = context.counted(np.arange(60), "target")
    assert (~counted).sum() == len(train)
    before, after = context.features(np.arange(60), "target"), loudly.features(np.arange(60), "target")
    np.testing.assert_allclose(before[counted], after[counted], rtol=1e-5)


def test_fit_is_the_minimum_of_the_penalised_likelihood():
    question, pieces = made()
    _, samples = samples_of(question, list(pieces.values()))
    both = list(samples.values())
    weights = fusion.fit(both)

    def loss(w):
        value = 0.5 * w @ w
        for one in both:
            logits = one.x.astype(float) @ w + one.offset
            value += (logsumexp(logits, axis=1) - logits[np.arange(len(logits)), one.truth]).sum()
        return value / sum(len(one.truth) for one in both)

    slope = approx_fprime(weights, loss, 1e-6)
    assert (np.abs(slope[weights > 1e-6]) < 1e-3).all()
    assert (slope[weights <= 1e-6] > -1e-3).all()


def test_sampled_candidates_stand_for_all(monkeypatch):
    question, pieces = made(links=600)
    methods = [pieces["gnn"], pieces["second"]]
    _, everything = samples_of(question, methods)
    monkeypatch.setattr(fusion, "KEPT", 32)
    _, sampled = samples_of(question, methods)
    assert sampled["target"].x.shape[1] == 32
    valid = question.split.edges.take(question.split.valid)
    weights = np.array([0.5, 1.0, 0.5, 1.0])
    for direction in DIRECTIONS:
        full, part = everything[direction], sampled[direction]
        each = np.arange(len(valid))
        np.testing.assert_allclose(part.x[each, part.truth], full.x[each, full.truth])
        assert (part.offset[each, part.truth] == 0).all()
        sums = [logsumexp(one.x @ weights + one.offset, axis=1) for one in (full, part)]
        assert np.mean(sums[0]) == pytest.approx(np.mean(sums[1]), abs=0.02)
    np.testing.assert_allclose(fusion.fit(list(sampled.values())), fusion.fit(list(everything.values())), atol=0.25)


def test_folds_are_even_and_keep_groups_together():
    groups = np.repeat(np.arange(10), 3)
    fold = evidence.folds(groups, seed=1)
    assert np.bincount(fold).tolist() == [6] * 5
    assert all(len(set(fold[groups == g])) == 1 for g in range(10))
    np.testing.assert_array_equal(fold, evidence.folds(groups, seed=1))
    assert np.bincount(evidence.folds(np.full(30, 4), seed=1)).tolist() == [6] * 5  # nobody else could judge


def test_of_one_group_alone_weights_are_judged_by_items():
    """The validation items of one speaker: pieces that err independently are pooled by weights that other items of theirs gave."""
    question = label_question(0, items=900, classes=4, valid=300, groups=1)
    generator, truth = np.random.default_rng(0), question.split.labels.values
    pieces = {name: soft(truth, 4, 0.7, generator, 0.6) for name in ("gnn", "second", "third")}
    pieces["noise"] = generator.dirichlet(np.full(4, 0.1), 900).astype(np.float32)  # sure, and says nothing
    pooled, report = combine_labels(question, pieces, seed=7)
    assert report.chosen == COMBINATION
    test = question.split.test
    assert accuracy(pooled, question, test) > max(accuracy(p, question, test) for p in pieces.values()) + 0.05
    valid, fold = question.split.valid, evidence.folds(np.zeros(300, int), seed=7)
    stack, right = np.stack(list(pieces.values())), 0
    for number in range(evidence.FOLDS):
        held = valid[fold == number]
        pool = fit_pool(stack[:, valid[fold != number]], truth[valid[fold != number]])
        right += (pool.of(stack[:, held]).argmax(1) == truth[held]).sum()
    assert report.combination == pytest.approx(right / 300)


def soft(values, classes, sure, generator, right):
    """Probabilities that are right with probability ``right``."""
    called = np.where(generator.random(len(values)) < right, values, generator.integers(classes, size=len(values)))
    p = np.full((len(values), classes), (1 - sure) / (classes - 1), np.float32)
    p[np.arange(len(values)), called] = sure
    return p


def accuracy(p, question, items):
    return (p[items].argmax(1) == question.split.labels.values[items]).mean()


def test_labels_of_pieces_that_err_independently_are_pooled():
    question = label_question(0, items=900, classes=4, valid=300)
    generator, truth = np.random.default_rng(0), question.split.labels.values
    pieces = {name: soft(truth, 4, 0.7, generator, 0.6) for name in ("gnn", "second", "third")}
    pieces["noise"] = generator.dirichlet(np.ones(4), 900).astype(np.float32)
    before = {name: p.copy() for name, p in pieces.items()}
    pooled, report = combine_labels(question, pieces, seed=7)
    assert report.chosen == COMBINATION
    test = question.split.test
    assert accuracy(pooled, question, test) > max(accuracy(p, question, test) for p in pieces.values()) + 0.05
    weights = {piece.name: piece.weights["log"] for piece in report.pieces}
    assert weights["noise"] < 0.15 * weights["gnn"]
    np.testing.assert_allclose(pooled.sum(1), 1.0, atol=1e-5)
    for name, p in pieces.items():
        np.testing.assert_array_equal(p, before[name])


def test_a_single_good_piece_is_handed_out_with_its_temperature_mended():
    question = label_question(0, items=900, classes=4, valid=300)
    generator, truth = np.random.default_rng(0), question.split.labels.values
    pieces = {"gnn": generator.dirichlet(np.ones(4), 900).astype(np.float32), "sure": soft(truth, 4, 0.999, generator, 0.6)}
    made, report = combine_labels(question, pieces, seed=7)
    assert report.chosen == "sure"
    np.testing.assert_array_equal(made.argmax(1), pieces["sure"].argmax(1))
    assert made.max(1).mean() == pytest.approx(0.7, abs=0.07)


def test_labels_with_few_or_no_validation():
    question = label_question(0, valid=19)
    truth = question.split.labels.values
    pieces = {"gnn": np.full((60, 3), 1 / 3, np.float32), "second": np.eye(3, dtype=np.float32)[truth]}
    made, report = combine_labels(question, pieces, seed=7)
    assert (report.chosen, report.combination) == ("second", None)
    np.testing.assert_array_equal(made, pieces["second"])
    made, report = combine_labels(label_question(0, valid=0), pieces, seed=7)
    assert (report.chosen, report.n) == ("gnn", 0)
    np.testing.assert_array_equal(made, pieces["gnn"])


def test_labels_of_one_group_alone():
    question = label_question(0, groups=1)
    truth = question.split.labels.values
    pieces = {"gnn": np.full((60, 3), 1 / 3, np.float32), "second": np.eye(3, dtype=np.float32)[truth]}
    _, report = combine_labels(question, pieces, seed=7)
    assert report.chosen == "second"


def test_pool_weights_are_the_penalised_maximum():
    question = label_question(0, items=200, valid=100)
    generator, truth = np.random.default_rng(0), question.split.labels.values
    stack = np.stack([soft(truth, 3, 0.8, generator, 0.7), soft(truth, 3, 0.9, generator, 0.4)])
    pool = fit_pool(stack, truth)

    def loss(w):
        p = Pool(w).of(stack).astype(float)
        return -np.log(p[np.arange(200), truth]).sum() + 0.5 * w @ w / 9

    best = loss(pool.weights)
    for step in np.eye(2) * 0.05:
        assert loss(pool.weights + step) > best
        assert loss(np.maximum(pool.weights - step, 0)) > best
