"""benchmarks/many_ids.py, light_gcn.py and updating.py: what they make, and their pages."""

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_ids_are_trained_row_by_row_and_densely(monkeypatch):
    many = script("many_ids")
    monkeypatch.setattr(many, "BATCH", 512)
    found = [many.measured(10_000, optimizer, 9) for optimizer in ("row_adagrad", "dense")]
    assert found[0]["adds_gib"] < found[1]["adds_gib"] and all(one["step_s"] > 0 for one in found)
    assert "| 10,000 | row-wise Adagrad, 9 steps | 0.00 |" in many.page(found)


def test_made_links_are_pairs_once_and_the_page_compares(tmp_path, monkeypatch):
    light = script("light_gcn")
    monkeypatch.setattr(light.tempfile, "gettempdir", lambda: str(tmp_path))
    size = light.SIZES["quick"]
    users, items = light.made(size)
    assert len(users) == size.links == len(np.unique(users * size.items + items))
    assert users.max() < size.users and items.max() < size.items
    again = light.made(size)
    assert np.array_equal(users, again[0]) and len(list(tmp_path.iterdir())) == 1
    page = light.page({"quick": {"mmgraph": ([1.0, 3.0], [1.0, 1.0], 2.0), "matrix": ([2.0, 2.0], [4.0, 4.0], 3.0)}})
    assert "| PyG, SparseTensor | 2.0000 | 4.0000 | 6.0 | 1.00 (0.50-1.50) | 3.00 |" in page


def test_later_links_have_items_that_were_not_there_and_shares_are_told():
    updating = script("updating")
    rows = updating.links(60, 3)
    assert rows == updating.links(60, 3) and len({row[:3] for row in rows}) == len(rows)
    assert [int(row[3]) for row in rows] == sorted(int(row[3]) for row in rows)
    method = dict.fromkeys(("gnn", "mmgraph", "item_knn", "popularity"), (0.2, 0.1, 0.3, 9))
    half = method | {"gnn": (0.1, 0.0, 0.2, 9)}
    one = {"links": 100, "new": 10, "items": 3, "seed": 7, "update": (8.0, 2.0), "anew": (16.0, 12.0), "of": (half, method)}
    page = updating.page([one], argparse.Namespace(epochs=60))
    assert "| 7 | 2.0 | 12.0 | 6.0 | 8.0 | 16.0 | 2.0 |" in page
    assert "trains 6.0 times faster, and the gnn has 0.500 of the NDCG@20" in page
