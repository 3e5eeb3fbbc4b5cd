"""The task Ratings: what its head says and learns, and a run of it from tables to a report."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from runs_made import QUICK, read_csv, write_csv

from mmgraph.cli import main
from mmgraph.errors import CatalogueError
from mmgraph.evaluate.ratings.network import NetworkRatings
from mmgraph.graph.contract import Edges, Graph
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.tasks.kinds.ratings import Ratings
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.tasks.ratings import CrossEntropy, Ordinal, RatingsHead, Squared
from mmgraph.types import Relation

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "ratings.yaml"
LEVELS, SHARE = np.array([1, 2, 3, 5], np.float32), np.array([0.1, 0.2, 0.3, 0.4], np.float32)


def tables(root, *odd):
    """A few ratings from 1 to 5, one of them given twice, and links of another kind whose weights are no ratings."""
    root.mkdir()
    write_csv(
        root / "items.csv", ("id", "kind"), [(f"u{i}", "user") for i in range(9)] + [(f"m{i}", "film") for i in range(9)]
    )
    rows = [(f"u{i}", "rated", f"m{j}", 1 + (i * j) % 5, i + j) for i in range(5) for j in range(5)]
    rows += [("u0", "rated", "m0", 2, 99), ("u1", "friend_of", "u2", 70, ""), *odd]
    write_csv(root / "links.csv", ("source", "relation", "target", "weight", "time"), rows)


def words(base, form="ordinal", scale="[1, 5]"):
    config = base / "config.yaml"
    config.write_text(
        f"""
catalogue: {{class_path: Tables, init_args: {{root: {base / "tables"}, repeated: last}}}}
run: {{dir: {base / "run"}}}
graph: {{edges: []}}
tasks: [{{class_path: Ratings, init_args: {{relation: user/rated/film, scale: {scale}, form: {form}}}}}]
"""
    )
    return ["fit", "--config", str(config), *QUICK]


def movie_lens(root, users=40, films=24):
    """The 1M layout: users of two tastes; the last has rated nothing."""
    root.mkdir()
    rng = np.random.default_rng(3)
    given = {}
    for user, film in zip(*np.nonzero(rng.random((users, films)) < 0.5), strict=True):
        value = 3 + (1.2 if user % 2 == film % 2 else -1.2) + rng.normal(0, 0.4)
        given[f"user/{user}", f"movie/{film}"] = int(np.clip(round(value), 1, 5))
    lines = [f"{u[5:]}::{m[6:]}::{value}::{i}\n" for i, ((u, m), value) in enumerate(given.items())]
    (root / "ratings.dat").write_text("".join(lines))
    (root / "movies.dat").write_text("".join(f"{i}::Film {i}::{'War' if i % 2 else 'Love'}\n" for i in range(films)))
    (root / "users.dat").write_text("".join(f"{i}::F::1::10::48067\n" for i in range(users + 1)))
    return given


def test_from_a_movie_lens_folder_to_a_report(tmp_path, capsys):
    given, run = movie_lens(tmp_path / "ml"), tmp_path / "run"
    small = ("--model.width", "16", "--model.batches.size", "100", "--model.learning_rate", "0.03", "--model.dropout", "0")
    asked = (
        "--catalogue.root",
        tmp_path / "ml",
        "--run.dir",
        run,
        *QUICK,
        *small,
        "--trainer.max_epochs",
        "15",
        "--outputs.top_k",
        "3",
    )
    assert main(["fit", "--config", str(CONFIG), *map(str, asked)]) == 0
    shown = capsys.readouterr().out
    assert "user/rated/movie.rating: mmgraph RMSE" in shown and "RMSE" in shown.split("mmgraph")[0]
    rows = json.loads((run / "metrics.json").read_text())
    own = {(row["method"], row["metric"]): row["value"] for row in rows if row["split"] == "test" and not row["group"]}
    assert {name for name, _ in own} == {"mmgraph", "gnn", "global_mean", "biases", "rated_knn", "factors"}
    assert {metric for _, metric in own} == {"rmse", "mae", "r2", "slope", "coverage@90%", "accuracy", "ece"}
    assert {row["task"] for row in rows} == {"ratings"}
    assert own["gnn", "rmse"] < own["biases", "rmse"] - 0.1 and own["mmgraph", "rmse"] < own["biases", "rmse"] - 0.1
    assert 0.7 < own["mmgraph", "coverage@90%"] <= 1
    check_table(run, given)
    page = (run / "report" / "index.html").read_text()
    assert "Predicted ratings" in page and "RMSE" in page and "In the 90% interval" in page
    assert main(["evaluate", str(run), "--again"]) == 0  # the same numbers from the checkpoints
    assert "the numbers are those of metrics.json" in capsys.readouterr().out
    assert main(["recommend", str(run)]) == 2
    wrong = capsys.readouterr().err
    assert (
        "not trained to say which links of this relation there are; given: user/rated/movie; fit Recommend or Links" in wrong
    )


def check_table(run, given):
    found = read_csv(run / "predictions" / "ratings.csv")
    held, best = [row for row in found if row["truth"]], [row for row in found if not row["truth"]]
    assert {row["split"] for row in held} == {"valid", "test"}
    for row in held:
        assert float(row["truth"]) == given[row["source"], row["target"]]
        assert 0.5 <= float(row["low"]) <= float(row["rating"]) <= float(row["high"]) <= 5
        assert float(row["level"]) in range(1, 6)
    assert len(best) == 41 * 3
    assert not {(row["source"], row["target"]) for row in best} & set(given)
    for user in ("user/0", "user/40"):
        mine = [row for row in best if row["source"] == user]
        assert [row["rank"] for row in mine] == ["1", "2", "3"]
        assert [float(row["rating"]) for row in mine] == sorted((float(row["rating"]) for row in mine), reverse=True)
    alike = [int(row["source"][5:]) % 2 == int(row["target"][6:]) % 2 for row in best if row["source"] != "user/40"]
    assert np.mean(alike) > 0.85


def refused(base, capsys, **asked):
    assert main(words(base, **asked)) == 2
    return capsys.readouterr().err


def test_what_is_said_of_ratings_that_cannot_be_asked(tmp_path, capsys):
    tables(tmp_path / "tables", ("u7", "rated", "m8", 7, 5), ("u7", "rated", "m7", -1, 5))
    wrong = refused(tmp_path, capsys)
    assert "links.csv, row 29: a rating outside the scale 1 to 5; given: 7 of u7 for m8 and 1 more; mend it" in wrong
    assert wrong.count("\n") == 1
    assert "a scale goes from its lowest to its highest rating; given: [5.0, 1.0]" in refused(tmp_path, capsys, scale="[5, 1]")
    rows = [("u1", "rated", f"m{i}", 2) for i in range(9)]
    write_csv(tmp_path / "tables" / "links.csv", ("source", "relation", "target", "weight"), rows)
    assert "all ratings of user/rated/film are the same; given: 2.0; fill links.weight" in refused(tmp_path, capsys)
    rows = [(f"u{i}", "rated", f"m{j}", i + j / 7) for i in range(9) for j in range(5)]
    write_csv(tmp_path / "tables" / "links.csv", ("source", "relation", "target", "weight"), rows)
    assert "the form ordinal needs 2 to 20 levels; given: " in refused(tmp_path, capsys, scale="null")


@pytest.mark.parametrize(("made", "outs"), [(CrossEntropy, 4), (Ordinal, 1)])
def test_chances_of_levels(made, outs):
    form = made(LEVELS, SHARE)
    said = torch.randn(6, outs, generator=torch.Generator().manual_seed(0))
    assert form.outs == outs
    start = form.chances(torch.zeros(1, outs))[0].detach().numpy()
    np.testing.assert_allclose(start, SHARE, atol=1e-3)  # it begins with what is known of no pair
    chances = form.chances(said).detach()
    assert torch.allclose(chances.sum(1), torch.ones(6)) and bool((chances > 0).all())
    torch.testing.assert_close(form.expected(said), (chances * torch.from_numpy(LEVELS)).sum(1))
    truth, rating = [0, 3, 2, 1, 3, 0], torch.tensor([1.0, 5, 3, 2, 5, 1])
    if made is CrossEntropy:
        slow = [-float(chances[row, level].log()) for row, level in enumerate(truth)]
    else:
        above = [[float(chances[row, k + 1 :].sum()) for k in range(3)] for row in range(6)]
        slow = [
            -np.log(above[row][k] if level > k else 1 - above[row][k]) for row, level in enumerate(truth) for k in range(3)
        ]
    assert form.loss(said, rating).item() == pytest.approx(np.mean(slow), rel=1e-4)


def test_a_number_begins_at_the_mean():
    form = Squared(3.5)
    assert form.chances(torch.zeros(2, 1)) is None
    assert form.expected(torch.tensor([[0.0], [1.0]])).tolist() == [3.5, 4.5]
    assert form.loss(torch.tensor([[0.5], [0.0]]), torch.tensor([3.0, 3.5])).item() == pytest.approx(0.5)


@pytest.mark.parametrize("form", [Squared(3.5), CrossEntropy(LEVELS, SHARE), Ordinal(LEVELS, SHARE)])
def test_all_pairs_at_once_are_what_each_pair_is(form):
    torch.manual_seed(0)
    rated = Edges(Relation("user", "rated", "film"), np.arange(3), np.arange(3), weight=np.array([1, 2, 5], np.float32))
    none = np.zeros(0, np.int64)
    graph = Graph(
        {kind: np.arange(count).astype(object) for kind, count in (("user", 4), ("film", 7))}, {rated.relation: rated}
    )
    head = RatingsHead(RatingQuestion(graph, LinkSplit(rated, np.arange(3), none, none), (1.0, 5.0)), 6, form, 1.0)
    rows = {"user": torch.randn(4, 6), "film": torch.randn(7, 6)}
    pairs = np.repeat([3, 1], 7), np.tile(np.arange(7), 2)
    found = NetworkRatings(head, rows).table(np.array([3, 1]), 7)
    np.testing.assert_allclose(found, head.answers(rows, *pairs)[0].reshape(2, 7), rtol=1e-5, atol=1e-5)


def test_a_rating_that_is_no_level_of_the_run_is_refused_later():
    def split(*weights):
        count, none = len(weights), np.zeros(0, np.int64)
        edges = Edges(
            Relation("user", "rated", "film"), np.arange(count), np.arange(count), weight=np.array(weights, np.float32)
        )
        ids = {kind: np.arange(count).astype(object) for kind in ("user", "film")}
        return Split({edges.relation: LinkSplit(edges, np.arange(count), none, none)}, {}, Graph(ids, {edges.relation: edges}))

    task = Ratings(relation="user/rated/film", form="ordinal")
    task.check_grown(split(1, 2, 5), split(1, 2, 5, 2))
    with pytest.raises(CatalogueError, match=r"none of the levels that the run was trained with; given: 3, 4; correct them"):
        task.check_grown(split(1, 2, 5), split(1, 2, 5, 4, 3))
    with pytest.raises(CatalogueError, match="given: more than 20 different ones; correct them"):
        task.check_grown(split(1, 2, 5), split(*np.arange(1, 4, 0.1)))
    Ratings(relation="user/rated/film").check_grown(split(1, 2, 5), split(1, 2, 5, 4))
