"""Predicted labels and the confusion matrix."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mmgraph.errors import RunError, StoreError
from mmgraph.evaluate.unknown import LabelTrust
from mmgraph.outputs.labels import LabelPrediction, confusion, write_labels
from mmgraph.settings import OutputSettings

from .conftest import label_question


def test_every_item_has_a_row_and_its_split(tmp_path):
    question = label_question([0, 1, 1, 0, -1, 1], train=[0], valid=[1], test=[2, 3])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5], [0.3, 0.7], [0, 1]], dtype=np.float32)
    write_labels([LabelPrediction(question, probabilities)], tmp_path, OutputSettings())
    table = pd.read_parquet(tmp_path / "labels.parquet")
    assert list(table) == ["id", "field", "value", "probability", "unknown", "split"]
    assert not table["unknown"].any()
    assert table["value"].tolist() == ["a", "b", "a", "a", "b", "b"]
    assert table["split"].tolist() == ["train", "valid", "test", "test", "unlabelled", "unused"]
    np.testing.assert_allclose(table["probability"], [0.9, 0.8, 0.6, 0.5, 0.7, 1])
    pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "labels.csv"), check_dtype=False)
    written = json.loads((tmp_path / "confusion.json").read_text())
    assert written == [{"target": "segment.category", "method": "mmgraph", "classes": ["a", "b"], "counts": [[1, 0], [1, 0]]}]


def test_confusion_counts_one_by_one():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 60)
    test = np.arange(10, 60)
    probabilities = rng.dirichlet(np.ones(4), 60).astype(np.float32)
    question = label_question(truth, classes="wxyz", test=test)
    counts = np.zeros((4, 4), int)
    for item in test:
        counts[truth[item], int(np.argmax(probabilities[item]))] += 1
    assert confusion(LabelPrediction(question, probabilities))["counts"] == counts.tolist()


def test_nothing_and_one(tmp_path):
    write_labels([], tmp_path, OutputSettings())
    assert len(pd.read_parquet(tmp_path / "labels.parquet")) == 0
    empty = LabelPrediction(label_question([]), np.empty((0, 2), np.float32))
    write_labels([empty], tmp_path, OutputSettings())
    assert len(pd.read_csv(tmp_path / "labels.csv")) == 0
    one = LabelPrediction(label_question([-1]), np.array([[0.2, 0.8]], np.float32), method="gnn")
    write_labels([one], tmp_path, OutputSettings(formats=("parquet",)))
    assert pd.read_parquet(tmp_path / "labels.parquet")["value"].tolist() == ["b"]
    assert json.loads((tmp_path / "confusion.json").read_text())[0]["counts"] == [[0, 0], [0, 0]]


def test_a_shape_that_does_not_fit_writes_nothing(tmp_path):
    with pytest.raises(StoreError, match=r"segment.category do not fit: \(2, 2\) items and classes; given: \(2, 3\)"):
        write_labels([LabelPrediction(label_question([0, 1]), np.ones((2, 3), np.float32))], tmp_path, OutputSettings())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_files(tmp_path, full_disk):
    (tmp_path / "labels.parquet").write_text("old")
    with pytest.raises(RunError, match="No space left on device"):
        write_labels([LabelPrediction(label_question([0]), np.ones((1, 2), np.float32))], tmp_path, OutputSettings())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"labels.parquet": "old"}


def test_what_is_too_improbable_is_unknown_and_open_items_are_named(tmp_path):
    question = label_question([0, 1, -1, -1], train=[0], test=[1])
    question = replace(question, split=replace(question.split, open=np.array([3]), open_classes=("c",)))
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]], np.float32)
    trust = LabelTrust(0.8, 0.7, None)
    write_labels([LabelPrediction(question, probabilities, unknown=trust.unknown)], tmp_path, OutputSettings())
    table = pd.read_parquet(tmp_path / "labels.parquet")
    assert table["unknown"].tolist() == [False, True, False, True]
    assert table["value"].tolist() == ["a", "b", "b", "a"]
    assert table["split"].tolist() == ["train", "test", "unlabelled", "open"]
    nothing = LabelPrediction(question, probabilities, unknown=LabelTrust(0.8, None, None).unknown)
    write_labels([nothing], tmp_path, OutputSettings())
    assert pd.read_csv(tmp_path / "labels.csv")["unknown"].all()


def test_an_item_has_a_row_for_each_of_its_classes_and_one_at_least(tmp_path):
    question = label_question([0, 1, -1], classes="abc", train=[0], test=[1])
    labels = replace(question.split.labels, several=np.array([[True, True, False], [False, True, False], [False] * 3]))
    question = replace(question, split=replace(question.split, labels=labels))
    probabilities = np.array([[0.9, 0.7, 0.1], [0.2, 0.6, 0.5], [0.1, 0.3, 0.2]], np.float32)
    write_labels(
        [LabelPrediction(question, probabilities, unknown=LabelTrust(0.8, 0.55, None).unknown)], tmp_path, OutputSettings()
    )
    table = pd.read_parquet(tmp_path / "labels.parquet")
    assert [(row.id[-1], row.value, row.unknown, row.split) for row in table.itertuples()] == [
        ("0", "a", False, "train"),
        ("0", "b", False, "train"),
        ("1", "b", False, "test"),
        ("1", "c", True, "test"),
        ("2", "b", True, "unlabelled"),
    ]
    np.testing.assert_allclose(table["probability"], [0.9, 0.7, 0.6, 0.5, 0.3])
    assert json.loads((tmp_path / "confusion.json").read_text()) == []
