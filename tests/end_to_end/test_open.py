"""A class that nobody ever labels: what a run says of its items, from the command line to the files."""

import json

import pandas as pd
import pytest
from runs_made import write_csv


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


def test_two_hidden_classes_are_less_sure_and_mostly_unknown(asked):
    """Five subjects of words of their own; of two no label is ever shown."""
    words = ("sea wave boat", "wood tree leaf", "town street house", "ice snow cold", "desert sand heat")
    texts = [(f"t{i}", "text", f"{words[i % 5]} {words[i % 5].split()[i // 5 % 3]}") for i in range(100)]
    write_csv(asked.root / "items.csv", ("id", "kind", "text"), texts)
    write_csv(asked.root / "links.csv", ("source", "relation", "target"), [])
    write_csv(asked.root / "labels.csv", ("id", "field", "value"), [(f"t{i}", "topic", "vwxyz"[i % 5]) for i in range(100)])
    status, _, err = asked(
        "--split.labels.open=[v, w]", "--tasks=[{class_path: Categories, init_args: {field: topic}}]", "--trainer.max_epochs=15",
        "--evaluate.label_precision=0.95", "--evaluate.baselines=[majority]", "--outputs.report=false",
    )  # fmt: skip
    assert (status, err) == (0, "")
    labels = pd.read_parquet(asked.run / "predictions/labels.parquet")
    hidden, test = labels["split"] == "open", labels["split"] == "test"
    assert labels["id"][hidden].tolist() == [f"t{i}" for i in range(100) if i % 5 < 2]
    assert set(labels["value"]) == {"x", "y", "z"}
    assert labels["unknown"][hidden].mean() > 0.5 > labels["unknown"][test].mean()
    rows = {
        row["method"]: row for row in json.loads((asked.run / "metrics.json").read_text()) if row["metric"] == "auroc/open"
    }
    sure, known = labels["probability"].to_numpy(), test.to_numpy()
    pairs = sure[known][:, None] - sure[hidden][None, :]
    assert rows["mmgraph"]["value"] == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2, abs=1e-6)
    assert rows["mmgraph"]["value"] > 0.9 > rows["majority"]["value"] == 0.5
