"""A class that nobody ever labels: what a run says of its items, from the command line to the files."""

import json

import pandas as pd


def test_items_of_a_hidden_class_are_measured_apart(asked):
    status, _, err = asked("--split.labels.open=[z]", "--evaluate.label_precision=0.9", "--evaluate.baselines=[majority]")
    assert (status, err) == (0, "")
    labels = pd.read_parquet(asked.run / "predictions/labels.parquet")
    hidden = labels["split"] == "open"
    assert labels["id"][hidden].tolist() == [f"t{i}" for i in range(34) if i % 3 == 2]
    assert set(labels["value"]) <= {"x", "y"}
    rows = [row for row in json.loads((asked.run / "metrics.json").read_text()) if row["metric"] == "auroc/open"]
    assert {row["method"] for row in rows} == {"mmgraph", "gnn", "majority"}
    assert next(row["value"] for row in rows if row["method"] == "majority") == 0.5
    assert {row["n"] for row in rows} == {hidden.sum() + (labels["split"] == "test").sum()}
    told = [one for one in json.loads((asked.run / "calibration.json").read_text()) if "field" in one]
    assert [(one["field"], one["precision"]) for one in told] == [("text.topic", 0.9)]
    threshold = told[0]["threshold"]
    unknown = labels["probability"] < (2.0 if threshold is None else threshold)
    assert (labels["unknown"] == unknown).all()
    summary = json.loads((asked.run / "graph.json").read_text())["labels"][0]
    assert (summary["classes"], summary["open"]) == (["x", "y"], ["z"])
    assert "count as unknown" in (asked.run / "report/index.html").read_text()
