"""Predicted links: the brute-force top k, the known links among them, and files that are whole or not there."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import RunError
from mmgraph.outputs import predictions, streamed
from mmgraph.outputs.predictions import LinkPrediction, top_links, write_links
from mmgraph.settings import OutputSettings

from .conftest import Given, link_question


def half(scores):
    return (1 / (1 + np.exp(-scores))).astype(np.float32)


def slow(matrix, known, loops, top_k):
    """(source, target, rank, known) by sorting every row in Python."""
    rows = []
    for source, scores in enumerate(matrix):
        order = sorted(range(len(scores)), key=lambda t: (-scores[t], t))
        unknown = 0
        for target in order:
            if loops and target == source:
                continue
            if (source, target) in known:
                if unknown + 1 <= top_k:
                    rows.append((source, target, unknown + 1, True))
            else:
                unknown += 1
                if unknown <= top_k:
                    rows.append((source, target, unknown, False))
    return set(rows)


def fast(question, matrix, top_k):
    rows = []
    for _, top in top_links(question, Given(matrix), top_k):
        rows += list(zip(top.source.tolist(), top.target.tolist(), top.rank.tolist(), top.known.tolist(), strict=True))
    return rows


@pytest.mark.parametrize("sources, targets", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_nothing_or_one(tmp_path, sources, targets):
    question = link_question("a/r/b", {"a": sources, "b": targets}, [])
    matrix = np.zeros((sources, targets), dtype=np.float32)
    write_links([LinkPrediction(question, Given(matrix), half)], tmp_path, OutputSettings())
    table = pd.read_parquet(tmp_path / "links.parquet")
    columns = ["source", "relation", "target", "score", "probability", "rank", "known", "abstain"]
    assert list(table) == [*columns, "score.mmgraph", "evidence.mmgraph"]
    assert len(table) == sources * targets


def test_an_item_alone_has_no_target_of_its_own_kind():
    assert fast(link_question("a/r/a", {"a": 1}, [(0, 0)]), np.ones((1, 1), np.float32), 5) == []


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_top_k_is_what_sorting_every_row_gives(data):
    loops = data.draw(st.booleans())
    sources = data.draw(st.integers(1, 6))
    targets = sources if loops else data.draw(st.integers(1, 7))
    values = st.integers(-2, 2)  # many ties
    matrix = np.array(data.draw(st.lists(values, min_size=sources * targets, max_size=sources * targets)), dtype=np.float32)
    matrix = matrix.reshape(sources, targets)
    cells = st.tuples(st.integers(0, sources - 1), st.integers(0, targets - 1))
    known = data.draw(st.sets(cells, max_size=12))
    top_k = data.draw(st.integers(1, 5))
    counts = {"a": sources} if loops else {"a": sources, "b": targets}
    question = link_question("a/r/a" if loops else "a/r/b", counts, sorted(known))
    before = matrix.copy()
    found = fast(question, matrix, top_k)
    assert len(found) == len(set(found))
    assert set(found) == slow(matrix.tolist(), known, loops, top_k)
    assert found == sorted(found, key=lambda row: (row[0], row[2], not row[3], -matrix[row[0], row[1]], row[1]))
    np.testing.assert_array_equal(matrix, before)


def test_blocks_do_not_change_anything(monkeypatch):
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(50, 20)).astype(np.float32)
    known = sorted({(int(a), int(b)) for a, b in zip(rng.integers(0, 50, 90), rng.integers(0, 20, 90), strict=True)})
    question = link_question("a/r/b", {"a": 50, "b": 20}, known)
    whole = fast(question, matrix, 4)
    monkeypatch.setattr(predictions, "CELLS", 60)
    monkeypatch.setattr(streamed, "FLUSH", 7)
    assert fast(question, matrix, 4) == whole
    assert set(whole) == slow(matrix.tolist(), set(known), False, 4)


def test_known_links_come_on_top_of_top_k_unknown_ones():
    matrix = np.array([[9, 8, 7, 6, 5, 4]], dtype=np.float32)
    question = link_question("a/r/b", {"a": 1, "b": 6}, [(0, 0), (0, 2), (0, 5)], test=[1])
    assert fast(question, matrix, 2) == [(0, 0, 1, True), (0, 1, 1, False), (0, 2, 2, True), (0, 3, 2, False)]


def test_both_formats_hold_the_same_rows_of_every_relation(tmp_path):
    rng = np.random.default_rng(1)
    first = link_question("a/r/a", {"a": 9}, [(0, 1), (1, 2), (2, 3)], valid=[1], test=[2])
    second = link_question("a/s/b", {"a": 9, "b": 4}, [(0, 1)])
    asked = [
        LinkPrediction(first, Given(rng.normal(size=(9, 9)).astype(np.float32)), half),
        LinkPrediction(second, Given(rng.normal(size=(9, 4)).astype(np.float32)), half),
    ]
    write_links(asked, tmp_path, OutputSettings(top_k=3))
    parquet, comma = pd.read_parquet(tmp_path / "links.parquet"), pd.read_csv(tmp_path / "links.csv")
    pd.testing.assert_frame_equal(parquet, comma, check_dtype=False)
    assert parquet["relation"].unique().tolist() == ["a/r/a", "a/s/b"]
    assert (parquet[~parquet["known"]].groupby(["relation", "source"]).size() == 3).all()
    np.testing.assert_allclose(parquet["probability"], half(parquet["score"].to_numpy()))
    held = pd.read_parquet(tmp_path / "held_out.parquet")
    assert held.to_numpy().tolist() == [["a:1", "a/r/a", "a:2", "valid"], ["a:2", "a/r/a", "a:3", "test"]]


def test_only_the_formats_asked_for(tmp_path):
    question = link_question("a/r/b", {"a": 1, "b": 1}, [])
    write_links(
        [LinkPrediction(question, Given(np.ones((1, 1), np.float32)), half)], tmp_path, OutputSettings(formats=("csv",))
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held_out.csv", "links.csv"]


def test_no_relation_at_all(tmp_path):
    write_links([], tmp_path, OutputSettings())
    assert len(pd.read_parquet(tmp_path / "links.parquet")) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused(tmp_path, bad):
    question = link_question("a/r/b", {"a": 1, "b": 2}, [])
    asked = [LinkPrediction(question, Given(np.array([[bad, 1]], np.float32)), half)]
    with pytest.raises(RunError, match="mmgraph gave scores for a/r/b that are not finite"):
        write_links(asked, tmp_path, OutputSettings())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_files_and_nothing_else(tmp_path, full_disk):
    for name in ("links.parquet", "links.csv"):
        (tmp_path / name).write_text("old")
    question = link_question("a/r/b", {"a": 2, "b": 2}, [])
    with pytest.raises(RunError, match=r"cannot write .*; given: No space left on device"):
        write_links([LinkPrediction(question, Given(np.eye(2, dtype=np.float32)), half)], tmp_path, OutputSettings())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"links.parquet": "old", "links.csv": "old"}


def test_a_disk_that_fills_up_while_writing(tmp_path, monkeypatch):
    import errno

    class Full:
        def __init__(self, path, schema):
            self.path = path

        def __enter__(self):
            self.path.write_text("a part")
            return self

        def __exit__(self, *raised):
            return None

        def write_table(self, block):
            if len(block):
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(streamed.pyarrow.csv, "CSVWriter", Full)
    question = link_question("a/r/b", {"a": 2, "b": 2}, [])
    with pytest.raises(RunError, match=r"links\.csv; given: No space left on device"):
        write_links([LinkPrediction(question, Given(np.eye(2, dtype=np.float32)), half)], tmp_path, OutputSettings())
    assert list(tmp_path.iterdir()) == []
