"""What a person asks for: some sources, probable enough, without what is known, in each format."""

import json

import numpy as np
import pandas as pd
import pytest

from mmgraph.errors import RunError, SettingsError
from mmgraph.outputs.predict import Asked, positions, write_predictions
from mmgraph.outputs.predictions import LinkPrediction, write_links
from mmgraph.settings import OutputSettings

from .conftest import Given, link_question
from .test_tiles import prepared

QUESTION = link_question("a/r/b", {"a": 20, "b": 9}, [(i, i % 9) for i in range(20)], test=[3])
SCORES = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)


def half(scores):
    return (1 / (1 + np.exp(-scores))).astype(np.float32)


def unsure(sources, probability):
    return (probability < 0.6) | (sources == 4)


ONE = LinkPrediction(QUESTION, Given(SCORES), half, unsure)
READ = {"parquet": pd.read_parquet, "csv": pd.read_csv, "json": lambda path: pd.DataFrame(json.loads(path.read_text()))}


def asked(folder, **words):
    done = write_predictions(ONE, Asked(**words), folder)
    return done, READ[words.get("format", "parquet")](done.path)


@pytest.mark.parametrize("form", READ)
def test_all_sources_are_the_file_that_fit_writes(tmp_path, form):
    write_links([ONE], tmp_path, OutputSettings(top_k=4))
    done, table = asked(tmp_path / "other", top_k=4, format=form)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "links.parquet"), table, check_dtype=False, rtol=1e-5)
    assert done.path.name == f"asked.a.r.b.{form}"
    assert (done.rows, done.sources, done.abstained) == (len(table), 20, table["abstain"].sum())
    assert (table["abstain"] == ((table["probability"] < 0.6) | (table["source"] == "a:4"))).all()
    assert [path.name for path in (tmp_path / "other").iterdir()] == [done.path.name]
    assert "exact" in done.text


def test_some_sources_probable_ones_and_only_new_ones(tmp_path):
    _, every = asked(tmp_path, top_k=5)
    done, table = asked(
        tmp_path, top_k=5, sources=("a:7", "a:2", "a:7"), threshold=0.55, exclude_known=True, to=tmp_path / "x" / "y.parquet"
    )
    wanted = every[every["source"].isin(["a:7", "a:2"]) & (every["probability"] >= 0.55) & ~every["known"]]
    key = ["source", "rank"]
    pd.testing.assert_frame_equal(table.sort_values(key, ignore_index=True), wanted.sort_values(key, ignore_index=True))
    assert list(table["source"].unique()) == ["a:7", "a:2"]
    assert done.path == tmp_path / "x" / "y.parquet"
    assert (done.sources, done.rows) == (2, len(table))


@pytest.mark.parametrize("form", READ)
def test_nothing_is_a_whole_file_too(tmp_path, form):
    done, table = asked(tmp_path, threshold=1.0, format=form)
    assert (done.rows, len(table), done.abstained) == (0, 0, 0)


def test_json_holds_any_id(tmp_path):
    question = link_question("a/r/b", {"a": 1, "b": 1}, [])
    question.graph.ids["a"][0] = 'é "quoted"\n☃'
    done = write_predictions(
        LinkPrediction(question, Given(np.ones((1, 1), np.float32)), half), Asked(format="json"), tmp_path
    )
    (row,) = json.loads(done.path.read_text(encoding="utf-8"))
    assert row["source"] == 'é "quoted"\n☃'
    assert (row["rank"], row["known"], row["abstain"]) == (1, False, False)
    assert row["probability"] == pytest.approx(half(np.ones(1))[0])


def test_vectors_give_the_same_as_scores_and_an_index_says_its_recall(tmp_path):
    rng = np.random.default_rng(2)
    sources, targets = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=(9, 3)).astype(np.float32)
    by_vectors, by_scores = (
        LinkPrediction(QUESTION, method, half) for method in (prepared(sources, targets), Given(sources @ targets.T, "gnn"))
    )
    tables = [
        pd.read_parquet(write_predictions(one, Asked(top_k=3, approximate=near), tmp_path).path)
        for one, near in ((by_scores, False), (by_vectors, False), (by_vectors, True))
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-5)
    pd.testing.assert_frame_equal(tables[0], tables[2], rtol=1e-5)
    done = write_predictions(by_vectors, Asked(top_k=3, approximate=True), tmp_path)
    assert "approximate: 100.0% of the exact best are found (1 of 1 cells looked into)" in done.text
    with pytest.raises(RunError, match="cannot be searched by an index"):
        write_predictions(by_scores, Asked(approximate=True), tmp_path)


def test_positions_are_in_the_order_asked():
    assert positions(QUESTION, ()).tolist() == list(range(20))
    assert positions(QUESTION, ("a:3", "a:0", "a:3")).tolist() == [3, 0]


WRONG = {
    "a format": ({"format": "xml"}, "no such --format; given: xml; known: parquet, csv, json"),
    "a number": ({"top_k": 0}, "--top-k must be 1 at least; given: 0"),
    "a probability": ({"threshold": 1.5}, "--threshold must be between 0 and 1; given: 1.5"),
    "a recall": ({"recall": -1.0}, "--recall must be between 0 and 1; given: -1.0"),
    "a source": ({"sources": ("a:33",)}, "no item of kind a has this id; given: a:33; did you mean a:3"),
    "a strange source": ({"sources": ("zzz",)}, r"given: zzz; the ids of this kind: embeddings/a\.ids\.txt"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line_and_leave_nothing(tmp_path, case):
    words, message = WRONG[case]
    with pytest.raises(SettingsError, match=message):
        write_predictions(ONE, Asked(**words), tmp_path)
    with pytest.raises(SettingsError, match=r"--to must end as its format; given: .*x\.csv; name it x\.json"):
        write_predictions(ONE, Asked(format="json", to=tmp_path / "x.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", READ)
def test_a_full_disk_leaves_nothing(tmp_path, full_disk, form):
    with pytest.raises(RunError, match="No space left on device"):
        write_predictions(ONE, Asked(format=form), tmp_path)
    assert list(tmp_path.iterdir()) == []
