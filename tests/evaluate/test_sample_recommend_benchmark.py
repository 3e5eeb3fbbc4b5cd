"""The benchmark of recommendations on the sample corpus, on a small made graph: arms see what they say, and differences are paired."""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from mmgraph.graph.contract import Edges, Features, Graph
from mmgraph.types import Relation

PATH = Path(__file__).parents[2] / "benchmarks" / "sample_recommend.py"
SPEC = importlib.util.spec_from_file_location("benchmark_of_sample_recommend", PATH)
bench = importlib.util.module_from_spec(SPEC)
sys.path.insert(0, str(PATH.parent))  # as for a script that is run
SPEC.loader.exec_module(bench)
sys.path.remove(str(PATH.parent))

WATCHED, CONTAINS = Relation("user", "watched", "video"), Relation("video", "contains", "segment")
SET_TO = Relation("video", "set_to", "music")


@pytest.fixture(scope="module")
def graph():
    """Users of two tastes, videos whose vectors say which they are of, two segments each, music."""
    rng = np.random.default_rng(0)
    watched = np.array([(u, v) for u in range(24) for v in rng.choice(np.arange(u % 2, 20, 2), 6, replace=False)])
    videos, ids = np.arange(20), {"user": 24, "video": 20, "segment": 40, "music": 4}
    edges = [
        Edges(WATCHED, *watched.T),
        Edges(CONTAINS, np.repeat(videos, 2), np.arange(40)),
        Edges(SET_TO, videos, videos % 4),
    ]
    vectors = (np.eye(3)[videos % 2] + rng.normal(0, 0.2, (20, 3))).astype(np.float32)
    features = {("video", "image"): Features(vectors, np.ones(20, bool))}
    kinds = {kind: np.array([f"{kind}{i}" for i in range(count)]) for kind, count in ids.items()}
    return Graph(kinds, {one.relation: one for one in edges}, features)


def test_arms_on_a_small_graph(graph, tmp_path):
    options = argparse.Namespace(root=tmp_path, store=tmp_path, seed=7, quick=True)
    settings = bench.settings_of(options)
    settings = replace(settings, evaluate=replace(settings.evaluate, baselines=("popularity", "item_knn", "content_knn")))
    made = bench.Bench(settings, graph)
    names = ["videos", "videos, no modalities", "cold videos, media alone"]
    arms = {name: made.arm(name) for name in names}
    methods = {name: {row["method"] for row in one["rows"]} for name, one in arms.items()}
    assert "content:image" in methods["videos"] and "content:image" not in methods["videos, no modalities"]
    assert "content:music" in methods["videos"] and "content:music" not in methods["cold videos, media alone"]
    assert {row["group"] for row in arms["cold videos, media alone"]["rows"]} == {"", "items=cold, among the cold"}
    worth = made.worth()
    assert list(worth) == ["videos minus videos, no modalities"]
    (_, one), (_, two) = (made.users[name] for name in names[:2])
    for method in ("mmgraph", "gnn"):
        gap = one[method]["ndcg@10"].mean() - two[method]["ndcg@10"].mean()
        value, low, high = worth["videos minus videos, no modalities"][method]["ndcg@10"]
        assert value == pytest.approx(gap) and low <= value <= high
    own = next(row for row in arms["videos"]["rows"] if (row["method"], row["metric"]) == ("gnn", "ndcg@10"))
    assert own["value"] == pytest.approx(one["gnn"]["ndcg@10"].mean())
    page = bench.page({"written": "today", "seed": 7, "encoders": "none", "arms": arms, "worth": worth})
    assert "## cold videos, media alone" in page and "| videos minus videos, no modalities: gnn |" in page
    assert arms["videos"]["verdict"] in page
