import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, ndcg_score, roc_auc_score

from mmgraph.evaluate import metrics
from mmgraph.evaluate.bootstrap import Statistic


def test_nothing_is_nan():
    rank, candidates = np.zeros(0), np.zeros(0, np.int64)
    probabilities, truth = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    values = [metrics.mrr(rank), metrics.mr(rank), metrics.hits_at(rank, 3), metrics.ndcg_at(rank)]
    values += [metrics.auc(rank, candidates), metrics.amri(rank, candidates)]
    values += [f(probabilities, truth) for f in (metrics.accuracy, metrics.macro_f1, metrics.ece)]
    assert np.isnan(values).all()


def test_one_candidate_alone():
    assert metrics.amri(np.array([1.0]), np.array([1])) == 0.0
    assert metrics.auc(np.array([1.0]), np.array([1])) == 0.5


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), candidates=st.integers(2, 12))
def test_rank_metrics_equal_scikit_learn_query_by_query(seed, candidates):
    generator = np.random.default_rng(seed)
    scores = generator.integers(4, size=candidates).astype(float)
    true = np.eye(candidates)[0]
    rank = np.array([1 + (scores[1:] > scores[0]).sum() + (scores[1:] == scores[0]).sum() / 2])
    assert metrics.auc(rank, np.array([candidates])) == pytest.approx(roc_auc_score(true, scores))
    untied = scores + np.linspace(0, 0.1, candidates)
    rank = np.array([1.0 + (untied[1:] > untied[0]).sum()])
    assert metrics.ndcg_at(rank, 10) == pytest.approx(ndcg_score(true[None], untied[None], k=10))


def test_amri_is_one_for_perfect_zero_for_chance_and_equals_its_definition():
    candidates = np.array([4, 9, 30])
    rank = np.array([2.0, 5.5, 7.0])
    expected = ((candidates + 1) / 2).mean()
    assert metrics.amri(rank, candidates) == pytest.approx(1 - (rank.mean() - 1) / (expected - 1))
    assert metrics.amri((candidates + 1) / 2, candidates) == 0.0
    assert metrics.amri(np.ones(3), candidates) == 1.0


def test_the_table_of_link_metrics_equals_the_pure_functions():
    generator = np.random.default_rng(0)
    candidates = generator.integers(2, 40, 50)
    rank = 1 + generator.random(50) * (candidates - 1)
    wanted = {
        "mrr": metrics.mrr(rank),
        "mr": metrics.mr(rank),
        "hits@1": metrics.hits_at(rank, 1),
        "hits@3": metrics.hits_at(rank, 3),
        "hits@10": metrics.hits_at(rank, 10),
        "ndcg@10": metrics.ndcg_at(rank, 10),
        "auc": metrics.auc(rank, candidates),
        "amri": metrics.amri(rank, candidates),
    }
    got = {name: Statistic(np.stack(f(rank, candidates), axis=1)).value for name, f in metrics.LINK_METRICS.items()}
    assert got == pytest.approx(wanted)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), items=st.integers(1, 40), classes=st.integers(2, 6))
def test_macro_f1_and_ece_the_slow_way(seed, items, classes):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(classes), items).astype(np.float32)
    truth = generator.integers(classes, size=items)
    called = probabilities.argmax(1)
    assert metrics.macro_f1(probabilities, truth) == pytest.approx(f1_score(truth, called, average="macro", zero_division=0))
    error = 0.0
    for low in range(15):
        inside = [i for i in range(items) if low / 15 < float(probabilities[i].max()) <= (low + 1) / 15]
        if inside:
            right = np.mean([called[i] == truth[i] for i in inside])
            error += len(inside) / items * abs(right - np.mean([float(probabilities[i].max()) for i in inside]))
    assert metrics.ece(probabilities, truth) == pytest.approx(error, abs=1e-6)
