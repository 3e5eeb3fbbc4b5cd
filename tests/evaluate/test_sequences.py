"""What comes next: sequences, transitions and the transformer, beside slow recomputations and what knows no order."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.evaluate.baselines.attention import Attentive
from mmgraph.evaluate.baselines.links.item_knn import ItemKNN
from mmgraph.evaluate.baselines.links.popularity import Popularity
from mmgraph.evaluate.baselines.recommend.sasrec import SASRec, users_of
from mmgraph.evaluate.baselines.recommend.transitions import Transitions, counted
from mmgraph.evaluate.baselines.sequences import Sequences
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.graph.contract import Edges, Graph
from mmgraph.recommend import up_to_now
from mmgraph.settings import EvaluateSettings, LinkSplitSettings
from mmgraph.split.links import split_links
from mmgraph.types import Relation

PLAYED = Relation("user", "played", "song")
SMALL = {
    "width": 16,
    "length": 12,
    "blocks": 1,
    "heads": 1,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "batch": 32,
    "epochs": 4,
    "candidates": 20,
}


def question(users=120, songs=30, method="leave_last", timed=True, seed=0):
    """Whoever plays a song plays its successor next, nine times of ten; whom they follow is a secret order of the songs."""
    rng = np.random.default_rng(seed)
    after = np.roll(order := rng.permutation(songs), -1)[np.argsort(order)]
    rows = []
    for user in range(users):
        now, had = int(rng.integers(songs)), []
        for step in range(int(rng.integers(6, 11))):
            had.append(now)
            rows.append((user, now, 1000 * user + step))
            left = [song for song in range(songs) if song not in had]
            now = int(after[now]) if after[now] in left and rng.random() < 0.9 else int(rng.choice(left))
    source, target, time = np.array(rows)[rng.permutation(len(rows))].T
    edges = Edges(PLAYED, source, target, time=time.astype(np.float64) if timed else None)
    ids = {"user": np.array([f"u{i}" for i in range(users + 1)]), "song": np.array([f"s{i}" for i in range(songs)])}
    graph = Graph(ids, {PLAYED: edges})
    split = split_links(graph, [PLAYED], LinkSplitSettings(method=method), 7)[PLAYED]
    return RecommendQuestion(graph.with_edges({PLAYED: edges.take(split.train)}), split, at=5)


def slow_sequences(edges, sources):
    """Items of every source by time, of equal times as in the table."""
    found = [[] for _ in range(sources)]
    for place in sorted(range(len(edges)), key=lambda i: (edges.time[i], i)):
        found[edges.source[place]].append(int(edges.target[place]))
    return found


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 3)), max_size=25),
    st.integers(1, 4),
    st.integers(0, 25),
)
def test_sequences_are_those_of_a_plain_loop(rows, length, cut):
    columns = np.array(rows, np.int64).reshape(-1, 3)
    edges = Edges(PLAYED, columns[:, 0], columns[:, 1], time=columns[:, 2].astype(float))
    seen = Sequences.in_order(edges, 5, 7)
    slow = slow_sequences(edges, 5)
    assert [seen.items[a:b].tolist() for a, b in zip(seen.starts, seen.starts[1:], strict=False)] == slow
    wanted = [(one[-length:] + [-1] * length)[:length] for one in slow]
    np.testing.assert_array_equal(seen.last(np.arange(5), length), wanted)
    before, after = seen.steps(2)
    assert list(zip(before, after, strict=True)) == [pair for one in slow for pair in zip(one, one[2:], strict=False)]
    first, second = edges.take(np.arange(len(rows)) < cut), edges.take(np.arange(len(rows)) >= cut)
    both = Sequences.in_order(first, 5, 7).longer(second)
    joint = [a + b for a, b in zip(slow_sequences(first, 5), slow_sequences(second, 5), strict=True)]
    assert [both.items[a:b].tolist() for a, b in zip(both.starts, both.starts[1:], strict=False)] == joint


def test_transitions_are_smoothed_counts():
    asked = question()
    (method,) = Transitions(windows=(2,), smoothing=(3.0,)).fit(asked)
    slow, counts = slow_sequences(asked.visible, 121), np.zeros((30, 30))
    for one in slow:
        for i, song in enumerate(one):
            for apart in (1, 2):
                if i + apart < len(one):
                    counts[song, one[i + apart]] += 1 / apart
    np.testing.assert_allclose(counted(Sequences.of(asked), 2).toarray(), counts)
    popular = np.bincount(asked.visible.target, minlength=30) / len(asked.visible)
    table = (counts + 3 * popular) / (counts.sum(1, keepdims=True) + 3)
    users = np.array([0, 7, 120])
    wanted = [table[slow[0][-1]], table[slow[7][-1]], popular]  # nothing is known of the last user
    np.testing.assert_allclose(method.scores(users, "target"), wanted, rtol=1e-5)
    np.testing.assert_allclose(method.scores(np.array([3, 4]), "source")[:, users], np.array(wanted)[:, 3:5].T, rtol=1e-5)
    told = method.knowing(asked.split.edges.take(asked.split.valid))
    newest = {
        int(u): int(i)
        for u, i in zip(*(getattr(asked.split.edges.take(asked.split.valid), n) for n in ("source", "target")), strict=True)
    }
    np.testing.assert_allclose(told.scores(users[:2], "target"), [table[newest[0]], table[newest[7]]], rtol=1e-5)


def test_a_list_for_a_user_begins_after_all_that_is_known():
    asked = question()
    (method,) = Transitions(windows=(1,), smoothing=(1.0,)).fit(asked)
    newest = slow_sequences(asked.split.edges, 121)
    for user in (0, 5, 9):
        told = up_to_now(asked, method).scores(np.array([user]), "target")
        np.testing.assert_array_equal(told, method._to_targets(np.array([newest[user][-1]])))


def test_no_place_knows_what_comes_after_it():
    torch.manual_seed(0)
    model = Attentive(9, 8, 6, 2, 2, 0.0).eval()
    items = torch.tensor([[1, 5, 2, 7], [3, 4, -1, -1]])
    whole = model(items)
    torch.testing.assert_close(model(items[:, :2]), whole[:, :2])
    other = items.clone()
    other[0, 3] = 0
    torch.testing.assert_close(model(other)[0, :3], whole[0, :3])
    assert not torch.allclose(model(other)[0, 3], whole[0, 3])
    seen = Sequences(np.array([1, 5, 2, 7, 3, 4]), np.array([0, 4, 4, 6]), 9)
    read = users_of(seen, model)
    np.testing.assert_allclose(read[[0, 2]], torch.stack([whole[0, 3], whole[1, 1]]).detach(), rtol=1e-4, atol=1e-6)
    assert not read[1].any()


def test_the_loss_is_the_mean_log_probability_of_the_next_item():
    torch.manual_seed(0)
    model = Attentive(9, 8, 6, 1, 1, 0.0).eval()
    items = torch.tensor([[1, 5, 2], [3, 4, -1]])
    rows, table = model(items[:, :-1]).detach(), model.items.weight[:-1].detach()
    chance = torch.log_softmax(rows @ table.T, -1)
    slow = -(chance[0, 0, 5] + chance[0, 1, 2] + chance[1, 0, 4]) / 3
    torch.testing.assert_close(model.loss(items, None).detach(), slow)
    drawn = torch.tensor([0, 5, 8])
    wanted = []
    for row, true in ((rows[0, 0], 5), (rows[0, 1], 2), (rows[1, 0], 4)):
        others = [float(row @ table[j]) + np.log(8 / 3) for j in drawn.tolist() if j != true]
        wanted.append(np.logaddexp.reduce([float(row @ table[true]), *others]) - float(row @ table[true]))
    assert model.loss(items, drawn).item() == pytest.approx(np.mean(wanted), rel=1e-5)


def test_order_beats_what_knows_none():
    asked = question()
    methods = [*SASRec(**SMALL).fit(asked), *Transitions().fit(asked), *ItemKNN().fit(asked), *Popularity().fit(asked)]
    chosen, _ = combine_links(asked, methods, EvaluateSettings(), 7)
    assert chosen.name == "mmgraph"
    rows, _ = evaluate_recommendations(asked, [chosen, *methods], EvaluateSettings(bootstrap=0, ks=(1, 5)))
    found = {(row.split, row.method): row.value for row in rows if row.metric == "ndcg@5" and not row.group}
    for split in ("valid", "test"):  # the test is asked by who knows the validation links
        for method in ("sasrec", "transitions", "mmgraph"):
            assert found[split, method] > found[split, "item_knn"] + 0.1 > found[split, "popularity"] + 0.2, found
    assert found["test", "mmgraph"] > 0.7


def test_the_same_seed_gives_the_same_weights_whatever_else_is_drawn():
    asked, users = question(), np.arange(9)
    first = SASRec(**SMALL | {"epochs": 1}).fit(asked)[0].scores(users, "target")
    torch.rand(3)
    again = SASRec(**SMALL | {"epochs": 1}).fit(asked)[0]
    np.testing.assert_array_equal(again.scores(users, "target"), first)
    np.testing.assert_allclose(again.scores(np.arange(30), "source")[:, users], first.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "asked", [question(method="per_user"), question(timed=False, method="random")], ids=["per_user", "no times"]
)
def test_left_out_where_order_tells_nothing(asked):
    assert SASRec().fit(asked) == Transitions().fit(asked) == []


def test_left_out_where_users_are_few(caplog):
    caplog.set_level(logging.INFO)
    asked = question(users=30)
    assert SASRec().fit(asked) == []
    assert "baseline sasrec left out: 30 users have three links or more, it wants 100" in caplog.text
    assert [one.name for one in Transitions().fit(asked)] == ["transitions"]
