"""Ratings: baselines, combination and metrics beside slow, obvious recomputations."""

import numpy as np
import pytest
import scipy.sparse
from scipy.stats import norm

from mmgraph.evaluate.baselines.links.item_knn import nearest_columns
from mmgraph.evaluate.baselines.ratings.biases import Biases
from mmgraph.evaluate.baselines.ratings.factors import Factors, factorised, solved
from mmgraph.evaluate.baselines.ratings.global_mean import GlobalMean
from mmgraph.evaluate.baselines.ratings.rated_knn import RatedKNN, first_of
from mmgraph.evaluate.evaluate import baseline_names
from mmgraph.evaluate.ratings.bias import fitted_biases
from mmgraph.evaluate.ratings.combine import Renamed, Stacked, Weights, combine_ratings, mean_of_users
from mmgraph.evaluate.ratings.contract import RatingMethod
from mmgraph.evaluate.ratings.evaluate import COVERAGE, evaluate_ratings, fit_rating_baselines
from mmgraph.evaluate.ratings.spread import Spread, around
from mmgraph.graph.contract import Edges, Graph
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import LinkSplit
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.types import Relation

RATED = Relation("user", "rated", "movie")
QUICK = EvaluateSettings(bootstrap=100)


def question(users=30, items=20, share=0.5, taste=0.0, seed=0, whole=True):
    """Ratings 1 to 5 that are biases, two tastes and noise; the last user is not seen in train."""
    rng = np.random.default_rng(seed)
    source, target = np.nonzero(rng.random((users, items)) < share)
    kind, good = rng.normal(0, 0.7, users), rng.normal(0, 0.7, items)
    liked = np.where(source % 2 == target % 2, taste, -taste)
    value = 3 + kind[source] + good[target] + liked + rng.normal(0, 0.3, len(source))
    value = np.clip(np.round(value) if whole else value, 1, 5).astype(np.float32)
    part = rng.choice(3, len(source), p=[0.6, 0.2, 0.2])
    part[source == users - 1] = 2
    train, valid, test = (np.flatnonzero(part == one) for one in range(3))
    edges = Edges(RATED, source, target, weight=value)
    ids = {"user": np.array([f"u{i}" for i in range(users)]), "movie": np.array([f"m{i}" for i in range(items)])}
    return RatingQuestion(Graph(ids, {RATED: edges.take(train)}), LinkSplit(edges, train, valid, test), (1.0, 5.0))


class Fixed(RatingMethod):
    def __init__(self, name, table):
        self.name, self._table = name, table

    def ratings(self, source, target):
        return self._table[source, target].astype(np.float32)


def test_biases_are_those_of_a_dense_ridge_regression():
    seen = question(whole=False).train
    bias = fitted_biases(seen, 3.0)
    columns = np.zeros((len(seen), sum(seen.shape)))
    columns[np.arange(len(seen)), seen.source] = columns[np.arange(len(seen)), seen.shape[0] + seen.target] = 1
    exact = np.linalg.solve(columns.T @ columns + 3.0 * np.eye(columns.shape[1]), columns.T @ (seen.value - seen.value.mean()))
    np.testing.assert_allclose(np.concatenate([bias.source, bias.target]), exact, atol=1e-5)
    assert bias.source[-1] == 0  # nothing is known of the last user
    assert bias.of(np.array([2]), np.array([3]))[0] == pytest.approx(seen.value.mean() + exact[2] + exact[30 + 3], abs=1e-5)


def test_factors_solve_each_row_as_a_ridge_regression():
    rng = np.random.default_rng(1)
    table = rng.random((7, 9)) * (rng.random((7, 9)) < 0.5)
    table[3] = 0
    x = scipy.sparse.csr_matrix(table.astype(np.float32))
    others, there = rng.normal(size=(9, 4)), x.copy()
    there.data = np.ones_like(x.data)
    found = solved(x, there, others, 0.2)
    for row in range(7):
        own = np.flatnonzero(x[row].toarray()[0])
        part, count = others[own], max(len(own), 1)
        wanted = np.linalg.solve(part.T @ part + 0.2 * count * np.eye(4), part.T @ x[row].toarray()[0, own])
        np.testing.assert_allclose(found[row], wanted, atol=1e-6)
    assert not found[3].any()


def test_factors_find_a_table_of_low_rank():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 30))
    seen = np.where(rng.random(table.shape) < 0.5, table, 0)
    rows, columns = factorised(scipy.sparse.csr_matrix(seen.astype(np.float32)), 2, 1e-3, 30, 0)
    assert np.abs(rows @ columns.T - table)[seen == 0].mean() < 0.1 * np.abs(table).mean()


def test_neighbours_are_those_of_a_plain_loop():
    asked = question(taste=1.0)
    (method,) = RatedKNN(ks=(4,), shrinkages=(2.0,)).fit(asked)
    seen, bias = asked.train, fitted_biases(asked.train, 5.0)
    rest = np.zeros(seen.shape)
    rest[seen.source, seen.target] = seen.value - bias.of(seen.source, seen.target)
    rated, length = rest != 0, np.linalg.norm(rest, axis=0)
    cosine = rest.T @ rest / (length[:, None] * length[None] + 2.0)
    np.fill_diagonal(cosine, -np.inf)
    cosine[~((rated.T.astype(int) @ rated.astype(int)) > 0)] = -np.inf
    for user, item in [(0, 1), (3, 3), (5, 12), (29, 0)]:
        near = np.argsort(-cosine[item], kind="stable")[:4]
        near = [j for j in near if rated[user, j] and cosine[item, j] > 0]
        expected = bias.of(np.array([user]), np.array([item]))[0]
        if near:
            expected += sum(cosine[item, j] * rest[user, j] for j in near) / sum(cosine[item, j] for j in near)
        assert method.ratings(np.array([user]), np.array([item]))[0] == pytest.approx(expected, abs=1e-4)


def test_fewer_neighbours_are_the_first_of_more():
    seen = question(taste=1.0).train
    x = seen.matrix(seen.value - 3.2)
    for k in (1, 4):
        few = nearest_columns(x, k, 2.0)
        np.testing.assert_array_equal(first_of(nearest_columns(x, 9, 2.0), k).toarray(), few.toarray())


def test_each_baseline_beats_the_one_before_where_there_are_tastes():
    asked = question(users=60, items=40, taste=0.8, seed=3)
    valid = asked.valid
    made = [*GlobalMean().fit(asked), *Biases().fit(asked), *RatedKNN().fit(asked), *Factors().fit(asked)]
    errors = {
        one.name: np.sqrt(((asked.clipped(one.ratings(valid.source, valid.target)) - valid.value) ** 2).mean()) for one in made
    }
    assert errors["global_mean"] > errors["biases"] + 0.1
    assert errors["biases"] > max(errors["rated_knn"], errors["factors"]) + 0.1
    stacked = Stacked(asked, made, Weights(0.3, np.array([0.1, 0.2, 0.3, 0.4])))
    for one in (*made, stacked, Renamed(made[2])):  # a table is what its pairs are
        pairs = one.ratings(np.repeat([3, 59], 40), np.tile(np.arange(40), 2)).reshape(2, 40)
        np.testing.assert_allclose(one.table(np.array([3, 59]), 40), pairs, rtol=1e-4, atol=1e-4)
    again = Factors().fit(asked)[0].ratings(valid.source, valid.target)
    np.testing.assert_array_equal(made[3].ratings(valid.source, valid.target), again)


def test_rows_are_those_of_a_slow_recomputation():
    asked = question(seed=5)
    methods = [*GlobalMean().fit(asked), *Biases().fit(asked)]
    rows, told = evaluate_ratings(asked, [Fixed("mmgraph", np.full((30, 20), 3.4)), *methods], QUICK)
    found = {(row.split, row.method, row.metric): row for row in rows if not row.group}
    test, valid, train = (asked.ratings(getattr(asked.split, name)) for name in ("test", "valid", "train"))
    expected = np.clip(methods[1].ratings(test.source, test.target), 1, 5).astype(float)
    apart = expected - test.value
    assert found["test", "biases", "rmse"].value == pytest.approx(np.sqrt(np.mean(apart**2)))
    assert found["test", "biases", "mae"].value == pytest.approx(np.mean(np.abs(apart)))
    far = np.mean((test.value - train.value.mean()) ** 2)
    assert found["test", "biases", "r2"].value == pytest.approx(1 - np.mean(apart**2) / far)
    assert found["test", "global_mean", "r2"].value == pytest.approx(0.0, abs=1e-6)
    assert found["test", "biases", "slope"].value == pytest.approx(np.polyfit(expected, test.value, 1)[0], rel=1e-6)
    assert found["test", "global_mean", "slope"].value == 0.0
    # the interval and the chances come from validation alone
    missed = np.sort(np.abs(np.clip(methods[1].ratings(valid.source, valid.target), 1, 5) - valid.value))
    half = missed[int(np.ceil((len(missed) + 1) * 0.9)) - 1]
    assert found["test", "biases", COVERAGE].value == pytest.approx(np.mean(np.abs(apart) <= half + 1e-6))
    assert ("valid", "biases", COVERAGE) not in found
    deviation, levels, right = np.sqrt(np.mean(missed**2)), [1, 2, 3, 4, 5], []
    for one, true in zip(expected, test.value, strict=True):
        cuts = norm.cdf((np.array([1.5, 2.5, 3.5, 4.5]) - one) / deviation)
        right.append(levels[int(np.argmax(np.diff([0, *cuts, 1])))] == true)
    assert found["test", "biases", "accuracy"].value == pytest.approx(np.mean(right))
    assert 0 < found["test", "biases", "ece"].value < 1
    assert found["test", "biases", "rmse"].low < found["test", "biases", "rmse"].value < found["test", "biases", "rmse"].high
    cold = [row for row in rows if row.group == "users=cold" and (row.method, row.metric) == ("biases", "rmse")]
    (mine,) = cold
    assert mine.value == pytest.approx(np.sqrt(np.mean(apart[test.source == 29] ** 2))) and mine.n == (test.source == 29).sum()
    best = min(("global_mean", "biases"), key=lambda name: found["test", name, "rmse"].value)
    assert (told.metric, told.baseline) == ("rmse", best)
    worse = found["test", best, "rmse"].value - found["test", "mmgraph", "rmse"].value
    assert told.difference == pytest.approx(worse) and told.low < told.difference < told.high
    assert "mmgraph RMSE" in told.text


def test_what_is_handed_out_is_chosen_on_validation():
    asked = question(users=60, items=40, seed=2)
    rng, edges = np.random.default_rng(0), asked.split.edges
    truth = np.full((60, 40), 3.0)
    truth[edges.source, edges.target] = edges.weight
    one, two = (Fixed(name, truth + rng.normal(0, 1, truth.shape)) for name in ("one", "two"))
    chosen, report = combine_ratings(asked, [one, two])
    assert (report.chosen, report.metric, chosen.name) == ("combination", "r2", "mmgraph")
    weights = [piece.weights["weight"] for piece in report.pieces]
    assert all(0.2 < weight < 0.8 for weight in weights)
    alone = [*(piece.value for piece in report.pieces), *(piece.without for piece in report.pieces)]
    assert report.combination > max(alone) + 0.05
    exact = Fixed("exact", truth)
    chosen, report = combine_ratings(asked, [one, exact])
    assert report.chosen == "exact" and report.difference <= report.error
    test = asked.ratings(asked.split.test)
    np.testing.assert_array_equal(chosen.ratings(test.source, test.target), test.value.astype(np.float32))


def test_nothing_is_chosen_or_bounded_without_validation():
    full = question()
    split = LinkSplit(
        full.split.edges, np.concatenate([full.split.train, full.split.valid]), full.split.valid[:0], full.split.test
    )
    asked = RatingQuestion(full.graph, split, (1.0, 5.0))
    methods = [Fixed("gnn", np.full((30, 20), 3.0)), *fit_rating_baselines(asked, ["biases", "popularity"])]
    assert [one.name for one in methods] == ["gnn", "biases"]
    chosen, report = combine_ratings(asked, methods)
    assert report.chosen == "gnn" and report.n == 0
    rows, _ = evaluate_ratings(asked, [chosen, *methods], QUICK)
    assert {row.metric for row in rows} == {"rmse", "mae", "r2", "slope"}
    assert Spread.of(asked, chosen) is None


def test_a_cut_normal_distribution_is_one_of_levels():
    found = around(np.array([1.0, 2.7]), np.array([1.0, 2.0, 4.0]), 0.7)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    cut = norm.cdf([(1.5 - 2.7) / 0.7, (3 - 2.7) / 0.7])
    np.testing.assert_allclose(found[1], [cut[0], cut[1] - cut[0], 1 - cut[1]], atol=1e-6)


def test_names_of_baselines_go_to_their_own_task():
    names = ("biases", "popularity", "majority", "slim", "nonsense")
    assert baseline_names(names, "rating") == ["biases", "nonsense"]
    assert baseline_names(names, "link") == ["popularity", "nonsense"]


def test_the_error_of_a_mean_is_that_of_drawing_users():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    values = rng.normal(size=40)[users] + rng.normal(size=len(users)) / 3
    drawn = []
    for _ in range(600):
        some = np.concatenate([values[users == user] for user in rng.integers(40, size=40)])
        drawn.append(some.mean())
    mean, error = mean_of_users(values, users)
    assert mean == pytest.approx(values.mean()) and error == pytest.approx(np.std(drawn), rel=0.15)
    assert error > 1.5 * values.std(ddof=1) / np.sqrt(len(values)), "ratings of one user are no independent witnesses"
    one = mean_of_users(values, np.zeros(len(values), int))
    assert one == pytest.approx((values.mean(), values.std(ddof=1) / np.sqrt(len(values))))
