"""The benchmarks of recommendations on small things: every arm, its table, and the lists of made users."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from runs_made import write_csv

from mmgraph.evaluate.contract import OURS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as for a script that is run

    def load(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def listeners(root):
    root.mkdir()
    generator = np.random.default_rng(5)
    items = (
        [(f"u{i}", "user") for i in range(30)] + [(f"a{i}", "artist") for i in range(30)] + [("t0", "tag"), ("e0", "entity")]
    )
    write_csv(root / "items.csv", ("id", "kind"), items)
    parts = ("train", "train", "train", "valid", "test")
    links = [
        (f"u{u}", "listens", f"a{a}", parts[place % 5])
        for u in range(30)
        for place, a in enumerate(generator.choice(np.flatnonzero(np.arange(30) % 2 == u % 2), 10, replace=False))
    ]
    links += [(f"u{u}", "friend_of", f"u{(u + 2) % 30}", "") for u in range(30)]
    links += [(f"a{a}", "has_tag", "t0", "") for a in range(0, 30, 2)] + [("a0", "knows", "e0", "")]
    write_csv(root / "links.csv", ("source", "relation", "target", "split"), links)


def test_arms_take_relations_away(tmp_path, monkeypatch, script):
    listeners(tmp_path / "tables")
    lastfm = script("lastfm")
    words = ["--root", tmp_path / "tables", "--arms", "all,no friends", "--quick", "--no-peer", "--out", tmp_path / "out"]
    words += ["evaluate.baselines=[ease, content_knn]"]
    monkeypatch.setattr(sys, "argv", ["lastfm.py", *map(str, words)])
    lastfm.main()
    found = json.loads((tmp_path / "out.json").read_text())
    first, other = (found["arms"][name] for name in ("all", "no friends"))
    value = {
        row["method"]: row["value"]
        for row in first["rows"]
        if (row["split"], row["metric"], row["group"]) == ("test", "ndcg@20", "")
    }
    assert set(value) == {OURS, "gnn", "ease", "content:tag", "content:entity"}
    assert {name: of["ndcg@20"][0] for name, of in first["test"].items()} == pytest.approx(value)
    assert first["minus"]["ease"]["ndcg@20"][0] == pytest.approx(value[OURS] - value["ease"])
    assert first["gnn minus"]["ease"]["ndcg@20"][0] == pytest.approx(value["gnn"] - value["ease"])
    assert set(other["test"]) == {OURS, "gnn"} and "rows" not in other
    difference, low, high = found["worth"]["no friends"]["gnn"]["ndcg@20"]
    assert difference == pytest.approx(value["gnn"] - other["test"]["gnn"]["ndcg@20"][0])
    assert low <= difference <= high
    page = (tmp_path / "out.md").read_text()
    assert "| no friends |" in page and "| all minus no friends |" in page and "Every method ranks all artists" in page


def test_what_an_arm_sees(script):
    lastfm = script("lastfm")
    names = ("listens", "friend_of", "has_tag", "knows")
    kept = {arm: [name for name in names if lastfm.ARMS[arm](name)] for arm in lastfm.ARMS}
    assert kept == {
        "all": ["listens", "friend_of", "has_tag", "knows"],
        "no friends": ["listens", "has_tag", "knows"],
        "no tags": ["listens", "friend_of", "knows"],
        "no knowledge": ["listens", "friend_of", "has_tag"],
        "plays alone": ["listens"],
    }


def test_lists_of_made_users(script):
    speed = script("recommend_speed")
    for what in ("metrics", "lists"):
        one = speed.measured(what, 60, 50, 8)
        assert one["wall_s"] >= 0 and one["peak_mib"] > 50
