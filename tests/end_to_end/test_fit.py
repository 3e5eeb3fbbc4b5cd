"""``mmgraph fit --config configs/video.yaml`` from a small sample corpus to everything in the run folder."""

import contextlib
import io
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from runs_made import QUICK, contents, half_written, read_csv, write_csv

from mmgraph.cli import main
from mmgraph.corpus import CorpusSize, make, plan
from mmgraph.encode.contract import Encoder
from mmgraph.outputs.embeddings import read_embeddings

ROOT = Path(__file__).resolve().parents[2]
VIDEO = ROOT / "configs" / "video.yaml"
SEED, SIZE = 3, CorpusSize(videos=16, images=8, music=10, texts=16, users=16)
EPOCHS = 30
TOP_K = 4
RELATIONS = ("segment/follows/segment", "video/set_to/music")


@dataclass(frozen=True)
class Finished:
    """A run that ended, and what it printed."""

    folder: Path
    corpus: Path
    words: tuple[str, ...]
    printed: str

    def table(self, name):
        table = pd.read_csv(self.folder / "predictions" / f"{name}.csv", keep_default_na=False)
        pieces = [column for column in table if column.startswith(("score.", "evidence."))]  # empty for other relations
        return table.assign(**{column: pd.to_numeric(table[column]) for column in pieces})

    def json(self, name):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Sixteen videos are too few for eight categories: two become one; two videos have no label."""
    folder = tmp_path_factory.mktemp("made") / "corpus"
    make(folder, SEED, SIZE, workers=2)
    rows = read_csv(folder / "labels.csv")
    names = sorted({row["value"] for row in rows})
    merged = {name: names[index // 2] for index, name in enumerate(names)}
    rows = [(row["id"], row["field"], merged[row["value"]]) for row in rows[:-2]]
    write_csv(folder / "labels.csv", ("id", "field", "value"), rows)
    return folder


def called(*words):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["fit", *map(str, words)]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    words = (
        "--config", str(VIDEO), "--catalogue.root", str(corpus), *QUICK, "--model.width", "16",
        "--trainer.max_epochs", str(EPOCHS), "--outputs.top_k", str(TOP_K), "--outputs.examples", "2",
    )  # fmt: skip
    return Finished(folder, corpus, words, called(*words, "--run.dir", folder))


def test_nothing_is_left_half_written(finished):
    assert len(contents(finished.folder)) > 20
    assert not half_written(finished.folder.parent)


def test_what_is_printed_ends_with_the_report(finished):
    lines = finished.printed.splitlines()
    assert lines[-1] == str(finished.folder / "report" / "index.html")
    assert lines[-2] == f"4 files were set aside, see {finished.folder / 'quarantine.csv'}"
    for target in (*RELATIONS, "segment.category"):
        assert any(line.startswith(f"{target}: mmgraph ") for line in lines), target
        assert any(line.startswith(f"{target}  (test, n = ") for line in lines), target


def test_metrics_are_a_flat_list_with_ours_the_network_and_the_baselines(finished):
    rows = finished.json("metrics.json")
    keys = ["task", "target", "split", "method", "metric", "value", "low", "high", "n", "group", "candidates"]
    assert all(list(row) == keys for row in rows)
    for row in rows:
        assert math.isfinite(row["value"])
        assert row["low"] <= row["high"]
        assert row["n"] > 0
    assert {row["candidates"] for row in rows if row["task"] == "links"} == {"kind", "parent", "sampled"}
    groupings = {row["group"].partition("=")[0] for row in rows if row["target"] == "segment/follows/segment"}
    assert groupings == {"", "answer_degree", "query_degree", "modality", "warmth"}
    methods = {
        (target, split): {row["method"] for row in rows if (row["target"], row["split"]) == (target, split)}
        for target in (*RELATIONS, "segment.category")
        for split in ("valid", "test")
    }
    links = {"mmgraph", "gnn", "popularity", "nearest:image", "nearest:audio", "common_neighbours", "fastrp+knn"}
    labels = {"mmgraph", "gnn", "majority", "label_propagation", "logistic:image", "logistic:audio", "logistic:all"}
    for split in ("valid", "test"):
        assert links | {"next_in_time"} <= methods["segment/follows/segment", split]
        assert links - {"nearest:image"} <= methods["video/set_to/music", split]
        assert labels <= methods["segment.category", split]
    main_metrics = {"links": "mrr", "categories": "accuracy"}
    for task, metric in main_metrics.items():
        assert {row["target"] for row in rows if (row["task"], row["metric"]) == (task, metric)}


def test_a_verdict_and_the_evidence_for_each_question(finished):
    verdicts, evidence = finished.json("verdict.json"), finished.json("evidence.json")
    targets = [*RELATIONS, "segment.category"]
    assert [one["target"] for one in verdicts] == [one["target"] for one in evidence] == targets
    rows = finished.json("metrics.json")
    for one in verdicts:
        ours = {(row["method"], row["metric"]): row["value"] for row in rows
                if (row["target"], row["split"], row["group"]) == (one["target"], "test", "")}  # fmt: skip
        assert one["mmgraph"] == ours["mmgraph", one["metric"]]
        assert one["difference"] == pytest.approx(one["mmgraph"] - one["baseline_value"])
        best = max(
            value for (method, metric), value in ours.items() if metric == one["metric"] and method not in ("mmgraph", "gnn")
        )
        assert one["baseline_value"] == best


@pytest.mark.parametrize("name", ["links", "held_out", "labels"])
def test_parquet_and_csv_hold_the_same(finished, name):
    parquet = pd.read_parquet(finished.folder / "predictions" / f"{name}.parquet")
    pd.testing.assert_frame_equal(parquet, finished.table(name), check_dtype=False, rtol=1e-5)
    assert len(parquet)


def ids(finished, kind):
    return read_embeddings(finished.folder / "embeddings", kind)[0]


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_source_has_its_likeliest_targets(finished, relation):
    links = finished.table("links")
    links = links[links["relation"] == relation]
    source, _, target = relation.split("/")
    assert list(links["source"].unique()) == ids(finished, source)
    assert set(links["target"]) <= set(ids(finished, target))
    assert links["probability"].between(0, 1).all()
    assert not links.duplicated(["source", "target"]).any()
    for name, some in links.groupby("source"):
        free = some[~some["known"]]
        candidates = len(ids(finished, target)) - len(known_of(finished, relation).get(name, ())) - (source == target)
        assert free["rank"].tolist() == list(range(1, min(TOP_K, candidates) + 1))
        assert (free["score"].diff().dropna() <= 0).all()
        assert some["rank"].between(1, TOP_K).all()
    if relation == RELATIONS[0]:
        assert (links["source"] != links["target"]).all()


def known_of(finished, relation):
    """Source -> targets of the links that there are, worked out from the corpus."""
    if relation == RELATIONS[1]:
        videos, music = set(ids(finished, "video")), set(ids(finished, "music"))
        rows = [
            (row["source"], row["target"]) for row in read_csv(finished.corpus / "links.csv") if row["relation"] == "set_to"
        ]
        pairs = [pair for pair in rows if pair[0] in videos and pair[1] in music]
    else:
        segments = ids(finished, "segment")
        pairs = [(a, b) for a, b in itertools.pairwise(segments) if a.split("#")[0] == b.split("#")[0]]
    found: dict[str, set[str]] = {}
    for source, target in pairs:
        found.setdefault(source, set()).add(target)
    return found


@pytest.mark.parametrize("relation", RELATIONS)
def test_known_links_are_marked_and_held_out_ones_listed(finished, relation):
    known = {(source, target) for source, targets in known_of(finished, relation).items() for target in targets}
    links = finished.table("links")
    links = links[links["relation"] == relation]
    pairs = list(zip(links["source"], links["target"], strict=True))
    assert [pair in known for pair in pairs] == links["known"].tolist()
    assert links["known"].any()
    held = finished.table("held_out")
    held = held[held["relation"] == relation]
    assert set(zip(held["source"], held["target"], strict=True)) <= known
    counted = {one["relation"]: one for one in finished.json("graph.json")["relations"]}[relation]
    assert counted["edges"] == len(known)
    assert held["split"].value_counts().to_dict() == {part: counted[part] for part in ("valid", "test")}


def test_every_segment_has_a_label_and_says_why(finished):
    labels = finished.table("labels")
    assert labels["id"].tolist() == ids(finished, "segment")
    assert set(labels["field"]) == {"category"}
    given = {row["id"]: row["value"] for row in read_csv(finished.corpus / "labels.csv")}
    truth = labels["id"].str.split("#").str[0].map(given)
    assert set(labels["value"]) <= set(given.values())
    assert ((labels["split"] == "unlabelled") == truth.isna()).all()
    assert (labels["split"] == "unlabelled").sum() >= 2
    assert labels["probability"].between(0, 1).all()
    shown = truth[labels["split"] == "train"].value_counts()
    assert shown.to_dict() == dict.fromkeys(set(given.values()), 3)
    video = labels["id"].str.split("#").str[0]
    sides = labels[labels["split"].isin(["train", "valid", "test"])].groupby(video)["split"].unique()
    assert all(len(side) == 1 for side in sides)
    test = labels["split"] == "test"
    confusion = finished.json("predictions/confusion.json")[0]
    assert np.sum(confusion["counts"]) == test.sum()
    right = (labels["value"] == truth)[test].mean()
    assert np.trace(confusion["counts"]) / test.sum() == pytest.approx(right)
    ours = [row["value"] for row in finished.json("metrics.json")
            if (row["method"], row["metric"], row["split"]) == ("mmgraph", "accuracy", "test")]  # fmt: skip
    assert ours == [pytest.approx(right)]


def test_every_item_has_an_embedding(finished):
    kinds = finished.json("graph.json")["kinds"]
    assert set(kinds) == {"video", "segment", "image", "music", "text", "user"}
    assert (kinds["video"], kinds["image"], kinds["music"], kinds["user"]) == (16, 8, 10, 16)
    for kind, count in kinds.items():
        names, vectors = read_embeddings(finished.folder / "embeddings", kind)
        assert (len(names), vectors.shape, vectors.dtype) == (count, (count, 16), np.float32)
        assert len(set(names)) == count


def test_exactly_the_broken_files_are_set_aside(finished):
    rows = read_csv(finished.folder / "quarantine.csv")
    broken = plan(SEED, SIZE).broken
    assert len(broken) == 4
    assert sorted(row["id"] for row in rows) == sorted(broken)
    assert {row["path"] for row in rows} == {str(finished.corpus / name) for name in broken}
    assert all(row["reason"] for row in rows)


def test_the_run_says_what_it_was_made_with(finished):
    encoders = finished.json("encoders.json")
    assert {modality: one["card"]["name"] for modality, one in encoders.items()} == {
        "image": "image_statistics", "audio": "sound_statistics", "text": "hashed_ngrams",
    }  # fmt: skip
    assert all(one["passed_over"] == [] for one in encoders.values())
    features = {(one["kind"], one["modality"]): one for one in finished.json("graph.json")["features"]}
    assert {("segment", "image"), ("segment", "audio"), ("music", "audio"), ("text", "text")} <= features.keys()
    assert features["music", "audio"]["present"] == 10
    versions = finished.json("versions.json")
    assert {"torch", "lightning", "dgl", "numpy", "mmgraph"} <= versions["packages"].keys()
    assert versions["seed"] == 7
    assert {"links.csv", "labels.csv", "items.csv"} <= versions["data"].keys()


def test_curves_have_the_losses_and_figures_of_every_epoch(finished):
    rows = read_csv(finished.folder / "curves.csv")
    names = {row["name"] for row in rows}
    assert {"valid/score", "valid/segment/follows/segment/mrr", "valid/segment.category/accuracy"} <= names
    scores = [int(row["epoch"]) for row in rows if row["name"] == "valid/score"]
    assert scores == list(range(EPOCHS))


def test_the_report_stands_alone_and_names_what_was_set_aside(finished):
    page = (finished.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", page)
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", page)
    assert page.count("data:image/") > 4
    for name in (*plan(SEED, SIZE).broken, *RELATIONS, "next_in_time", "image_statistics"):
        assert name in page, name


def test_the_log_is_one_object_a_line(finished):
    lines = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(list(line) == ["time", "level", "logger", "message"] for line in lines)
    assert any("image by image_statistics" in line["message"] for line in lines)
    assert any(line["level"] == "warning" and "4 files cannot be read" in line["message"] for line in lines)


SAME = ("metrics.json", "verdict.json", "evidence.json", "curves.csv", "quarantine.csv", "graph.json", "encoders.json")


def same_numbers(first, second):
    one, two = contents(first), contents(second)
    names = [name for name in one if name in SAME or name.startswith(("predictions/", "embeddings/"))]
    assert len(names) > 15
    assert [name for name in names if one[name] != two.get(name)] == []


def test_its_settings_run_it_again_to_the_same_numbers_and_nothing_is_encoded_again(finished, monkeypatch):
    def refuse(*_):
        raise AssertionError("the store has every vector")

    monkeypatch.setattr(Encoder, "encode", refuse)
    second = finished.folder.parent / "second"
    called("--config", finished.folder / "settings.yaml", "--run.dir", second, "--outputs.report", "false")
    same_numbers(finished.folder, second)


def waited(process, happened, patience_s=240.0):
    """Wait until something is so; the process must still be running then."""
    until = time.monotonic() + patience_s
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)


def started(words):
    """In another process, with as many threads as here: another number of threads adds up in another order."""
    code = "import sys; from mmgraph.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "fit", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_interrupted_then_killed_it_ends_with_the_same_numbers(finished):
    """Ctrl-C in training, the same command again, kill -9 in training of the second model, the same command again."""
    folder = finished.folder.parent / "interrupted"
    words = (*finished.words, "--run.dir", str(folder))
    first, second = (folder / "tried" / str(number) / "last.ckpt" for number in (0, 1))

    process = started(words)
    waited(process, first.exists)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "mmgraph: interrupted; the same command goes on from here"
    assert "Traceback" not in err
    assert not (folder / "metrics.json").exists()
    assert not half_written(folder)

    process = started(words)
    waited(process, second.exists)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "metrics.json").exists()

    called(*words)
    same_numbers(finished.folder, folder)
    log = (folder / "log.jsonl").read_text(encoding="utf-8")
    assert log.count("training goes on from") == 3  # the first model twice


OTHER = {
    "neighbours, attention, pairwise losses": (
        "--model.batches.mode", "neighbours", "--model.batches.fanouts", "[5, 5]", "--model.batches.size", "64",
        "--model.layer", "gat", "--tasks.0.scorer", "mlp", "--tasks.0.loss", "bce", "--tasks.0.negatives", "in_batch",
        "--tasks.1.scorer", "dist_mult", "--tasks.1.loss", "bpr",
    ),
    "full graph, similar edges, one layer": (
        "--graph.edges", "[follows, contains, attached, {class_path: Similar, init_args: {kind: segment, modality: image, k: 3}}]",
        "--model.depth", "1", "--model.fusion", "mean", "--tasks.0.negatives", "in_batch", "--model.batches.mode", "full",
        "--split.labels.method", "fraction", "--split.labels.fraction", "0.2", "--outputs.formats", "[csv]",
        "--evaluate.baselines", "[popularity, nearest, majority]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER)
def test_other_settings_run_as_well(finished, case):
    folder = finished.folder.parent / case.split(",")[0].replace(" ", "_")
    words = (*finished.words, "--model.candidates", "[]", *OTHER[case], "--run.dir", str(folder))
    words += ("--trainer.max_epochs", "3", "--outputs.report", "false")
    assert called(*words).splitlines()[-1] == str(folder)
    rows = json.loads((folder / "metrics.json").read_text())
    assert {row["target"] for row in rows if row["method"] == "gnn"} == {*RELATIONS, "segment.category"}
    assert all(math.isfinite(row["value"]) for row in rows)


def test_few_labels_are_learnt_by_one_of_three_models(finished):
    run = finished.folder.parent / "few_labels"
    words = ["--config", VIDEO.with_name("few_labels.yaml"), "--catalogue.root", finished.corpus, *QUICK, "--run.dir", run]
    printed = called(*words, "--split.labels.k", 2, "--model.width", 16, "--trainer.max_epochs", 5)
    tried = json.loads((run / "models.json").read_text())
    assert [one["name"] for one in tried] == ["sage", "sgc, depth 3", "appnp, depth 10"]
    taken = max(tried, key=lambda one: one["value"])
    assert taken["chosen"]
    assert f"of 3 models validation chose {taken['name']} ({taken['value']:.3f})" in printed


def test_encode_alone_fills_the_store(finished, capsys):
    words = finished.words[: finished.words.index("--model.width")]
    assert main(["encode", *words, "--run.dir", str(finished.folder.parent / "none")]) == 0
    out, _ = capsys.readouterr()
    assert re.fullmatch(
        r"image: 0 encoded \d+ cached \d+ absent by image_statistics\n"
        r"audio: 0 encoded \d+ cached \d+ absent by sound_statistics\n"
        r"text: 0 encoded \d+ cached \d+ absent by hashed_ngrams\n",
        out,
    ), out
    assert not (finished.folder.parent / "none").exists()
