"""The task Facts: what it asks, its loss by hand, its validation figure against a brute-force ranking."""

import numpy as np
import pytest
import torch
from facts_made import DOUBLE, NEXT, facts

from mmgraph import registry
from mmgraph.errors import SettingsError, SplitError
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.batch import Batch, Inputs
from mmgraph.settings import BatchSettings, Component, ModelSettings
from mmgraph.tasks.kinds.facts import Facts

GRAPH, SPLIT = facts()
MODEL = ModelSettings(width=8, layer="none")


def head_of(**settings):
    torch.manual_seed(0)
    (head,) = Facts(kind="n", **settings).heads(SPLIT, MODEL)
    return head.eval()


def rows(seed=1):
    return {"n": torch.randn(12, 8, generator=torch.Generator().manual_seed(seed))}


def score(head, vectors, item, relation, other):
    """Of one fact, through ``pairs``."""
    own = torch.tensor([relation if head.reciprocal else relation % 2])
    if head.reciprocal or relation < 2:
        left, right = vectors[item : item + 1], vectors[other : other + 1]
    else:
        left, right = vectors[other : other + 1], vectors[item : item + 1]
    return head.scorer.pairs(head.scorer.source(left, own), head.scorer.target(right)).item()


def test_relations_within_the_kind_are_asked():
    assert Facts(kind="n").relations(GRAPH) == [NEXT, DOUBLE]
    assert Facts(kind="n", names=("double",)).relations(GRAPH) == [DOUBLE]
    with pytest.raises(SplitError, match="no relation between two items of kind n; given: triple; there are: double, next"):
        Facts(kind="n", names=("double", "triple")).relations(GRAPH)
    with pytest.raises(SplitError, match="no relation between two items of kind m; given: nothing; there are: none"):
        Facts(kind="m").relations(GRAPH)


@pytest.mark.parametrize("scorer", ["complex", "dist_mult", "rescal", "rotate", "trans_e"])
@pytest.mark.parametrize("reciprocal", [True, False])
def test_scores_and_validation_are_the_brute_force_ones(scorer, reciprocal):
    head, vectors = head_of(scorer=scorer, reciprocal=reciprocal), rows()
    known = {}
    for number, relation in enumerate((NEXT, DOUBLE)):
        one = SPLIT.links[relation]
        for place in (*one.train, *one.valid):
            s, t = int(one.edges.source[place]), int(one.edges.target[place])
            known.setdefault((s, number), set()).add(t)
            known.setdefault((t, number + 2), set()).add(s)
    reciprocal_ranks = []
    with torch.no_grad():
        for number, relation in enumerate((NEXT, DOUBLE)):
            one = SPLIT.links[relation]
            for place in one.valid:
                s, t = int(one.edges.source[place]), int(one.edges.target[place])
                for item, asked, truth in ((s, number, t), (t, number + 2, s)):
                    scores = head.scores(vectors, np.array([item]), np.array([asked]))[0]
                    slow = [score(head, vectors["n"], item, asked, other) for other in range(12)]
                    np.testing.assert_allclose(scores.numpy(), slow, atol=1e-4)
                    others = [slow[o] for o in range(12) if o not in known[item, asked] or o == truth]
                    rank = 1 + sum(x > slow[truth] + 1e-6 for x in others)
                    reciprocal_ranks.append(1 / rank)
    assert head.validate(vectors)["mrr"] == pytest.approx(np.mean(reciprocal_ranks), abs=1e-3)


def test_loss_is_cross_entropy_over_all_that_is_not_known_and_the_regulariser():
    n3 = Component(class_path="n3", init_args={"weight": 0.1})
    head, vectors = head_of(regulariser=n3), rows()
    (asked,) = Facts(kind="n").asked_triples(SPLIT)
    part = asked.batch(np.array([0, 4]), np.random.default_rng(0))
    batch = Batch(Inputs({}, {}), (), triples={head.name: part})
    losses = []
    for row in range(4):
        item, relation, answer = (int(x[row]) for x in (part.item, part.relation, part.answer))
        scores = head.scores(vectors, np.array([item]), np.array([relation]))[0]
        left = [o for o in range(12) if not part.is_link[row, o] or o == answer]
        losses.append(torch.logsumexp(scores[left], 0) - scores[answer])
    factors = head.scorer.factors(vectors["n"][part.item], part.relation, vectors["n"][part.answer])
    expected = torch.stack(losses).mean() + 0.1 * sum(f.pow(3).sum(1).mean() for f in factors)
    assert head.loss(vectors, batch).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("layer", ["none", "comp_gcn"])
def test_facts_are_learnt(layer, tmp_path):
    _, split = facts(40)
    model = ModelSettings(width=32, layer=layer, depth=1, learning_rate=0.01, batches=BatchSettings(size=16), dropout=0.0)
    task = Facts(kind="n")
    module = build(split.visible, task.heads(split, model), model, seed=1)
    data = GraphData(split.visible, Asked(triples=task.asked_triples(split)), model, 0.3, 1)
    trained = train(module, data, {"max_epochs": 25, "accelerator": "cpu"}, tmp_path, model)
    curve = {name: [v for _, n, v in trained.curves if n == name] for _, name, _ in trained.curves}
    losses = curve["train/n/*/n"]
    assert losses[-1] < 0.6 * losses[0]
    assert len(curve["valid/n/*/n/mrr"]) == len(losses)


def test_other_modes_are_refused():
    model = ModelSettings(batches=BatchSettings(mode="neighbours"))
    with pytest.raises(
        SettingsError, match="the task Facts needs the whole graph; given: model.batches.mode: neighbours; set it"
    ):
        GraphData(SPLIT.visible, Asked(triples=Facts(kind="n").asked_triples(SPLIT)), model, 0.3, 1)


def test_settings_reach_the_parts():
    task = registry.create("task", Component(class_path="Facts", init_args={"kind": "n", "dropout": 0.5, "weight": 2.0}))
    (head,) = task.heads(SPLIT, MODEL)
    assert (head.dropout, head.weight, head.name) == (0.5, 2.0, "n/*/n")
    torch.manual_seed(0)
    (asked,) = task.asked_triples(SPLIT)
    batch = Batch(Inputs({}, {}), (), triples={head.name: asked.batch(np.array([0]), np.random.default_rng(0))})
    vectors = rows()
    assert head.eval().loss(vectors, batch) == head.loss(vectors, batch)
    assert head.train().loss(vectors, batch) != head.loss(vectors, batch)
