"""The rounds of benchmarks/asking.py on a small made graph, and what asking is worth to a plain model on the sample corpus, over seeds."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmgraph import registry
from mmgraph.corpus import CATEGORIES, plan
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.gnn import GNN
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.settings import Settings, convert
from mmgraph.split.unlabelled import unlabelled
from mmgraph.types import Relation

spec = importlib.util.spec_from_file_location("asking", Path(__file__).parents[2] / "benchmarks" / "asking.py")
asking = importlib.util.module_from_spec(spec)
spec.loader.exec_module(asking)

KEPT = Path(__file__).parent / "sample_corpus.npz"


def made(seed, videos=110, segments=3, classes=6):
    """Videos of segments, some classes much rarer than others and each of two looks, as far apart as classes are: labels at random
    miss what is rare.
    """
    rng = np.random.default_rng(seed)
    shares = np.array([0.4, 0.3, 0.12, 0.08, 0.06, 0.04])
    of = np.concatenate((np.repeat(np.arange(classes), 6), rng.choice(classes, videos - 6 * classes, p=shares)))
    look = of * 2 + rng.integers(2, size=videos)
    count = videos * segments
    video = np.arange(count) // segments
    vectors = np.eye(2 * classes)[look[video]] * 2.2 + rng.normal(size=(count, 2 * classes)) * 0.7
    ids = {
        "segment": np.array([f"s{i}" for i in range(count)], object),
        "video": np.array([f"v{i}" for i in range(videos)], object),
    }
    contains = Relation("video", "contains", "segment")
    return Graph(
        ids,
        {contains: Edges(contains, video, np.arange(count))},
        {("segment", "image"): Features(vectors.astype(np.float32), np.ones(count, bool))},
        {("segment", "category"): Labels("segment", "category", tuple("abcdef"), of[video])},
        {"segment": video},
    )


def settings(seed, k=1):
    plain = {
        "catalogue": "tables",
        "run": {"seed": seed},
        "tasks": [{"class_path": "Categories", "init_args": {"field": "category", "kind": "segment"}}],
        "split": {"labels": {"k": k, "valid": 0.2}},
        "model": {"width": 16, "depth": 1, "dropout": 0.2, "learning_rate": 0.01},
        "trainer": {"max_epochs": 30, "accelerator": "cpu"},
        "evaluate": {"baselines": ["majority"]},
    }
    return convert(plain, Settings)


def accuracies(seed, folder, strategies, rounds=5, n=4):
    graph, own = made(seed), settings(seed)
    tasks = [registry.create("task", task) for task in own.tasks]
    split, truth = asking.with_pool(graph, asking.divide(own, graph, tasks), asking.TARGET, "parent", seed, share=0.6)
    first = asking.fitted(own, split, tasks, {}, folder / str(seed) / "first")
    found = {}
    for strategy in strategies:
        found[strategy], last = asking.simulated(graph, first, truth, strategy, rounds, n, epochs=12)
        trained = set(last.split.labels[asking.TARGET].train) - set(split.labels[asking.TARGET].train)
        assert len(trained) == rounds * n
        assert trained <= set(unlabelled(split.labels[asking.TARGET]))
        assert last.split.labels[asking.TARGET].test.tolist() == split.labels[asking.TARGET].test.tolist()
    return found


def test_rounds_of_updates_train_on_what_was_asked(tmp_path):
    found = accuracies(1, tmp_path, ("uncertain",), rounds=2)
    assert [set(one) for one in found["uncertain"]] == [{OURS, GNN}] * 3


def sample_corpus():
    """The sample corpus of seed 7 as ``benchmarks/asking.py --keep`` wrote it: its segments with vectors spread over the links."""
    with np.load(KEPT) as kept:
        vectors, video, category = kept["vectors"].astype(np.float32), kept["video"].astype(int), kept["category"].astype(int)
        names = kept["names"].astype(object)
    count = len(video)
    ids = {"segment": np.array([f"{names[one]}#{i}" for i, one in enumerate(video)], object), "video": names}
    contains = Relation("video", "contains", "segment")
    return Graph(
        ids,
        {contains: Edges(contains, video, np.arange(count))},
        {("segment", "image"): Features(vectors, np.ones(count, bool))},
        {("segment", "category"): Labels("segment", "category", tuple(sorted(CATEGORIES)), category)},
        {"segment": video},
    )


def test_the_kept_corpus_is_the_one_that_is_made():
    graph = sample_corpus()
    category = {Path(one.path).stem: CATEGORIES[one.category] for one in plan(7).videos}
    assert graph.ids["video"].tolist() == sorted(category)
    labels = graph.labels["segment", "category"]
    said = [labels.classes[value] for value in labels.values]
    assert said == [category[graph.ids["video"][one]] for one in graph.parent["segment"]]
    assert set(graph.parent["segment"]) == set(range(120))


def regressions(graph, seed, k, n, share):
    """{strategy: test accuracy before any and after each of five rounds} of one seed."""
    own = settings(seed, k)
    tasks = [registry.create("task", task) for task in own.tasks]
    split, truth = asking.with_pool(graph, asking.divide(own, graph, tasks), asking.TARGET, "parent", seed, share)
    vectors = graph.features["segment", "image"].vectors
    found = {
        name: asking.rounds_of_regression(graph, split, truth, vectors, name, 5, n, seed) for name in ("random", "uncertain")
    }
    assert [len(one) for one in found.values()] == [6, 6]
    assert found["random"][0] == found["uncertain"][0]
    return found


@pytest.mark.parametrize(("k", "n", "share", "seeds"), [(3, 8, 0.5, 20), (1, 4, 0.6, 10)])
def test_five_rounds_of_asking_beat_five_of_random_picking_on_the_sample_corpus(k, n, share, seeds):
    """By the mean over the rounds, and after the fifth: a bootstrap interval over seeds of the paired difference leaves out 0.

    The learner is a regression, so that many seeds take seconds; the numbers were chosen on corpora of other seeds.
    """
    graph = sample_corpus()
    each = [regressions(graph, seed, k, n, share) for seed in range(1, seeds + 1)]
    apart = np.array([one["uncertain"] for one in each]) - np.array([one["random"] for one in each])
    for difference in (apart[:, 1:].mean(axis=1), apart[:, -1]):
        low, _ = asking.interval(difference)
        assert difference.mean() > low > 0


def test_a_pool_is_of_test_groups_alone_and_nobody_knows_its_labels():
    graph, own = made(0), settings(0)
    before = asking.divide(own, graph, [registry.create("task", task) for task in own.tasks])
    split, truth = asking.with_pool(graph, before, asking.TARGET, "parent", 0)
    one, whole = split.labels[asking.TARGET], before.labels[asking.TARGET]
    pool = unlabelled(one)
    assert set(pool) | set(one.test) == set(whole.test)
    assert not set(pool // 3) & set(one.test // 3)
    assert (one.train.tolist(), one.valid.tolist()) == (whole.train.tolist(), whole.valid.tolist())
    np.testing.assert_array_equal(truth, graph.labels["segment", "category"].values)
    assert (split.visible.labels["segment", "category"].values[pool] < 0).all()
    again = asking.with_pool(graph, before, asking.TARGET, "parent", 0)[0].labels[asking.TARGET]
    assert again.test.tolist() == one.test.tolist()


def test_the_table_says_the_paired_difference():
    def seed(base, gain):
        return {"accuracy": {"random": [{OURS: base}, {OURS: base + 0.1}], "badge": [{OURS: base}, {OURS: base + 0.1 + gain}]}}

    lines = asking.table({"1": seed(0.5, 0.1), "2": seed(0.6, 0.1)}, OURS).splitlines()
    assert lines[2] == "| random | 55.0 | 65.0 |  |  |"
    assert lines[3] == "| badge | 55.0 | 75.0 | +10.0 (+10.0 to +10.0) | +10.0 (+10.0 to +10.0) |"
