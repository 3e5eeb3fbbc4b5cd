"""The task Paths: what it asks, its loss by hand, that it cannot see what it predicts, and that it answers about other items."""

import dataclasses

import numpy as np
import pytest
import torch
from facts_made import DOUBLE, NEXT, facts
from graph_made import CONTAINS, FOLLOWS, made

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, restored, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.steps import WholeGraphSteps
from mmgraph.sample.triples import Triples
from mmgraph.settings import BatchSettings, ModelSettings
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.tasks.kinds.paths import Paths
from mmgraph.types import Relation

_, SPLIT = facts()
_, MEDIA = made(videos=4)
MODEL = ModelSettings(width=2, layer="none", id_embedding="none", batches=BatchSettings(size=4))
SMALL = {"depth": 2, "width": 4, "aggregate": "sum"}


def head_of(split, **settings):
    torch.manual_seed(0)
    (head,) = Paths(**{**SMALL, **settings}).heads(split, MODEL)
    return head


def steps(split, task, size=4):
    links, triples = task.asked_links(split), task.asked_triples(split)
    return list(WholeGraphSteps(split.visible, 0, links, [], triples, size, seed=3))


def test_a_relation_or_a_kind_is_asked():
    assert Paths(kind="n").relations(SPLIT.visible) == [NEXT, DOUBLE]
    assert Paths(kind="n", names=("double",)).relations(SPLIT.visible) == [DOUBLE]
    assert Paths(relation=str(CONTAINS)).relations(MEDIA.visible) == [CONTAINS]
    with pytest.raises(SettingsError, match="Paths asks about a relation or a kind; given: neither; give one of the two"):
        Paths()
    with pytest.raises(SettingsError, match="given: a/b/c and n"):
        Paths(relation="a/b/c", kind="n")


def test_the_loss_is_cross_entropy_over_all_that_is_not_known():
    head, task = head_of(SPLIT, kind="n"), Paths(kind="n")
    batch = steps(SPLIT, task)[0]
    asked, graph = batch.triples["n/*/n"], head.paths.left(batch)
    numbers = [head.paths.numbers[one] for one in (NEXT, DOUBLE, NEXT.reverse, DOUBLE.reverse)]
    losses = []
    for row in range(len(asked.item)):
        item, relation = asked.item[row : row + 1], torch.tensor([numbers[asked.relation[row]]])
        scores = head.paths.network(graph, item, relation, torch.arange(12))[0]
        answer = int(asked.answer[row])
        known = {int(o) for o, known in zip(asked.others, asked.is_link[row], strict=True) if known}
        left = [other for other in range(12) if other not in known or other == answer]
        losses.append(torch.logsumexp(scores[left], 0) - scores[answer])
    assert head.loss({}, batch).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-4)


def test_the_loss_of_a_relation_between_two_kinds():
    split = with_links(MEDIA, CONTAINS)
    head, task = head_of(split, relation=str(CONTAINS)), Paths(relation=str(CONTAINS), negatives="every")
    batch = steps(split, task)[0]
    asked, graph = batch.links[str(CONTAINS)], head.paths.left(batch)
    first = graph.first
    assert graph.num_nodes == 24
    both = []
    for source, target in zip(asked.source.tolist(), asked.target.tolist(), strict=True):
        train = split.visible.edges[CONTAINS]
        for relation, item, answer, count in ((CONTAINS, source, target, 20), (CONTAINS.reverse, target, source, 4)):
            node = torch.tensor([item + first[relation.source]])
            every = torch.arange(count) + first[relation.target]
            scores = head.paths.network(graph, node, torch.tensor([head.paths.numbers[relation]]), every)[0]
            ends = (train.source, train.target) if relation == CONTAINS else (train.target, train.source)
            known = set(ends[1][ends[0] == item].tolist()) - {answer}
            left = [other for other in range(count) if other not in known]
            both.append(torch.logsumexp(scores[left], 0) - scores[answer])
    forward, backward = torch.stack(both[::2]), torch.stack(both[1::2])
    assert head.loss({}, batch).item() == pytest.approx(((forward.mean() + backward.mean()) / 2).item(), rel=1e-4)


def with_links(split, relation, shares=(0.6, 0.8)):
    """The same graph with the links of another relation held out."""
    edges = split.visible.edges[relation]
    order = np.random.default_rng(0).permutation(len(edges))
    parts = np.split(order, [int(share * len(edges)) for share in shares])
    one = LinkSplit(edges, *(np.sort(part) for part in parts))
    visible = split.visible.with_edges({**split.visible.edges, relation: edges.take(one.train)})
    return Split({relation: one}, {}, visible)


@pytest.mark.parametrize("task", [Paths(kind="n"), Paths(relation=str(NEXT))])
def test_one_step_has_a_finite_gradient(task):
    head = head_of(SPLIT, kind=task.kind, relation=task.relation, aggregate="pna")
    for batch in steps(SPLIT, task):
        head.zero_grad()
        head.loss({}, batch).backward()
        gradients = [parameter.grad for parameter in head.parameters()]
        assert all(one is not None and torch.isfinite(one).all() for one in gradients)
        assert any(one.abs().sum() > 0 for one in gradients)


@pytest.mark.parametrize("kind", [None, "n"], ids=["a relation", "facts"])
def test_what_a_step_predicts_cannot_be_seen(kind):
    """Each item of the planted graph has one link: to its answer."""
    ends = np.arange(0, 8, 2)
    edges = Edges(NEXT, ends, ends + 1)
    none = np.zeros(0, np.int64)
    graph = Graph({"n": np.array([f"n{i}" for i in range(8)])}, {NEXT: edges})
    split = Split({NEXT: LinkSplit(edges, np.arange(4), none, none)}, {}, graph)
    task = Paths(kind=kind, relation=None if kind else str(NEXT), **SMALL)
    (head,) = task.heads(split, MODEL)
    name = head.name
    for batch in steps(split, task, size=1):
        asked = (batch.triples if kind else batch.links)[name]
        source = int(asked.item[0] if kind else asked.source[0])
        left = head.paths.left(batch)
        assert len(left.source) == 6
        assert not {source, source + 1} & {*left.source.tolist(), *left.target.tolist()}

        def scores(graph, source=source):
            number = torch.tensor([head.paths.numbers[NEXT]])
            return head.paths.network(graph, torch.tensor([source]), number, torch.arange(8))[0].detach()

        blind, seeing = scores(left), scores(head.paths.visible())
        others = [other for other in range(8) if other not in (source, source + 1)]
        assert not torch.allclose(blind[source + 1], seeing[source + 1])
        torch.testing.assert_close(blind[others], seeing[others], atol=1e-5, rtol=1e-4)
    # its twin: an item without any link looks the same to each question that is left without its link
    alone = Graph({"n": np.array([f"n{i}" for i in range(9)])}, {NEXT: edges})
    split = Split({NEXT: LinkSplit(edges, np.arange(4), none, none)}, {}, alone)
    (head,) = task.heads(split, MODEL)
    for batch in steps(split, task, size=1):
        asked = (batch.triples if kind else batch.links)[name]
        source, answer = (int(x[0]) for x in ((asked.item, asked.answer) if kind else (asked.source, asked.target)))
        number = torch.tensor([head.paths.numbers[NEXT]])
        found = head.paths.network(head.paths.left(batch), torch.tensor([source]), number, torch.tensor([answer, 8])).detach()
        assert float(found[0, 0]) == pytest.approx(float(found[0, 1]))


def family_graph(count, seed):
    """People, their parents, and grandparents: a grandparent is a parent's parent. Half of the grandparents are held out."""
    rng = np.random.default_rng(seed)
    parent, grand = Relation("n", "parent", "n"), Relation("n", "grandparent", "n")
    of = np.array([int(rng.integers(max(1, i // 2), i)) if i > 3 else -1 for i in range(count)])
    child = np.flatnonzero(of >= 0)
    above = of[of[child]]
    known = above >= 0
    edges = {parent: Edges(parent, child, of[child]), grand: Edges(grand, child[known], above[known])}
    order = rng.permutation(int(known.sum()))
    half, rest = len(order) // 2, len(order) // 4
    one = LinkSplit(edges[grand], *(np.sort(part) for part in np.split(order, [half, half + rest])))
    every = np.arange(len(child))
    other = LinkSplit(edges[parent], every, every[:0], every[:0])
    ids = {"n": np.array([f"{seed}-{i}" for i in range(count)])}
    graph = Graph(ids, edges)
    return Split(
        {parent: other, grand: one}, {}, graph.with_edges({parent: edges[parent], grand: edges[grand].take(one.train)})
    )


def learnt(split, task, model, folder, epochs):
    torch.manual_seed(1)
    module = build(split.visible, task.heads(split, model), model, seed=1)
    data = GraphData(split.visible, Asked(task.asked_links(split), (), task.asked_triples(split)), model, 0.3, 1)
    trained = train(module, data, {"max_epochs": epochs, "accelerator": "cpu"}, folder, model)
    return module, data, trained


def test_it_answers_about_items_that_it_never_saw(tmp_path):
    """Trained on one family, asked about another, of another size; against popularity and chance there."""
    model = ModelSettings(width=2, layer="none", id_embedding="none", learning_rate=0.02, batches=BatchSettings(size=32))
    task = Paths(kind="n", names=("grandparent",), depth=2, width=8, aggregate="sum")
    _, _, trained = learnt(family_graph(40, seed=0), task, model, tmp_path, epochs=8)
    other = family_graph(60, seed=5)
    (head,) = task.heads(other, model)
    head.load_state_dict(trained.heads[0].head.state_dict())
    split = next(one for relation, one in other.links.items() if relation.name == "grandparent")
    edges = split.edges.take(split.test)
    scores = head.eval().scores({}, edges.source, np.zeros(len(edges), np.int64)).numpy()
    popular = np.bincount(split.edges.target[split.train], minlength=60)[None].repeat(len(edges), 0)
    ours, popularity = (reciprocal_ranks(one, edges.target) for one in (scores, popular))
    chance = np.mean(1 / np.arange(1, 61))
    assert ours > 0.5
    assert ours > 2 * max(popularity, chance)


def reciprocal_ranks(scores, truth):
    own = scores[np.arange(len(truth)), truth][:, None]
    return float(np.mean(1 / ((scores > own).sum(1) + ((scores == own).sum(1) + 1) / 2)))


def test_checkpoints_hold_no_graph_and_give_the_same_answers(tmp_path):
    task = Paths(relation=str(FOLLOWS), **SMALL)
    module, data, trained = learnt(MEDIA, task, MODEL, tmp_path, epochs=2)
    head = trained.heads[0].head
    names = set(torch.load(tmp_path / "best.ckpt", weights_only=True)["state_dict"])
    assert {name for name in names if name.startswith("heads.")} == {f"heads.0.{name}" for name, _ in head.named_parameters()}
    before = head.scores({}, np.arange(5), False)
    assert before.shape == (5, 20)
    again = restored(module, data, tmp_path).heads[0].head
    torch.testing.assert_close(again.scores({}, np.arange(5), False), before, atol=0, rtol=0)
    assert again.validate({}) == head.validate({})
    assert again.paths.visible() is module.all_heads[0].paths.visible(), "a copy of the head shares the graph"


def test_the_figure_is_that_of_a_brute_force_ranking():
    head = head_of(SPLIT, kind="n").eval()
    every = {(NEXT, 0), (DOUBLE, 1)}
    known, reciprocal = {}, []
    for relation, number in every:
        one = SPLIT.links[relation]
        for place in (*one.train, *one.valid):
            s, t = int(one.edges.source[place]), int(one.edges.target[place])
            known.setdefault((s, number), set()).add(t)
            known.setdefault((t, number + 2), set()).add(s)
    for relation, number in every:
        one = SPLIT.links[relation]
        for place in one.valid:
            s, t = int(one.edges.source[place]), int(one.edges.target[place])
            for item, asked, truth in ((s, number, t), (t, number + 2, s)):
                scores = head.scores({}, np.array([item]), np.array([asked]))[0]
                others = [o for o in range(12) if o not in known[item, asked]]
                above = sum(float(scores[o]) > float(scores[truth]) for o in others)
                beside = sum(float(scores[o]) == float(scores[truth]) for o in others)
                reciprocal.append(1 / (1 + above + beside / 2))
    assert head.validate({})["mrr"] == pytest.approx(np.mean(reciprocal), abs=1e-3)


def test_batches_beside_layers_and_other_modes():
    task = Paths(kind="n")
    deep = list(WholeGraphSteps(SPLIT.visible, 2, [], [], task.asked_triples(SPLIT), 4, 3))
    assert all(len(batch.blocks) == 2 and batch.whole is batch.blocks[0] for batch in deep)
    assert all(not batch.blocks and batch.whole is not None for batch in steps(SPLIT, task))
    moved = deep[0].to(torch.device("cpu"))
    assert moved.whole is moved.blocks[0]
    plain = [dataclasses.replace(one, passing=False) for one in task.asked_triples(SPLIT)]
    assert all(batch.whole is None for batch in WholeGraphSteps(SPLIT.visible, 2, [], [], plain, 4, 3))
    wrong = "the task Paths needs the whole graph in steps; given: model.batches.mode: neighbours; set it to steps"
    for one in (task, Paths(relation=str(NEXT))):
        model = ModelSettings(batches=BatchSettings(mode="neighbours"))
        with pytest.raises(SettingsError, match=wrong):
            GraphData(SPLIT.visible, Asked(one.asked_links(SPLIT), (), one.asked_triples(SPLIT)), model, 0.3, 1)


def test_what_leaves_the_messages_is_a_pair_or_a_link():
    """0 -> 1 is next and double, and 1 -> 0 is next: all of it leaves with the pair, else what is asked alone."""
    edges = {NEXT: Edges(NEXT, np.array([0, 1, 2]), np.array([1, 0, 3])), DOUBLE: Edges(DOUBLE, np.array([0]), np.array([1]))}
    none = np.zeros(0, np.int64)
    graph = Graph({"n": np.array([f"n{i}" for i in range(4)])}, edges)
    split = Split({r: LinkSplit(one, np.arange(len(one)), none, none) for r, one in edges.items()}, {}, graph)
    for withhold, left in (("pair", 1), ("link", 3)):
        (triples,) = Paths(kind="n", withhold=withhold).asked_triples(split)
        gone = triples.withheld(np.array([0]))
        assert sum(len(one) for one in gone.values()) == 4 - left
        assert 0 in gone[NEXT]
        (links,) = Paths(relation=str(NEXT), withhold=withhold).asked_links(split)
        assert links.withheld(np.array([0])).tolist() == ([0, 1] if withhold == "pair" else [0])
        for kind in (None, "n"):
            task = Paths(kind=kind, relation=None if kind else str(NEXT), withhold=withhold, **SMALL)
            (head,) = task.heads(split, MODEL)
            for batch in steps(split, task, size=1):
                asked = (batch.triples if kind else batch.links)[head.name]
                one = (asked.item, asked.answer) if kind else (asked.source, asked.target)
                source, target = (int(end[0]) for end in one)
                number = int(asked.relation[0]) if kind else 0
                relation = (NEXT, DOUBLE)[number]
                graph = head.paths.left(batch)
                rows = set(zip(graph.source.tolist(), graph.relation.tolist(), graph.target.tolist(), strict=True))
                assert (source, head.paths.numbers[relation], target) not in rows
                assert (target, head.paths.numbers[relation.reverse], source) not in rows


def test_mined_negatives_are_refused():
    wrong = "Paths has no vectors, by which these negatives are found; given: hard; take every or uniform"
    with pytest.raises(SettingsError, match=wrong):
        Paths(kind="n", negatives="hard").asked_triples(SPLIT)


def test_triples_of_several_relations():
    none = np.zeros(0, np.int64)
    made = Triples.of([Edges(NEXT, np.array([1, 2]), np.array([3, 4])), Edges(DOUBLE, none, none)])
    assert [column.tolist() for column in made] == [[1, 2], [0, 0], [3, 4]]
