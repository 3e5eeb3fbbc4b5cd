"""`mmgraph label` on the run of a small folder of tables."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from runs_made import Asked, half_written

from mmgraph.cli import main
from mmgraph.labelling import chosen_fields, labelled
from mmgraph.rerun import reopen
from mmgraph.split.unlabelled import unlabelled


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """36 texts, of which two have no topic, and half of them a second field of several values."""
    made = Asked(tmp_path_factory.mktemp("label"))
    made.add("labels.csv", *(f"t{i},about,{value}" for i in range(18) for value in ("ab"[i % 2], *"c" * (i % 3 == 0))))
    tasks = [{"class_path": "Categories", "init_args": {"field": field}} for field in ("topic", "about")]
    made.set(tasks=tasks, outputs={"report": False})
    words = ("--encoders.text", "[hashed_ngrams]", "--split.labels.k", 2, "--evaluate.label_precision", 0.3)
    assert made(*words, "--evaluate.baselines", "[majority, label_propagation]")[0] == 0
    return made.run


def called(capsys, *words):
    capsys.readouterr()
    status = main(["label", *map(str, words)])
    return (status, *capsys.readouterr())


def slow_examples(opened, target, row):
    """The three labelled items nearest to the row's, one by one."""
    one, ids = labelled(opened, target), opened.split.visible.ids["text"].tolist()
    labels, vectors = one.answer.question.split.labels, one.vectors.astype(np.float64)
    here = vectors[ids.index(row["id"])]
    found = []
    for other in np.flatnonzero(labels.values >= 0):
        cosine = here @ vectors[other] / np.linalg.norm(here) / np.linalg.norm(vectors[other])
        found.append((1 - cosine, ids[other], ", ".join(np.array(labels.classes)[labels.has(np.array([other]))[0]])))
    return sorted(found)[:3]


def test_what_is_said_is_what_fit_said_with_the_nearest_examples(run, capsys):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    status, out, err = called(capsys, run)
    assert status == 0, err
    files = [run / "predictions" / f"unlabelled.{name}" for name in ("parquet", "csv")]
    assert out.splitlines()[-2:] == list(map(str, files))
    table = pd.read_parquet(files[0])
    pd.testing.assert_frame_equal(table, pd.read_csv(files[1]), check_dtype=False, rtol=1e-5)
    fitted = pd.read_parquet(run / "predictions" / "labels.parquet")
    fitted = fitted[fitted["split"] == "unlabelled"].reset_index(drop=True)
    same = ["id", "field", "value", "unknown"]
    pd.testing.assert_frame_equal(table[same], fitted[same])
    np.testing.assert_allclose(table["probability"], fitted["probability"], rtol=1e-5)
    assert (table["field"] == "topic").sum() == 2
    assert table.loc[table["field"] == "about", "id"].nunique() == 18
    opened = reopen(run)
    for _, row in table.iterrows():
        slow = slow_examples(opened, f"text.{row['field']}", row)
        np.testing.assert_allclose([row[f"distance_{i}"] for i in (1, 2, 3)], [d for d, _, _ in slow], atol=1e-5)
        apart = np.diff([d for d, _, _ in slow]).min() > 1e-5
        if apart:  # equally near ones may stand in any order
            found = [(row[f"near_{i}"], row[f"value_{i}"]) for i in (1, 2, 3)]
            assert found == [(name, value) for _, name, value in slow]
    assert {path: path.read_bytes() for path in before} == before
    assert not half_written(run)
    for line, field in zip(out.splitlines(), ("topic", "about"), strict=False):
        some = table[table["field"] == field]
        items, unknown = some["id"].nunique(), some.groupby("id")["unknown"].all().sum()
        assert line == f"text.{field}: {items} items without a label, {unknown} of them unknown"


def test_one_field_to_a_file_of_ones_own(run, tmp_path, capsys):
    to = tmp_path / "deep" / "mine.json"
    status, out, err = called(capsys, run, "--field", "text.topic", "--to", to)
    assert status == 0, err
    assert out.splitlines()[-1] == str(to)
    rows = json.loads(to.read_text())
    assert [row["id"] for row in rows] == ["t34", "t35"]
    assert set(rows[0]) == {"id", "field", "value", "probability", "unknown",
                            *(f"{name}_{i}" for name in ("near", "value", "distance") for i in (1, 2, 3))}  # fmt: skip


def test_an_item_of_an_open_class_is_no_item_without_a_label(run):
    opened = reopen(run)
    split = opened.split.labels["text.topic"]
    some = np.flatnonzero(split.labels.values < 0)[:1]
    assert len(unlabelled(split)) == 2
    assert unlabelled(replace(split, open=some)).tolist() == [i for i in unlabelled(split) if i != some[0]]
    assert chosen_fields(opened, None) == ["text.topic", "text.about"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "label needs one run folder; given: none"),
        (("RUN", "--field", "topi"), "the run was not trained for labels of this field; given: topi; it answers: text.topic, text.about"),
        (("RUN", "--to", "x.txt"), "--to must end in .parquet, .csv or .json; given: x.txt"),
        (("nowhere",), "this is no run folder; given: nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_line(run, capsys, words, said):
    status, _, err = called(capsys, *(run if word == "RUN" else word for word in words))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
