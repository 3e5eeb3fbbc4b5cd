"""What speaks for each predicted link: the pieces' columns, beside a slow computation from the scores of every method."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.fusion import Combined, Context
from mmgraph.evaluate.gnn import Named
from mmgraph.outputs import predictions
from mmgraph.outputs.examples import link_examples
from mmgraph.outputs.predict import Asked, write_predictions
from mmgraph.outputs.predictions import LinkPrediction, write_links
from mmgraph.settings import OutputSettings

from .conftest import Given, link_question

NAMES = ("gnn", "nearest:image", "unused", "fastrp+knn")
WEIGHTS = np.array([0.5, 0.25, 0.0, 1.5, 0.0, 0.0, 2.0, 0.0])


@pytest.fixture
def combined():
    """A question within one kind, and a combination of three of four methods."""
    generator = np.random.default_rng(0)
    pairs = np.argwhere(generator.random((9, 9)) < 0.2)
    question = link_question("a/r/a", {"a": 9}, pairs, valid=[0, 3], test=[1])
    methods = [Given(generator.normal(size=(9, 9)).astype(np.float32) * (i + 1), name) for i, name in enumerate(NAMES)]
    context = Context.of(question, methods, {"target": question.split.valid, "source": question.split.valid})
    return question, methods, context, Named(OURS, Combined(context, {"target": WEIGHTS, "source": WEIGHTS}))


def slow_shares(question, methods, context, source, target):
    """Weight times feature of each method, by a loop over the candidates."""
    visible = question.visible
    linked = set(visible.target[visible.source == source].tolist()) | {source}
    others = [t for t in range(9) if t not in linked]
    found = {}
    for place, method in enumerate(methods):
        row, (by_gap, by_order) = method.matrix[source].astype(float), WEIGHTS[2 * place : 2 * place + 2]
        gap = np.clip((row[target] - np.mean(row[others])) / context.deviation["target"][place], -4, 8)
        rivals = [t for t in others if t != target]
        rank = 1 + sum(row[t] > row[target] for t in rivals) + sum(row[t] == row[target] for t in rivals) / 2
        found[method.name] = by_gap * gap + by_order * np.log(9 / rank)
    return found


@pytest.mark.parametrize("cells", [1, 10_000_000])
def test_what_each_piece_adds_sums_to_the_score_and_is_what_a_loop_gives(combined, tmp_path, monkeypatch, cells):
    monkeypatch.setattr(predictions, "PIECE_CELLS", cells)
    question, methods, context, ours = combined
    write_links([LinkPrediction(question, ours, np.tanh)], tmp_path, OutputSettings(top_k=4))
    for table in (pd.read_parquet(tmp_path / "links.parquet"), pd.read_csv(tmp_path / "links.csv")):
        evidence = [name for name in table if name.startswith("evidence.")]
        assert evidence == ["evidence.gnn", "evidence.nearest:image", "evidence.fastrp+knn"]
        np.testing.assert_allclose(table[evidence].sum(axis=1), table["score"], atol=1e-5)
        assert table["known"].any() and len(table) > 20
        for row in table.to_dict("records"):
            source, target = int(row["source"][2:]), int(row["target"][2:])
            slow = slow_shares(question, methods, context, source, target)
            for method in methods:
                if method.name != "unused":
                    assert row[f"score.{method.name}"] == pytest.approx(method.matrix[source, target], rel=1e-5)
                    assert row[f"evidence.{method.name}"] == pytest.approx(slow[method.name], abs=1e-4)
            assert slow["unused"] == 0
    assert not any("unused" in name for name in table)


def test_the_rows_are_those_of_the_scores(combined):
    question, _, _, ours = combined
    scores = ours.scores(np.arange(9), "target")
    whole = [top for _, top in predictions.top_links(question, Given(scores), 3)]
    parts = [top for _, top in predictions.top_links(question, ours, 3)]
    assert [one.target.tolist() for one in whole] == [one.target.tolist() for one in parts]
    np.testing.assert_array_equal(whole[0].score, parts[0].score)


def test_relations_with_other_pieces_leave_the_others_empty(combined, tmp_path):
    question, _, _, ours = combined
    other = link_question("a/s/b", {"a": 2, "b": 3}, [(0, 0)])
    alone = Named(OURS, Given(np.arange(6, dtype=np.float32).reshape(2, 3), "popularity"))
    write_links([LinkPrediction(question, ours, np.tanh), LinkPrediction(other, alone, np.tanh)], tmp_path, OutputSettings())
    table = pd.read_parquet(tmp_path / "links.parquet")
    single, several = table[table["relation"] == "a/s/b"], table[table["relation"] == "a/r/a"]
    np.testing.assert_array_equal(single["evidence.popularity"], single["score"])
    np.testing.assert_array_equal(single["score.popularity"], single["score"])
    assert single["evidence.gnn"].isna().all() and several["evidence.popularity"].isna().all()
    assert several["evidence.gnn"].notna().all()


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_what_is_asked_for_has_the_same_columns(combined, tmp_path, form):
    question, _, _, ours = combined
    one = LinkPrediction(question, ours, np.tanh)
    write_links([one], tmp_path, OutputSettings(top_k=3))
    asked = Asked(sources=("a:7", "a:2"), top_k=3, exclude_known=True, format=form)
    path = write_predictions(one, asked, tmp_path).path
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "json": pd.read_json}[form]
    got, whole = read(path), pd.read_parquet(tmp_path / "links.parquet")
    wanted = pd.concat([whole[(whole["source"] == source) & ~whole["known"]] for source in asked.sources])
    assert list(got) == list(wanted)
    for name in got:
        if name.startswith(("evidence.", "score")):
            np.testing.assert_allclose(got[name], wanted[name], rtol=1e-5)


def test_the_report_shows_what_speaks_most_first(combined, tmp_path):
    question, _, _, ours = combined
    write_links([LinkPrediction(question, ours, np.tanh)], tmp_path, OutputSettings(top_k=3))
    table = pd.read_parquet(tmp_path / "links.parquet").set_index(["source", "target"])
    (relation,) = link_examples(tmp_path, 9)
    guesses = [(example.source, guess) for example in relation.examples for guess in example.guesses]
    assert guesses
    for source, guess in guesses:
        row = table.loc[(source, guess.target)]
        shares = [one.share for one in guess.speaks]
        assert shares == sorted(shares, reverse=True)
        assert {one.piece: one.share for one in guess.speaks} == {
            name: pytest.approx(row[f"evidence.{name}"]) for name in NAMES if name != "unused"
        }
        assert sum(one.width for one in guess.speaks) == pytest.approx(1.0)
        ends = [one.start + one.width for one in guess.speaks]
        np.testing.assert_allclose([one.start for one in guess.speaks[1:]], ends[:-1])
    alone = dataclasses.replace(LinkPrediction(question, Named(OURS, Given(np.ones((9, 9), np.float32))), np.tanh))
    write_links([alone], tmp_path, OutputSettings(top_k=3))
    assert all(g.speaks == () for one in link_examples(tmp_path, 9)[0].examples for g in one.guesses)
