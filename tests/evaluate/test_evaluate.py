import dataclasses

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mmgraph.errors import SettingsError
from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.evaluate import evaluate_labels, evaluate_links, fit_label_baselines, fit_link_baselines, groups_of
from mmgraph.evaluate.gnn import GNN, EmbeddingLinks, ScorerLinks
from mmgraph.evaluate.metrics import amri
from mmgraph.evaluate.ranking import ranks
from mmgraph.evaluate.verdict import FEWEST
from mmgraph.settings import EvaluateSettings

from .made import Given, label_question, random_question, truth_matrix

FEW = EvaluateSettings(bootstrap=200)
METRICS = {"mrr", "mr", "hits@1", "hits@3", "hits@10", "ndcg@10", "auc", "amri", "mrr/target", "mrr/source"}


def values(rows, split="test"):
    return {(row.method, row.metric): row.value for row in rows if row.split == split}


def without(question, *splits):
    empty = {split: np.zeros(0, np.int64) for split in splits}
    return dataclasses.replace(question, split=dataclasses.replace(question.split, **empty))


def test_truth_is_perfect_and_a_constant_is_chance():
    question = random_question(5)
    methods = [Given(truth_matrix(question), "mmgraph"), Given(np.zeros((12, 15)), "constant")]
    rows, verdict = evaluate_links(question, methods, FEW)
    got = values(rows)
    assert {metric for _, metric in got} == METRICS
    assert got["mmgraph", "mrr"] == got["mmgraph", "amri"] == got["mmgraph", "auc"] == got["mmgraph", "mr"] == 1.0
    assert got["constant", "amri"] == pytest.approx(0.0)
    assert got["constant", "auc"] == pytest.approx(0.5)
    assert verdict.difference == pytest.approx(1.0 - got["constant", "mrr"])


def test_rows_by_hand_and_intervals_hold_the_value():
    question = random_question(6, same=True)
    matrix = np.random.default_rng(0).normal(size=(12, 12))
    rows, verdict = evaluate_links(question, [Given(matrix, "mmgraph")], FEW)
    both = [ranks(Given(matrix), question, question.split.valid, d).rank for d in ("target", "source")]
    got = values(rows, "valid")
    assert got["mmgraph", "mrr"] == pytest.approx(np.mean(1 / np.concatenate(both)))
    assert got["mmgraph", "mrr/source"] == pytest.approx(np.mean(1 / both[1]))
    assert all(row.low <= row.value <= row.high for row in rows)
    assert {row.n for row in rows if row.split == "valid" and row.metric == "mrr"} == {2 * len(question.split.valid)}
    assert {row.n for row in rows if row.metric == "mrr/target"} == {len(question.split.valid), len(question.split.test)}
    assert {(row.task, row.target) for row in rows} == {("links", "a/r/a")}
    assert verdict.baseline is None
    assert "no baseline applies" in verdict.text


def test_links_within_a_parent_are_measured_among_its_items_as_well():
    question = random_question(6, same=True, temporal=True, sources=30, links=200)
    matrix = np.random.default_rng(0).normal(size=(30, 30))
    rows, _ = evaluate_links(question, [Given(matrix, "mmgraph")], FEW)
    got = {row.metric: row for row in rows if row.split == "test"}
    near = {metric.partition("/")[0] for metric in got if metric.endswith("/same_parent")}
    assert near == {metric for metric in METRICS if "/" not in metric}
    each = [ranks(Given(matrix), question, question.split.test, d, group=question.group) for d in ("target", "source")]
    rank, candidates = (np.concatenate([getattr(one, name) for one in each]) for name in ("near_rank", "near_candidates"))
    there = candidates > 0
    assert 0 < there.sum() < len(there)
    assert got["mrr/same_parent"].value == pytest.approx((1 / rank[there]).mean())
    assert got["hits@1/same_parent"].value == pytest.approx((rank[there] <= 1).mean())
    assert got["amri/same_parent"].value == pytest.approx(amri(rank[there], candidates[there]))
    assert got["mrr/same_parent"].n == there.sum()
    assert got["mrr/same_parent"].low < got["mrr/same_parent"].value < got["mrr/same_parent"].high
    apart = dataclasses.replace(question.graph, parent={"a": np.arange(30)})
    rows, _ = evaluate_links(dataclasses.replace(question, graph=apart), [Given(matrix, "mmgraph")], FEW)
    assert {row.metric for row in rows} == METRICS


def test_same_seed_same_rows():
    question = random_question(6)
    methods = [Given(truth_matrix(question), "mmgraph"), *fit_link_baselines(question)]
    assert evaluate_links(question, methods, FEW) == evaluate_links(question, methods, FEW)


@pytest.mark.parametrize("empty", [("test",), ("valid",), ("valid", "test")])
def test_empty_splits_give_no_rows(empty):
    question = without(random_question(6), *empty)
    rows, verdict = evaluate_links(question, [Given(np.zeros((12, 15)), "mmgraph")], FEW)
    assert {row.split for row in rows} == {"valid", "test"} - set(empty)
    if "test" in empty:
        assert (verdict.n, verdict.mmgraph, verdict.difference) == (0, None, None)
        assert verdict.text == "a/r/b: nothing held out for test, so nothing can be said"


def test_no_resamples_no_intervals():
    question = random_question(6)
    methods = [Given(truth_matrix(question), "mmgraph"), Given(np.zeros((12, 15)), "zero")]
    rows, verdict = evaluate_links(question, methods, EvaluateSettings(bootstrap=0))
    assert {(row.low, row.high) for row in rows} == {(None, None)}
    assert (verdict.low, verdict.high) == (None, None)
    assert "without an interval" in verdict.text


@pytest.mark.parametrize(
    "links, said", [(1, "on one link or group, too few"), (5, "on 5 links or groups, too few"), (6, "better by")]
)
def test_of_a_handful_of_test_links_the_verdict_claims_nothing(links, said):
    question = random_question(5, links=80)
    few = dataclasses.replace(question.split, test=question.split.test[:links])
    question = dataclasses.replace(question, split=few)
    truth = truth_matrix(question)
    _, verdict = evaluate_links(question, [Given(truth, "mmgraph"), Given(-truth, "bad")], FEW)
    assert said in verdict.text
    assert verdict.difference > 0
    assert (verdict.low is None) == (verdict.high is None) == (links < FEWEST)


def test_the_verdict_takes_the_hardest_baseline_and_says_better_nothing_or_worse():
    question = random_question(5, links=80)
    truth, noise = truth_matrix(question), np.random.default_rng(0).normal(size=(12, 15))
    easy, hard, gnn = Given(-truth, "easy"), Given(truth + 0.6 * noise, "hard"), Given(noise, "gnn")
    methods = [Given(truth, "mmgraph"), gnn, easy, hard]
    rows, verdict = evaluate_links(question, methods, FEW)
    got = values(rows)
    assert (verdict.baseline, verdict.baseline_value) == ("hard", got["hard", "mrr"])
    assert verdict.low <= verdict.difference <= verdict.high
    assert "for hard: better by" in verdict.text
    assert f"gnn alone {got['gnn', 'mrr']:.3f}" in verdict.text
    _, verdict = evaluate_links(question, [Given(truth + 0.6 * noise, "mmgraph"), hard], FEW)
    assert verdict.difference == verdict.low == verdict.high == 0.0
    assert "no clear difference, +0.000" in verdict.text
    assert "adds nothing" in verdict.text
    _, verdict = evaluate_links(question, [Given(-truth, "mmgraph"), Given(truth, "hard")], FEW)
    assert "worse by" in verdict.text


def test_edges_are_resampled_with_both_directions():
    """One direction always right, the other always wrong: every edge has the same sum, so there is nothing to vary."""
    question = random_question(5)

    def score(queries, direction):
        matrix = truth_matrix(question) if direction == "target" else np.zeros((15, 12), np.float32)
        return matrix[queries]

    constant = ScorerLinks("mmgraph", score)
    rows, _ = evaluate_links(question, [constant], FEW)
    sides = {row.metric: row for row in rows if row.split == "test"}
    assert sides["mrr/target"].low == sides["mrr/target"].high == 1.0
    width = (sides["mrr/source"].high - sides["mrr/source"].low) / 2
    assert sides["mrr"].high - sides["mrr"].low == pytest.approx(width)


def test_names_pick_baselines_of_their_group_and_unknown_ones_are_refused():
    question = random_question(5)
    assert [m.name for m in fit_link_baselines(question, ("popularity", "majority", "FastRP"))] == ["popularity", "fastrp+knn"]
    assert list(fit_label_baselines(label_question(), ("popularity", "majority"))) == ["majority"]
    dotted = ("mmgraph.evaluate.baselines.links.popularity.Popularity", "mmgraph.evaluate.baselines.labels.majority.Majority")
    assert [m.name for m in fit_link_baselines(question, dotted)] == ["popularity"]
    assert list(fit_label_baselines(label_question(), dotted)) == ["majority"]
    with pytest.raises(SettingsError, match="no link baseline of this name; given: popularty; did you mean popularity"):
        fit_link_baselines(question, ("popularty",))


def test_labels_by_hand():
    question = label_question(3)
    predictions = fit_label_baselines(question) | {"mmgraph": np.eye(3, dtype=np.float32)[question.split.labels.values]}
    rows, verdict = evaluate_labels(question, predictions, FEW)
    got = values(rows)
    assert {metric for _, metric in got} == {"accuracy", "macro_f1", "ece"}
    assert got["mmgraph", "accuracy"] == got["mmgraph", "macro_f1"] == 1.0
    assert got["mmgraph", "ece"] == 0.0
    truth, test = question.split.labels.values, question.split.test
    called = predictions["logistic:image"].argmax(1)
    assert got["logistic:image", "accuracy"] == pytest.approx((called[test] == truth[test]).mean())
    assert got["logistic:image", "macro_f1"] == pytest.approx(f1_score(truth[test], called[test], average="macro"))
    assert {row.n for row in rows if row.split == "test"} == {len(test)}
    assert all(row.low <= row.high for row in rows)
    assert verdict.target == "x.class"
    assert verdict.n == len(test)
    best = max((value, name) for (name, metric), value in got.items() if metric == "accuracy" and name != "mmgraph")
    assert (verdict.baseline_value, verdict.baseline) == best


def test_labels_of_groups_have_wider_intervals():
    """Every group is right or wrong as a whole."""
    question = label_question(3, items=300, groups=10)
    truth, parent = question.split.labels.values, question.graph.parent["x"]
    called = np.where(parent % 2 == 0, truth, (truth + 1) % 3)
    predictions = {"mmgraph": np.eye(3, dtype=np.float32)[called]}
    alone = dataclasses.replace(question, graph=dataclasses.replace(question.graph, parent={}))
    wide, narrow = (
        next(r for r in evaluate_labels(q, predictions, FEW)[0] if (r.metric, r.split) == ("accuracy", "test"))
        for q in (question, alone)
    )
    assert wide.value == narrow.value
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_groups_are_parents_or_the_items_themselves():
    question = label_question(3, items=6, train=3, valid=0)
    items = np.array([5, 0, 3])
    assert groups_of(question, items).tolist() == [5, 0, 3]
    graph = dataclasses.replace(question.graph, parent={"x": np.array([1, 1, 0, -1, -1, 1])})
    groups = groups_of(dataclasses.replace(question, graph=graph), np.arange(6))
    assert len(set(groups.tolist())) == 4
    assert groups[0] == groups[1] == groups[5]


def test_no_test_labels():
    question = without(label_question(3), "test", "valid")
    rows, verdict = evaluate_labels(question, {"mmgraph": np.full((60, 3), 1 / 3, np.float32)}, FEW)
    assert rows == []
    assert verdict.n == 0


def test_embeddings_score_by_dot_product_in_both_directions():
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(4, 3)).astype(np.float32), generator.normal(size=(6, 3)).astype(np.float32)
    method = EmbeddingLinks(GNN, source, target)
    slow = np.array([[sum(a * b for a, b in zip(s, t, strict=True)) for t in target] for s in source])
    assert method.name == "gnn"
    np.testing.assert_allclose(method.scores(np.array([2, 0]), "target"), slow[[2, 0]], rtol=1e-5)
    np.testing.assert_allclose(method.scores(np.array([5]), "source"), slow.T[[5]], rtol=1e-5)
    with pytest.raises(Exception, match="vectors of gnn do not fit together"):
        EmbeddingLinks(GNN, source, target[:, :2])


def test_inputs_stay_as_they_are():
    question = random_question(5)
    before = truth_matrix(question)
    method = Given(before.copy(), "mmgraph")
    assert isinstance(question, LinkQuestion)
    evaluate_links(question, [method], FEW)
    np.testing.assert_array_equal(method.matrix, before)
