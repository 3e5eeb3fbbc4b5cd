"""All relations as one question give what each gives alone."""

import dataclasses

import numpy as np
import pytest
from facts_made import DOUBLE, NEXT, RELATIONS, facts

from mmgraph.evaluate.baselines.links.popularity import Popularity
from mmgraph.evaluate.calibrate import calibrate
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.evaluate import evaluate_links
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.family import FamilyQuestion, Gathered, OfRelation, gathered
from mmgraph.evaluate.ranking import DIRECTIONS, ranks
from mmgraph.graph.contract import Edges
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Relation

_, SPLIT = facts(30)
FAMILY = FamilyQuestion.of("n/*/n", SPLIT, RELATIONS, 7)
ALONE = {relation: LinkQuestion(SPLIT.visible, SPLIT.links[relation], 7) for relation in RELATIONS}


class Random(LinkMethod):
    """Scores of a table, the same for both readings of a pair or not."""

    def __init__(self, seed):
        self.name = f"random{seed}"
        self._table = {d: np.random.default_rng([seed, i]).normal(size=(30, 30)) for i, d in enumerate(DIRECTIONS)}

    def scores(self, queries, direction):
        return self._table[direction][queries].astype(np.float32)


METHODS = {NEXT: [Random(1)], DOUBLE: [Random(2)]}
METHODS[DOUBLE][0].name = METHODS[NEXT][0].name = "random"


def test_every_link_stands_twice():
    edges, split = FAMILY.split.edges, FAMILY.split
    assert len(edges) == 2 * FAMILY.links == 2 * sum(len(one.split.edges) for one in ALONE.values())
    every = np.sort(np.concatenate([split.train, split.valid, split.test]))
    assert every.tolist() == list(range(len(edges)))
    assert len(split.valid) == 2 * sum(len(one.split.valid) for one in ALONE.values())
    assert len(FAMILY.visible) == len(split.train)
    assert FAMILY.count("target") == 30
    assert FAMILY.count("source") == 30 * 4
    assert np.unique(FAMILY.units(split.test)).size == len(split.test) / 2
    assert FAMILY.asks_target(np.array([0, FAMILY.links]), "target").tolist() == [True, False]
    numbers = FAMILY.number_of(np.arange(len(edges)))
    assert np.bincount(numbers).tolist() == [2 * len(ALONE[r].split.edges) for r in RELATIONS]


def test_ranks_are_those_of_each_relation():
    (method,) = gathered(FAMILY, METHODS)
    found = sorted(ranks(method, FAMILY, FAMILY.split.test, "target").rank.tolist())
    each = [
        ranks(METHODS[r][0], without_self(ALONE[r]), ALONE[r].split.test, d).rank.tolist()
        for r in RELATIONS
        for d in DIRECTIONS
    ]
    assert found == pytest.approx(sorted(rank for some in each for rank in some))


def without_self(question):
    """A knowledge graph may link an item with itself, so the item is a candidate too."""
    edges = question.split.edges
    other = Edges(Relation("n", edges.relation.name, "m"), edges.source, edges.target)
    graph = dataclasses.replace(question.graph, ids={**question.graph.ids, "m": question.graph.ids["n"]})
    return LinkQuestion(graph, dataclasses.replace(question.split, edges=other), 7)


def test_a_relation_gets_its_own_answers_back():
    (method,) = gathered(FAMILY, METHODS)
    queries = np.array([3, 29, 0])
    for relation in RELATIONS:
        mine = OfRelation(method, FAMILY, relation)
        for direction in DIRECTIONS:
            np.testing.assert_array_equal(mine.scores(queries, direction), METHODS[relation][0].scores(queries, direction))


def test_a_relation_without_the_method_scores_nothing():
    method = Gathered("x", FAMILY, {NEXT: METHODS[NEXT][0]})
    assert not OfRelation(method, FAMILY, DOUBLE).scores(np.array([1, 2]), "source").any()
    assert OfRelation(method, FAMILY, NEXT).scores(np.array([1, 2]), "source").any()


def test_rows_cover_both_directions_and_the_choice_is_made_once():
    methods = [*gathered(FAMILY, METHODS), *gathered(FAMILY, {r: Popularity().fit(q) for r, q in ALONE.items()})]
    settings = EvaluateSettings(bootstrap=50)
    ours, evidence = combine_links(FAMILY, methods, settings, 7)
    rows, verdict = evaluate_links(FAMILY, [ours, *methods], settings)
    assert evidence.target == verdict.target == "n/*/n"
    value = {(row.split, row.method, row.metric): row for row in rows}
    for method in methods:
        found = ranks(method, FAMILY, FAMILY.split.test, "target")
        row = value["test", method.name, "mrr"]
        assert row.value == pytest.approx((1 / found.rank).mean())
        assert row.n == len(FAMILY.split.test)
        assert row.low <= row.value <= row.high
        forward = FAMILY.split.test < FAMILY.links
        assert value["test", method.name, "mrr/target"].value == pytest.approx((1 / found.rank)[forward].mean())
        assert value["test", method.name, "mrr/source"].value == pytest.approx((1 / found.rank)[~forward].mean())
        assert value["test", method.name, "mrr/source"].n == (~forward).sum()
    calibration = calibrate(FAMILY, ours, 7)
    assert 0 <= calibration.probability(np.zeros(1, np.float32))[0] <= 1
