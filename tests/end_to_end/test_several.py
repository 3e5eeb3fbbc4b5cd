"""A field whose items have several values, from the tables to what a run hands out."""

import json

import pandas as pd
from runs_made import write_csv

from mmgraph.graph.heterograph import load
from mmgraph.outputs.export.contents import of_run


def test_a_field_of_several_values_goes_all_the_way(asked):
    rows = [(f"t{i}", "topic", "xyz"[i % 3]) for i in range(34)]
    rows += [(f"t{i}", "topic", "even") for i in range(0, 34, 2)]
    write_csv(asked.root / "labels.csv", ("id", "field", "value"), rows)
    status, _, err = asked("--tasks.1.balance=weights")
    assert (status, err) == (0, "")
    labels = load(asked.run / "graph").labels["text", "topic"]
    assert labels.classes == ("even", "x", "y", "z")
    assert labels.several.sum() == len(rows)
    table = pd.read_parquet(asked.run / "predictions/labels.parquet")
    assert table["id"].nunique() == 36
    assert not table.duplicated(["id", "value"]).any()
    metrics = json.loads((asked.run / "metrics.json").read_text())
    ours = {
        row["metric"] for row in metrics if (row["target"], row["method"], row["split"]) == ("text.topic", "mmgraph", "test")
    }
    assert {"lrap", "map", "micro_f1", "macro_f1", "subset_accuracy", "ece", "share/answered"} <= ours
    methods = {row["method"] for row in metrics if row["target"] == "text.topic"}
    assert {"mmgraph", "gnn", "majority", "nearest_labelled", "label_propagation", "logistic:text"} <= methods
    verdict = next(one for one in json.loads((asked.run / "verdict.json").read_text()) if one["target"] == "text.topic")
    assert verdict["metric"] == "lrap"
    exported = of_run(asked.run).labels
    assert sorted(exported[["id", "value"]].itertuples(index=False, name=None)) == sorted(
        (item, value) for item, _, value in rows
    )
    assert exported.groupby("id")["split"].nunique(dropna=False).max() == 1
    assert "Label ranking precision" in (asked.run / "report/index.html").read_text()
