"""Every configuration in configs/ runs: on small things made here, and on the real ones where they are."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from media_made import write_video
from PIL import Image
from runs_made import QUICK, half_written, read_csv, write_csv

from mmgraph.cli import main

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"


def fitted(name, root, run, *words):
    words = [*QUICK, "--trainer.max_epochs", "2", "--catalogue.root", root, "--run.dir", run, *words]
    assert main(["fit", "--config", str(CONFIGS / f"{name}.yaml"), *map(str, words)]) == 0
    assert not half_written(run.parent)
    rows = json.loads((run / "metrics.json").read_text())
    assert all(math.isfinite(row["value"]) for row in rows)
    assert (run / "report" / "index.html").stat().st_size > 10_000
    return {(row["target"], row["method"]) for row in rows if row["split"] == "test"}


def asked(*targets):
    return {(target, method) for target in targets for method in ("mmgraph", "gnn")}


def test_these_are_all_configs():
    """video.yaml and few_labels.yaml run in test_fit.py, ratings.yaml in tests/tasks/test_ratings.py."""
    assert {path.name for path in CONFIGS.iterdir()} == {
        "citations.yaml",
        "few_labels.yaml",
        "folder.yaml",
        "knowledge.yaml",
        "paths.yaml",
        "ratings.yaml",
        "recommend.yaml",
        "tables.yaml",
        "video.yaml",
    }


def test_tables_made_here(tmp_path):
    root = tmp_path / "tables"
    (root / "photos").mkdir(parents=True)
    generator = np.random.default_rng(1)
    count = 26
    for number in range(2 * count):
        colour = np.array([200, 40, 40] if number // 2 % 2 else [40, 40, 200])
        pixels = np.clip(colour + generator.normal(0, 20, (24, 24, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / "photos" / f"{number}.png")
    photos = [(f"p{i}", "image", f"photos/{i}.png", "") for i in range(2 * count)]
    exercises = [(f"e{i}", "exercise", "", "") for i in range(count)]
    texts = [(f"t{i}", "text", "", f"lift it {i} times, {'slowly' if i % 2 else 'fast'}") for i in range(count)]
    muscles = [(f"m{i}", "muscle", "", "") for i in range(5)]
    write_csv(root / "items.csv", ("id", "kind", "path", "text"), [*photos, *exercises, *texts, *muscles])
    links = [(f"p{2 * i}", "follows", f"p{2 * i + 1}") for i in range(count)]
    links += [(f"e{i}", "shown_in", f"p{2 * i + side}") for i in range(count) for side in (0, 1)]
    links += [(f"e{i}", "told_by", f"t{i}") for i in range(count)]
    links += [(f"e{i}", "works", f"m{(i * 3 + side) % 5}") for i in range(count) for side in (0, 1)]
    write_csv(root / "links.csv", ("source", "relation", "target"), links)
    write_csv(root / "labels.csv", ("id", "field", "value"), [(f"e{i}", "category", "ab"[i % 2]) for i in range(count)])
    found = fitted("tables", root, tmp_path / "runs" / "tables")
    assert asked("image/follows/image", "exercise/works/muscle", "exercise.category") <= found


def test_a_folder_made_here(tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for number in range(4):
        write_video(root / f"{number}.mp4", frames=140, rate=10, sound=number > 1)
    found = fitted("folder", root, tmp_path / "runs" / "folder")
    assert asked("segment/follows/segment") <= found
    kinds = json.loads((tmp_path / "runs" / "folder" / "graph.json").read_text())["kinds"]
    assert kinds["video"] == 4
    assert kinds["segment"] >= 16


@pytest.mark.parametrize("config", ["knowledge", "paths"])
def test_a_knowledge_graph_made_here(tmp_path, config):
    root = tmp_path / "knowledge"
    root.mkdir()
    generator = np.random.default_rng(2)
    facts = [(f"n{i}", "next", f"n{(i + 1) % 40}") for i in range(40)] + [
        (f"n{i}", "/is/double", f"n{2 * i % 40}") for i in range(40)
    ]
    parts = generator.choice(3, len(facts), p=[0.7, 0.15, 0.15])
    for number, name in enumerate(("train", "valid", "test")):
        lines = ["\t".join(fact) for fact, part in zip(facts, parts, strict=True) if part == number]
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    run = tmp_path / "runs" / config
    found = fitted(config, root, run)
    assert asked("entity/*/entity") <= found
    rows = read_csv(run / "predictions" / "links.csv")
    assert {row["relation"] for row in rows} == {"entity/next/entity", "entity/is_double/entity"}
    page = (run / "report" / "index.html").read_text()
    assert "entity/*/entity" in page


def test_citations_made_here(tmp_path):
    root = tmp_path / "papers"
    (root / "features").mkdir(parents=True)
    generator = np.random.default_rng(4)
    topic = np.arange(60) % 3
    write_csv(root / "items.csv", ("id", "kind"), [(f"p{i}", "paper") for i in range(60)])
    links = {(i, int(generator.choice(np.flatnonzero(topic == topic[i])))) for i in range(60) for _ in range(2)}
    write_csv(root / "links.csv", ("source", "relation", "target"), [(f"p{i}", "cites", f"p{j}") for i, j in links if i != j])
    rows = [(f"p{i}", "topic", "abc"[topic[i]], "train" if i < 9 else "valid" if i < 30 else "test") for i in range(60)]
    write_csv(root / "labels.csv", ("id", "field", "value", "split"), rows)
    words = (generator.random((60, 90)) < 0.03) | (generator.random((60, 90)) < 0.1) & (np.arange(90) % 3 == topic[:, None])
    np.save(root / "features" / "paper.words.npy", words.astype(np.float32))
    (root / "features" / "paper.words.ids.txt").write_text("\n".join(f"p{i}" for i in range(60)))
    assert asked("paper.topic") <= fitted("citations", root, tmp_path / "runs" / "citations")


def test_listeners_made_here(tmp_path):
    root = tmp_path / "listeners"
    root.mkdir()
    generator = np.random.default_rng(5)
    items = [(f"u{i}", "user") for i in range(25)] + [(f"a{i}", "artist") for i in range(30)] + [("t0", "tag"), ("t1", "tag")]
    write_csv(root / "items.csv", ("id", "kind"), items)
    links = [(f"u{u}", "listens", f"a{a}") for u in range(25) for a in generator.choice(30, 8, replace=False)]
    links += [(f"u{u}", "friend_of", f"u{(u + 1) % 25}") for u in range(25)] + [
        (f"a{a}", "has_tag", f"t{a % 2}") for a in range(30)
    ]
    write_csv(root / "links.csv", ("source", "relation", "target"), links)
    found = fitted(
        "recommend", root, tmp_path / "runs" / "recommend", "--evaluate.baselines", "[popularity, content_knn, ease]"
    )
    assert {method for _, method in found} == {"mmgraph", "gnn", "popularity", "ease", "content:tag"}
    assert asked("user/listens/artist") <= found


@pytest.mark.real
def test_real_tables(shared, tmp_path):
    """A tenth of the exercises, with their photos, texts and links."""
    whole, root = shared / "data" / "exercises", tmp_path / "exercises"
    items = read_csv(whole / "items.csv")
    exercises = [row["id"] for row in items if row["kind"] == "exercise"]
    left_out = set(exercises) - set(exercises[::8])
    links = read_csv(whole / "links.csv")
    left_out |= {
        row["target"] for row in links if row["source"] in left_out and row["relation"] in ("shown_in", "described_by")
    }
    linked = {row[end] for row in links if not {row["source"], row["target"]} & left_out for end in ("source", "target")}
    labels = read_csv(whole / "labels.csv")
    values = [row["value"] for row in labels if row["field"] == "category" and row["id"] not in left_out]
    few = {row["id"] for row in labels if row["field"] == "category" and values.count(row["value"]) < 4}
    kept = [row for row in items if row["id"] in linked]
    for row in kept:
        if row["path"]:
            (root / row["path"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(whole / row["path"], root / row["path"])
    names = {row["id"] for row in kept}
    _written(root / "items.csv", kept)
    _written(root / "links.csv", [row for row in links if {row["source"], row["target"]} <= names])
    _written(root / "labels.csv", [row for row in labels if row["id"] in names and row["id"] not in few])
    found = fitted("tables", root, tmp_path / "runs" / "tables", "--split.labels.k", "2")
    assert asked("image/follows/image", "exercise/works/muscle", "exercise.category") <= found


def _written(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.real
def test_real_videos(shared, tmp_path):
    """Real files of three containers, with and without sound."""
    found = fitted("folder", shared / "data" / "videos", tmp_path / "runs" / "folder")
    assert asked("segment/follows/segment") <= found
    graph = json.loads((tmp_path / "runs" / "folder" / "graph.json").read_text())
    present = {(one["kind"], one["modality"]): one["present"] for one in graph["features"]}
    assert 0 < present["segment", "audio"] < present["segment", "image"]
