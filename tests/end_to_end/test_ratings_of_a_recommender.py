"""What users want and how they rate it, asked of the same relation together; and that run, updated with new ratings."""

import json

import msgspec
import numpy as np
import pytest
import torch
from runs_made import QUICK, read_csv, write_csv

from mmgraph.cli import main
from mmgraph.graph.contract import Edges
from mmgraph.newcomer import with_newcomer
from mmgraph.rerun import reopen
from mmgraph.split.grown import grown_split
from mmgraph.taking import tasks_of
from mmgraph.types import Relation
from mmgraph.updating import Going, train_on

RATED = Relation("user", "rated", "film")
COLUMNS = ("source", "relation", "target", "weight", "time")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Users of two tastes, who rate what they like 4 or 5, and the rest 1 or 2; one who has rated nothing."""
    base = tmp_path_factory.mktemp("rated")
    root = base / "tables"
    root.mkdir()
    users, films = [f"u{i}" for i in range(20)], [f"m{i}" for i in range(12)]
    ids = [*((one, "user") for one in (*users, "zoë")), *((one, "film") for one in films)]
    write_csv(root / "items.csv", ("id", "kind"), ids)
    pairs = [(u, m) for u in range(20) for m in range(12) if (u * 7 + m * 5) % 3]
    rows = [(f"u{u}", "rated", f"m{m}", (4 if u % 2 == m % 2 else 1) + (u + m) // 2 % 2, t) for t, (u, m) in enumerate(pairs)]
    write_csv(root / "links.csv", COLUMNS, rows)
    (base / "config.yaml").write_text(
        f"""
catalogue: {{class_path: Tables, init_args: {{root: {root}, repeated: last}}}}
run: {{dir: {base / "run"}}}
graph: {{edges: []}}
split: {{links: {{method: per_user}}}}
model: {{layer: sage, depth: 1, width: 8, learning_rate: 0.05, id_embedding: all, dropout: 0, batches: {{mode: steps, size: 40}}}}
evaluate: {{ks: [5], baselines: [popularity, biases]}}
outputs: {{report: false, top_k: 2}}
tasks:
  - {{class_path: Recommend, init_args: {{relation: user/rated/film, at: 5}}}}
  - {{class_path: Ratings, init_args: {{relation: user/rated/film, scale: [1, 5]}}}}
"""
    )
    assert main(["fit", "--config", str(base / "config.yaml"), *QUICK, "--trainer.max_epochs", "20"]) == 0
    return base / "run"


def test_both_questions_have_answers_on_the_same_held_out_links(run):
    rows = json.loads((run / "metrics.json").read_text())
    asked = {(row["task"], row["target"]) for row in rows}
    assert asked == {("recommend", "user/rated/film"), ("ratings", "user/rated/film.rating")}
    own = {row["metric"]: row["value"] for row in rows if (row["split"], row["method"], row["group"]) == ("test", "gnn", "")}
    assert own["r2"] > 0.2 and own["ndcg@5"] > 0
    opened = reopen(run)
    split, ids = opened.split.links[RATED], opened.graph.ids
    test = split.edges.take(split.test)
    truth = {
        (row["source"], row["target"]): float(row["truth"])
        for row in read_csv(run / "predictions" / "ratings.csv")
        if row["split"] == "test"
    }
    assert truth == {
        (ids["user"][u], ids["film"][m]): w for u, m, w in zip(test.source, test.target, test.weight, strict=True)
    }
    assert [one.head.figure for one in opened.trained.heads] == ["ndcg@5", "r2"]
    assert main(["recommend", str(run), "--user", "u3", "--exclude-known", "--to", str(run / "u3.csv")]) == 0
    known = {row["target"] for row in read_csv(run.parent / "tables" / "links.csv") if row["source"] == "u3"}
    assert {row["item"] for row in read_csv(run / "u3.csv")} == {f"m{i}" for i in range(12)} - known


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("ann", "rated", "m1", 9, ""), "new.csv, row 3: a rating outside the scale 1 to 5; given: 9 of ann for m1; mend it"),
        (
            ("ann", "rated", "m1", "", ""),
            "new.csv, row 3: there is no rating; given: ann for m1; fill it in, or take out the row",
        ),
        (("ann", "rated", "m1", "inf", ""), "new.csv, row 3, column 'weight': no number; given: inf; write a number"),
    ],
)
def test_new_ratings_are_checked_as_those_of_the_tables(run, tmp_path, capsys, row, told):
    write_csv(tmp_path / "new.csv", COLUMNS, [("ann", "rated", "m2", 4, ""), row])
    capsys.readouterr()
    assert main(["update", str(run), str(tmp_path / "new.csv")]) == 2
    wrong = capsys.readouterr().err
    assert told in wrong and wrong.count("\n") == 1


def test_a_task_that_keeps_its_epoch_knows_new_users_by_their_neighbours(run, tmp_path):
    opened = reopen(run)
    count = opened.split.visible.count("user")
    split = grown_split(opened.split, {"user": ["bea"]}, [Edges(RATED, np.full(2, count), np.array([0, 3]))])
    bold = msgspec.structs.replace(opened.settings.model, learning_rate=1e3)  # so that no new epoch is liked
    settings = msgspec.structs.replace(opened.settings, model=bold)
    before = {kind: len(ids) for kind, ids in opened.graph.ids.items()}
    going = Going(settings, tasks_of(opened), opened.tops, opened.run.checkpoints, {"nothing"}, before)
    _, kept = train_on(going, split, tmp_path / "checkpoints", 1, 1)
    assert kept == [str(RATED), f"{RATED}.rating"]
    for number in (0, 1):
        old, new = (
            torch.load(one / f"best-{number}.ckpt", weights_only=True)["state_dict"]
            for one in (opened.run.checkpoints, tmp_path / "checkpoints")
        )
        (users,) = (name for name in old if "<user>" in name and name.endswith("ids.weight"))
        (films,) = (name for name in old if "<film>" in name and name.endswith("ids.weight"))
        torch.testing.assert_close(new[users][:count], old[users])
        mean = old[films][[0, 3]].sum(0)
        torch.testing.assert_close(new[users][count], mean / mean.norm() * old[users].norm(dim=1).mean())


def test_somebody_new_is_not_taken_to_rate_everything_lowest(run):
    split = reopen(run).split
    seen = with_newcomer(split, RATED, np.array([0, 3])).visible.edges[RATED]
    assert seen.weight[-2:].tolist() == pytest.approx([split.visible.edges[RATED].weight.mean()] * 2)


def test_new_ratings_are_trained_on(run, tmp_path, capsys):
    before = reopen(run)
    fresh = [("ann", "rated", f"m{m}", 5 if m % 2 else 1, 900 + m) for m in range(6)]
    again = [("ann", "rated", "m0", 2, 999), ("ann", "rated", "m1", 3, 800)]
    write_csv(tmp_path / "new.csv", COLUMNS, [*fresh, *again, ("u1", "rated", "m0", 3, 950)])
    capsys.readouterr()
    assert main(["update", str(run), str(tmp_path / "new.csv"), "--epochs", "3"]) == 0
    assert "update 1: " in capsys.readouterr().out
    after = reopen(run)
    assert after.graph.ids["user"][-1] == "ann"
    one, two = before.split.links[RATED], after.split.links[RATED]
    assert (two.valid.tolist(), two.test.tolist()) == (one.valid.tolist(), one.test.tolist())
    own = two.edges.source == 21
    given = dict(zip(two.edges.target[own].tolist(), two.edges.weight[own].tolist(), strict=True))
    assert given == {0: 2.0, 1: 5.0, 2: 1.0, 3: 5.0, 4: 1.0, 5: 5.0}, "of a film rated twice the newer rating stays"
    found = read_csv(run / "predictions" / "ratings.csv")
    assert [row["rank"] for row in found if row["source"] == "ann"] == ["1", "2"]
    (done,) = json.loads((run / "updates.json").read_text())
    assert done["items"] == {"user": 1} and {one["target"] for one in done["changes"]} == {str(RATED), f"{RATED}.rating"}
