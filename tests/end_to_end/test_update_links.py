"""`mmgraph update` with new links: new users and items are served, what is held out stays, or moves on with the clock."""

import json
import shutil

import numpy as np
import pytest
import torch
from runs_made import QUICK, contents, read_csv, write_csv

from mmgraph import updating
from mmgraph.cli import main
from mmgraph.rerun import reopen
from mmgraph.types import Relation

PLAYS, TOGETHER = Relation("user", "plays", "music"), Relation("music", "co_plays", "music")
NEW = [("ann", "plays", "m1", 9000), ("ann", "plays", "m3", 9001), ("ann", "plays", "m5", 9002), ("u3", "plays", "hit", 9003),
       ("u5", "plays", "hit", 9004), ("u7", "plays", "hit", 9005), ("u1", "plays", "hit", 9006)]  # fmt: skip


def fitted(base, method):
    """Users of two tastes; a run of them."""
    root = base / "tables"
    root.mkdir()
    rng = np.random.default_rng(0)
    plays = [(u, int(m)) for u in range(24) for m in rng.choice(np.arange(u % 2, 20, 2), 6, replace=False)]
    write_csv(
        root / "items.csv", ("id", "kind"), [*((f"u{i}", "user") for i in range(24)), *((f"m{i}", "music") for i in range(20))]
    )
    rows = [(f"u{u}", "plays", f"m{m}", t) for t, (u, m) in enumerate(rng.permutation(plays))]
    write_csv(root / "links.csv", ("source", "relation", "target", "time"), rows)
    (base / "config.yaml").write_text(
        f"""
catalogue: {{class_path: Tables, init_args: {{root: {root}}}}}
run: {{dir: {base / "run"}}}
graph: {{edges: [{{class_path: CoOccurrence, init_args: {{relation: user/plays/music}}}}]}}
split: {{links: {{method: {method}}}}}
model: {{layer: light_gcn, width: 8, learning_rate: 0.05}}
evaluate: {{ks: [5], baselines: [popularity, item_knn]}}
outputs: {{report: false}}
tasks: [{{class_path: Recommend, init_args: {{relation: user/plays/music, at: 5}}}}]
"""
    )
    assert main(["fit", "--config", str(base / "config.yaml"), *QUICK, "--trainer.max_epochs", "12"]) == 0
    return base / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("links"), "per_user")


def called(capsys, *words):
    capsys.readouterr()
    status = main(["update", *map(str, words)])
    return (status, *capsys.readouterr())


def test_new_links_are_trained_on_and_new_users_are_served(run, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = reopen(folder)
    one = before.split.links[PLAYS]
    ids = before.graph.ids
    held = one.edges.take(one.test[:1])
    hidden = (ids["user"][held.source[0]], "plays", ids["music"][held.target[0]], "")
    file = tmp_path / "new.csv"
    write_csv(file, ("source", "relation", "target", "time"), [*NEW, hidden])
    killed_once(monkeypatch, capsys, folder, file)
    status, out, err = called(capsys, folder, file, "--epochs", 5)
    assert status == 0, err
    first = "update 1: 7 links of user/plays/music, with 1 new user, 1 new music; 1 are held out by the run, and stay so"
    assert out.splitlines()[0] == first
    after = reopen(folder)
    two = after.split.links[PLAYS]
    assert (two.valid.tolist(), two.test.tolist()) == (one.valid.tolist(), one.test.tolist())
    assert len(two.train) == len(one.train) + 7 and after.graph.ids["user"][-1] == "ann"
    seen, whole = after.split.visible.edges, after.graph.edges[PLAYS]
    assert len(whole) == len(before.graph.edges[PLAYS]) + 7
    assert len(seen[PLAYS]) == len(two.train) and (seen[TOGETHER].source == 20).any(), "what goes with the new item is counted"
    assert len(read_csv(folder / "new_links.csv")) == 7
    (done,) = json.loads((folder / "updates.json").read_text())
    assert (done["links"], done["aside"], done["items"]) == (7, 1, {"user": 1, "music": 1})
    assert {change["metric"] for change in done["changes"]} == {"ndcg@5"}
    assert main(["recommend", str(folder), "--user", "ann", "--top-k", "6", "--to", str(tmp_path / "ann.csv")]) == 0
    listed = [row["item"] for row in read_csv(tmp_path / "ann.csv")]
    odd = [name for name in listed if name == "hit" or int(name[1:]) % 2]
    assert len(odd) >= 4, "who likes what odd users like is told more of it"
    check_another(folder, tmp_path, capsys)


def killed_once(monkeypatch, capsys, folder, file):
    """An update that is killed before it takes its place leaves the run as it was."""

    class Killed(BaseException):
        pass

    def killed(*words):
        raise Killed

    old = contents(folder)
    monkeypatch.setattr(updating, "put_in_place", killed)
    with pytest.raises(Killed):
        main(["update", str(folder), str(file), "--epochs", "5"])
    monkeypatch.undo()
    now = contents(folder)
    assert {name: now[name] for name in old if name != "log.jsonl"} == {n: h for n, h in old.items() if n != "log.jsonl"}


def check_another(folder, tmp_path, capsys):
    """A second update stands on the first; what is known is refused, and the run is not fitted over."""
    file = tmp_path / "more.csv"
    write_csv(file, ("user", "music"), [("ann", "m7"), ("bea", "m7"), ("bea", "hit"), ("u3", "hit")])
    status, out, _ = called(capsys, folder, file, "--epochs", 1)
    assert status == 0
    assert out.splitlines()[0] == "update 2: 3 links of user/plays/music, with 1 new user, 1 more that were known"
    again = reopen(folder)
    assert again.graph.ids["user"][-2:].tolist() == ["ann", "bea"]
    rows = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    (table,) = (value for name, value in rows.items() if "<user>" in name and name.endswith("ids.weight"))
    assert table.shape == (26, 8) and torch.isfinite(table).all()
    status, _, err = called(capsys, folder, file)
    assert status == 2 and "the run knows all of these links; given: 4 links that are known, 0 that are held out" in err
    assert main(["fit", "--config", str(folder.parent.parent / "x"), "--run.dir", str(folder)]) == 2


def test_where_the_newest_is_held_out_new_links_move_the_split_on(tmp_path, capsys):
    folder = fitted(tmp_path, "time")
    one = reopen(folder).split.links[PLAYS]
    file = tmp_path / "new.csv"
    later = [(f"u{u}", "plays", f"m{(u * 3) % 20}", 9000 + u) for u in range(24)]
    write_csv(file, ("source", "relation", "target", "time"), [*later, *NEW])
    status, out, err = called(capsys, folder, file, "--epochs", 2)
    assert status == 0, err
    two = reopen(folder).split.links[PLAYS]
    assert {*one.train.tolist()} < {*two.train.tolist()}, "what was trained on is never held out"
    assert two.edges.time[two.test].min() > one.edges.time[one.test].min() and two.edges.time[two.test].max() > 9000
    assert len(out.splitlines()) == 2, "what was measured before is of other links"
