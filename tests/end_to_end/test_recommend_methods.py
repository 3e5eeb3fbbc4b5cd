"""Every method of recommendation runs from a YAML, and the same seed gives the same numbers."""

import json

import numpy as np
import pytest
import yaml
from runs_made import write_csv

from mmgraph import registry
from mmgraph.cli import main
from mmgraph.configuration import load
from mmgraph.ingest import features, read
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide

PLAYS = "user/plays/music"
COSINES = {"class_path": "cosine", "init_args": {"heads": False, "temperature": 1.0}}
METHODS = {
    "cosine_contrastive": {"task": {"loss": "cosine_contrastive", "scorer": COSINES}},
    "direct_au": {"task": {"loss": "direct_au", "scorer": COSINES}},
    "light_gcn_pp": {"model": {"layer": "light_gcn_pp"}},
    "xsim_gcl": {"model": {"layer": {"class_path": "light_gcn", "init_args": {"gamma": 0.0}}, "contrast": {"weight": 0.2}}},
    "freedom": {
        "edges": [
            {"class_path": "item_graph", "init_args": {"kind": "music", "k": 4, "weights": {"audio": 0.9, "text": 0.1}}}
        ],
        "model": {"apart": {"relations": ["music/alike/music"]}, "prune": 0.2},
    },
    "kgat": {"model": {"layer": "kgat", "dropout": 0.0}},
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Users of two tastes, music whose sound says which it is, friends."""
    root, generator = tmp_path_factory.mktemp("tables"), np.random.default_rng(3)
    users, music = 30, 24
    items = [*((f"u{i}", "user") for i in range(users)), *((f"m{i}", "music") for i in range(music))]
    write_csv(root / "items.csv", ("id", "kind"), items)
    plays = [
        (f"u{u}", "plays", f"m{i}")
        for u in range(users)
        for i in generator.choice(np.flatnonzero(np.arange(music) % 2 == u % 2), 7, replace=False)
    ]
    friends = [(f"u{u}", "friend_of", f"u{(u + 2) % users}") for u in range(users)]
    write_csv(root / "links.csv", ("source", "relation", "target"), [*plays, *friends])
    (root / "features").mkdir()
    for modality in ("audio", "text"):
        vectors = np.eye(4)[np.arange(music) % 2] + generator.normal(0, 0.3, (music, 4))
        np.save(root / "features" / f"music.{modality}.npy", vectors.astype(np.float32))
        (root / "features" / f"music.{modality}.ids.txt").write_text("\n".join(f"m{i}" for i in range(music)))
    return root


def written(root, run, method):
    """The YAML of a run."""
    model = {"layer": "light_gcn", "width": 8, "learning_rate": 0.05, "batches": {"mode": "steps", "size": 48}}
    settings = {
        "run": {"dir": str(run)},
        "catalogue": {"class_path": "Tables", "init_args": {"root": str(root)}},
        "graph": {"edges": method.get("edges", [])},
        "split": {"links": {"method": "per_user"}},
        "model": {**model, **method.get("model", {})},
        "tasks": [{"class_path": "Recommend", "init_args": {"relation": PLAYS, "at": 5, **method.get("task", {})}}],
        "trainer": {"max_epochs": 6, "accelerator": "cpu"},
        "evaluate": {"bootstrap": 0, "baselines": ["popularity"], "ks": [5]},
        "outputs": {"report": False, "formats": ["csv"]},
    }
    config = run.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(settings))
    return config


def trained_again(config, folder):
    """The embeddings of music, without the run."""
    settings = load(config)
    tasks = [registry.create("task", task) for task in settings.tasks]
    catalogue, content = read(settings)
    graph = assemble(settings, catalogue, features(settings, catalogue, content), content)
    module, data = built(settings, divide(settings, graph, tasks), tasks, {})
    return train(module, data, settings.trainer, folder, settings.model).embeddings["music"].numpy()


@pytest.mark.parametrize("name", METHODS)
def test_method_learns_and_repeats(tables, tmp_path, name):
    run = tmp_path / "run"
    config = written(tables, run, METHODS[name])
    assert main(["fit", "--config", str(config)]) == 0
    rows = json.loads((run / "metrics.json").read_text())
    recall = {row["method"]: row["value"] for row in rows if row["metric"] == "recall@5" and row["split"] == "test"}
    assert recall["gnn"] > recall["popularity"]
    np.testing.assert_array_equal(trained_again(config, tmp_path / "again"), np.load(run / "embeddings" / "music.npy"))
