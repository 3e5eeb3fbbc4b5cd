"""The task Recommend: what its head reports and learns, and a run of it from tables to lists."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made
from runs_made import QUICK, write_csv

from mmgraph.cli import main
from mmgraph.errors import SettingsError
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.graph.contract import Graph
from mmgraph.model.data import GraphData
from mmgraph.model.losses.info_nce import InfoNCE
from mmgraph.model.scorers.cosine import Cosine
from mmgraph.model.scorers.dot import Dot
from mmgraph.outputs.recommend import positions
from mmgraph.rerun import link_answer, reopen
from mmgraph.sample.asked import Asked
from mmgraph.settings import BatchSettings, ModelSettings
from mmgraph.tasks import recommend
from mmgraph.tasks.heads import Compare, LinkHead
from mmgraph.tasks.kinds.recommend import Recommend
from mmgraph.tasks.recommend import RecommendHead
from mmgraph.types import Relation

GRAPH, SPLIT = made()


def heads(at=3):
    split, compare = SPLIT.links[FOLLOWS], Compare(Dot(4, heads=False), InfoNCE())
    return RecommendHead(split, SPLIT.visible, compare, 1.0, at), LinkHead(str(FOLLOWS), split, SPLIT.visible, compare, 1.0)


def test_the_validation_figure_is_the_mean_ndcg_of_users():
    head, _ = heads(20)
    rows = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    scores, split = (rows @ rows.T / 2).numpy(), SPLIT.links[FOLLOWS]
    pairs = {
        part: set(map(tuple, np.stack((split.edges.source, split.edges.target), 1)[getattr(split, part)]))
        for part in ("train", "valid")
    }
    found = []
    for user in {source for source, _ in pairs["valid"]}:
        left = [item for item in range(100) if item != user and (user, item) not in pairs["train"]]
        listed = sorted(left, key=lambda item: -scores[user, item])[:20]
        true = [(user, item) in pairs["valid"] for item in listed]
        best = sum(1 / math.log2(2 + place) for place in range(min(20, sum(source == user for source, _ in pairs["valid"]))))
        found.append(sum(one / math.log2(2 + place) for place, one in enumerate(true)) / best)
    assert head.figure == "ndcg@20"
    assert head.validate({"segment": rows})["ndcg@20"] == pytest.approx(np.mean(found), rel=1e-6)
    assert np.mean(found) > 0


@pytest.mark.parametrize("asked", [[2, 0, 2], [0, 4, 1, 1, 3, 2, 0]])
def test_rows_prepared_by_themselves_are_those_of_all(asked):
    torch.manual_seed(0)
    scorer, rows, asked = Cosine(4), torch.randn(5, 4, requires_grad=True), torch.tensor(asked)
    found, expected = recommend._prepared_rows(scorer.target, rows, asked), scorer.target(rows)[asked]
    torch.testing.assert_close(found, expected)
    weight = torch.randn(len(asked), 4)
    (one,), (other,) = (torch.autograd.grad((made * weight).sum(), rows, retain_graph=True) for made in (found, expected))
    torch.testing.assert_close(one, other)


def test_users_are_compared_with_items_and_items_with_nobody():
    torch.manual_seed(0)
    one, both = heads()
    rows = torch.randn(100, 4)
    asked = GraphData(
        SPLIT.visible,
        Asked(Recommend(relation=str(FOLLOWS), negatives="every").asked_links(SPLIT), []),
        ModelSettings(width=4, batches=BatchSettings(mode="full")),
        0.5,
        7,
    )
    batch = next(iter(asked.train_dataloader()))
    links = batch.links[str(FOLLOWS)]
    scores = rows @ rows.T / 2
    losses = []
    for row, (source, target) in enumerate(zip(links.source.tolist(), links.target.tolist(), strict=True)):
        others = [int(item) for place, item in enumerate(links.other_targets) if not links.is_link[row, place]]
        losses.append(float(torch.logsumexp(scores[source, [target, *others]], 0) - scores[source, target]))
    assert float(one.loss({"segment": rows}, batch)) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(both.loss({"segment": rows}, batch)) != pytest.approx(np.mean(losses), rel=1e-5)


def tables(root):
    """Users of two tastes, friends of one taste, items with tags; one user without any play."""
    root.mkdir()
    generator = np.random.default_rng(3)
    users, items = 40, 30
    kinds = (
        [(f"u{i}", "user") for i in range(users + 1)]
        + [(f"m{i}", "music") for i in range(items)]
        + [("t0", "tag"), ("t1", "tag")]
    )
    write_csv(root / "items.csv", ("id", "kind"), kinds)
    plays = {
        (u, int(i))
        for u in range(users)
        for i in generator.choice(np.flatnonzero(np.arange(items) % 2 == u % 2), 8, replace=False)
    }
    rows = [(f"u{u}", "plays", f"m{i}", 1 + u, 100 * u + i) for u, i in sorted(plays)]
    rows += [(f"u{u}", "friend_of", f"u{(u + 2) % users}", "", "") for u in range(users)]
    rows += [(f"m{i}", "has_tag", f"t{i % 2}", "", "") for i in range(items)]
    write_csv(root / "links.csv", ("source", "relation", "target", "weight", "time"), rows)


def test_from_plays_to_lists(tmp_path, capsys):
    tables(tmp_path / "tables")
    run = tmp_path / "run"
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
catalogue: {{class_path: Tables, init_args: {{root: {tmp_path / "tables"}}}}}
run: {{dir: {run}}}
graph: {{edges: [{{class_path: CoOccurrence, init_args: {{relation: user/plays/music, k: 4}}}}]}}
split: {{links: {{method: per_user}}}}
model: {{layer: light_gcn, width: 16, learning_rate: 0.05}}
evaluate: {{ks: [1, 5]}}
tasks: [{{class_path: Recommend, init_args: {{relation: user/plays/music, at: 5}}}}]
"""
    )
    assert main(["fit", "--config", str(config), *QUICK, "--trainer.max_epochs", "15"]) == 0
    rows = json.loads((run / "metrics.json").read_text())
    own = {(row["method"], row["metric"]): row["value"] for row in rows if row["split"] == "test" and not row["group"]}
    methods = {name for name, _ in own}
    assert {"mmgraph", "gnn", "popularity", "ease", "item_knn", "slim", "content:tag", "fastrp+similar_users"} <= methods
    assert {metric for _, metric in own} >= {"ndcg@5", "recall@1", "map@5", "coverage@5", "gini@5", "novelty@5", "arp@5"}
    assert own["mmgraph", "recall@5"] > 0.3 > own["popularity", "recall@5"] - 0.1
    assert {row["task"] for row in rows} == {"recommend"}
    (verdict,) = json.loads((run / "verdict.json").read_text())
    assert verdict["metric"] == "ndcg@5" and verdict["n"] == 40
    notes = json.loads((run / "graph.json").read_text())["notes"]
    assert "1 of 41 user have no user/plays/music at all: nobody asks what they would want" in notes
    assert any("music/co_plays/music are made of the visible user/plays/music alone" in note for note in notes)
    assert not any(name == "content:music" for name in methods), "who likes an item is no content of it"
    page = (run / "report" / "index.html").read_text()
    assert ("NDCG@5" in page and "links of the user" not in page) or "Recall@5" in page
    answer = link_answer(run, None)
    assert isinstance(answer.question, RecommendQuestion)
    assert answer.question.at == 5
    assert main(["evaluate", str(run)]) == 0
    check_lists(run, capsys)
    check_newcomer(run, capsys)
    check_similar(run, capsys)
    check_refusals(run, capsys)


def lines_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def asked_of(run, capsys, *words):
    capsys.readouterr()
    assert main([words[0], str(run), *words[1:]]) == 0
    return capsys.readouterr().out.splitlines()


def refused(run, capsys, *words):
    assert main([words[0], str(run), *words[1:]]) == 2
    return capsys.readouterr().err


def check_lists(run, capsys):
    plays = {
        (row["source"], row["target"]) for row in lines_of(run.parent / "tables" / "links.csv") if row["relation"] == "plays"
    }
    asked_of(run, capsys, "recommend", "--format", "csv", "--top-k", "4", "--exclude-known", "--explain")
    rows = lines_of(run / "predictions" / "recommendations.csv")
    assert len({row["user"] for row in rows}) == 41 and len(rows) == 41 * 4
    assert not {(row["user"], row["item"]) for row in rows} & plays
    pieces = [name for name in rows[0] if name.startswith("evidence.")]
    for row in rows:
        assert sum(float(row[name]) for name in pieces) == pytest.approx(float(row["score"]), abs=1e-4)
        liked = [row[f"liked_{n}"] for n in (1, 2, 3) if row[f"liked_{n}"]]
        assert {(row["user"], item) for item in liked} <= plays and row["item"] not in liked
        assert len(liked) == (3 if row["user"] != "u40" else 0)
    alike = [int(row["user"][1:]) % 2 == int(row["item"][1:]) % 2 for row in rows if row["user"] != "u40"]
    assert np.mean(alike) > 0.7

    told = asked_of(
        run, capsys, "recommend", "--user", "u7", "u40", "--top-k", "30", "--to", str(run / "two.csv"), "--kind", "music"
    )
    assert "1 of these user have no user/plays/music that could be seen: what they get says nothing of them" in told
    two = lines_of(run / "two.csv")
    assert [row["user"] for row in two] == ["u7"] * 30 + ["u40"] * 30
    assert [int(row["rank"]) for row in two[:30]] == list(range(1, 31))
    assert [float(row["score"]) for row in two[:30]] == sorted((float(row["score"]) for row in two[:30]), reverse=True)


def check_newcomer(run, capsys):
    """Somebody who likes what u7 has in train is told nearly what u7 is told."""
    opened = reopen(run)
    seen, ids = opened.split.visible.edges[Relation("user", "plays", "music")], opened.graph.ids
    own = [str(item) for item in ids["music"][seen.target[ids["user"][seen.source] == "u7"]]]
    files = run / "u7.csv", run / "new.csv"
    asked_of(run, capsys, "recommend", "--user", "u7", "--top-k", "10", "--to", str(files[0]))
    words = ("--liked", *own, "--top-k", "10", "--to", str(files[1]))
    told = asked_of(run, capsys, "recommend", *words, "--explain")
    assert told[0].startswith("10 music for 1 user, by ") and "could be seen" not in " ".join(told)
    known, new = map(lines_of, files)
    assert {row["user"] for row in new} == {"new"}
    assert len({row["item"] for row in known} & {row["item"] for row in new}) >= 8
    assert {row[f"liked_{n}"] for row in new for n in (1, 2, 3)} <= {*own, ""}
    pieces = [name for name in new[0] if name.startswith("evidence.")]
    for row in new:
        assert sum(float(row[name]) for name in pieces) == pytest.approx(float(row["score"]), abs=1e-4)
    asked_of(run, capsys, "recommend", *words, "--exclude-known")
    assert not {row["item"] for row in lines_of(files[1])} & set(own)
    told = asked_of(run, capsys, "recommend", "--liked", "m3", "--format", "csv")
    assert told[-1] == str(run / "predictions" / "recommendations_liked.csv")
    assert {row["user"] for row in lines_of(told[-1])} == {"new"}
    wrong = refused(run, capsys, "recommend", "--liked", "m3", "m333")
    assert "no item of kind music has this id; given: m333; did you mean m" in wrong
    assert "--liked is for somebody who is no user of the run" in refused(
        run, capsys, "recommend", "--liked", "m3", "--user", "u1"
    )


def check_similar(run, capsys):
    asked_of(run, capsys, "similar", "--item", "m3", "--top-k", "5", "--to", str(run / "near.csv"))
    near = lines_of(run / "near.csv")
    vectors = np.load(run / "embeddings" / "music.npy").astype(np.float64)
    ids = (run / "embeddings" / "music.ids.txt").read_text().split()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = dict(zip(ids, unit @ unit[ids.index("m3")], strict=True))
    slow = sorted((one for one in ids if one != "m3"), key=lambda one: -cosine[one])[:5]
    assert [row["similar"] for row in near] == slow
    assert [float(row["cosine"]) for row in near] == pytest.approx([cosine[one] for one in slow], abs=1e-5)
    asked_of(run, capsys, "similar", "--item", "m3", "--kind", "tag", "--format", "csv")
    assert {row["similar"] for row in lines_of(run / "predictions" / "similar.csv")} == {"t0", "t1"}


def check_refusals(run, capsys):
    wrong = refused(run, capsys, "recommend", "--user", "u400")
    assert "no user of kind user has this id; given: u400; did you mean u40" in wrong
    assert "no item has this id; given: m333; did you mean m" in refused(run, capsys, "similar", "--item", "m333")
    assert "similar needs an item or a kind" in refused(run, capsys, "similar")
    assert "the run recommends nothing of the kind; given: tag" in refused(run, capsys, "recommend", "--kind", "tag")
    assert "--top-k must be 1 at least" in refused(run, capsys, "recommend", "--top-k", "0")
    assert "--to must end as its format" in refused(run, capsys, "recommend", "--to", "x.csv", "--format", "json")
    assert "no such kind; given: nobody" in refused(run, capsys, "similar", "--kind", "nobody")


def test_of_many_ids_the_nearest_are_named():
    ids = np.array([f"user/{number:07d}" for number in range(0, 70_000, 10)], object)
    graph = Graph({"user": ids}, {})
    for wrong, near in (("user/0000041", "user/0000040"), ("user/0034560/", "user/0034560"), ("User/0001230", "user/0001230")):
        with pytest.raises(SettingsError, match=f"given: {wrong}; did you mean .*{near}"):
            positions(graph, "user", ("user/0000000", wrong), "user")


def test_a_list_without_a_place_is_refused():
    with pytest.raises(SettingsError, match=r"Recommend.at is the length of a list; given: 0; give 1 or more"):
        Recommend(relation="user/plays/music", at=0).check(None)
