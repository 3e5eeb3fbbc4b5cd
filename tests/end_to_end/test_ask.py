"""`mmgraph ask` on the run of a small folder of tables."""

import csv

import numpy as np
import pandas as pd
import pytest
from runs_made import Asked, half_written, read_csv

from mmgraph.cli import main
from mmgraph.evaluate.strategies.uncertain import Uncertain
from mmgraph.labelling import ask_question, askable, labelled
from mmgraph.rerun import reopen


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = Asked(tmp_path_factory.mktemp("ask"))
    made.write_books()
    made.set(tasks=[{"class_path": "Categories", "init_args": {"field": "topic"}}], outputs={"report": False})
    words = ("--encoders.text", "[hashed_ngrams]", "--split.labels.k", 2, "--evaluate.baselines", "[majority]")
    assert made(*words)[0] == 0
    return made.run


def called(capsys, *words):
    capsys.readouterr()
    status = main(["ask", *map(str, words)])
    return (status, *capsys.readouterr())


def test_the_items_that_the_strategy_picks_as_a_table_to_fill_in(run, tmp_path, capsys):
    status, out, err = called(capsys, run, "--n", 5)
    assert status == 0, err
    assert out.splitlines()[-2:] == ["write into the column value one of: x, y, z", str(run / "asked.csv")]
    rows = read_csv(run / "asked.csv")
    assert [row["value"] for row in rows] == [""] * 5
    assert all(row["id"] in out for row in rows)
    opened = reopen(run)
    split, ids = opened.split.labels["text.topic"], opened.graph.ids["text"]
    held = {int(ids[i][1:]) // 6 for i in (*split.valid, *split.test)}
    free = [i for i in range(60) if (i in (8, 9) or i >= 36) and i // 6 not in held]
    assert [int(ids[i][1:]) for i in askable(opened, split)] == free
    one = labelled(opened, "text.topic")
    question = ask_question(opened.graph, one, np.array(free), "parent")
    assert [row["id"] for row in rows] == [f"t{free[i]}" for i in Uncertain().pick(question, 5, 7)]
    assert len({int(row["id"][1:]) // 6 for row in rows}) == min(5, len({i // 6 for i in free}))
    table = pd.read_parquet(run / "predictions" / "labels.parquet").set_index("id")
    for row in rows:
        assert row["likeliest"] == table.loc[row["id"], "value"]
        assert float(row["probability"]) == pytest.approx(table.loc[row["id"], "probability"], abs=1e-4)
        top = np.sort(one.answer.probabilities[int(row["id"][1:])].astype(float))
        assert float(row["uncertainty"]) == pytest.approx(1 - top[-1] + top[-2], abs=1e-3)
        number = int(row["id"][1:])
        assert (row["field"], row["text"]) == ("topic", f"{('sea', 'wood', 'town')[number % 3]} number {number}")
    assert called(capsys, run, "--n", 5, "--to", tmp_path / "again.csv")[0] == 0
    assert read_csv(tmp_path / "again.csv") == rows
    assert not half_written(run)
    status, out, err = called(capsys, run, "--n", 999, "--by", "core_set", "--to", tmp_path / "all.csv")
    assert sorted(int(row["id"][1:]) for row in read_csv(tmp_path / "all.csv")) == free


def test_answers_that_nobody_has_taken_are_not_written_over(run, tmp_path, capsys):
    file = tmp_path / "mine.csv"
    assert called(capsys, run, "--n", 2, "--to", file)[0] == 0
    rows = read_csv(file)
    rows[1]["value"] = "y"
    with open(file, "w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    before = file.read_bytes()
    status, _, err = called(capsys, run, "--n", 2, "--to", file)
    assert status == 2
    assert f"{file} has 1 answers that the run has not taken; given: {rows[1]['id']}: y" in err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "ask needs one run folder; given: none"),
        (("RUN", "--n", "few"), "--n needs a number; given: few"),
        (("RUN", "--n", "0"), "there is nothing to ask for; given: 0"),
        (("RUN", "--by", "bage"), "no strategy of this name; given: bage; did you mean badge?"),
        (("RUN", "--to", "x.parquet"), "--to must end in .csv; given: x.parquet"),
        (("RUN", "--field", "mood"), "the run was not trained for labels of this field; given: mood; it answers: text.topic"),
    ],
)
def test_what_cannot_be_asked_is_one_line(run, capsys, words, said):
    status, _, err = called(capsys, *(run if word == "RUN" else word for word in words))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
