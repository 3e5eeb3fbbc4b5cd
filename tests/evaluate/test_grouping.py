"""Metrics by group: every group is a plain loop over the queries that belong to it."""

import dataclasses

import numpy as np
import pytest
from facts_made import DOUBLE, NEXT, RELATIONS, facts

from mmgraph.evaluate.contract import Asked
from mmgraph.evaluate.evaluate import evaluate_links
from mmgraph.evaluate.family import FamilyQuestion
from mmgraph.evaluate.grouping import group_rows
from mmgraph.evaluate.groupings.answer_degree import AnswerDegree
from mmgraph.evaluate.groupings.modality import Modality
from mmgraph.evaluate.groupings.query_degree import QueryDegree
from mmgraph.evaluate.groupings.relation import Relation as ByRelation
from mmgraph.evaluate.groupings.warmth import Warmth
from mmgraph.evaluate.metrics import LINK_METRICS, amri, hits_at, mrr
from mmgraph.evaluate.ranking import ranks
from mmgraph.settings import EvaluateSettings

from .made import Given, random_question

FEW = EvaluateSettings(bootstrap=40)


def bucket(count):
    return "0" if count == 0 else "1-3" if count < 4 else "4-15" if count < 16 else "16+"


def degree(question, kind, item):
    """One item, link by link."""
    found = 0
    for relation in question.asks:
        edges = question.graph.edges[relation]
        for source, target in zip(edges.source, edges.target, strict=True):
            found += int(relation.source == kind and source == item) + int(relation.target == kind and target == item)
    return found


def slow_groups(question, source, target, to_target):
    """(answer_degree, query_degree, modality, warmth) of one query."""
    kinds = question.asks[0].source, question.asks[0].target
    ends = ((kinds[1], target), (kinds[0], source)) if to_target else ((kinds[0], source), (kinds[1], target))
    answer, query = (degree(question, *end) for end in ends)
    kind, item = ends[0]
    has = [m for m, one in sorted(question.graph.features_of(kind).items()) if one.present[item]]
    cold = {(0, 0): "warm", (1, 0): "cold answer", (0, 1): "cold query", (1, 1): "both cold"}[answer == 0, query == 0]
    return bucket(answer), bucket(query), "+".join(has) or "none", cold


def of_every_query(question, edges):
    asked = Asked.of(question, edges)
    each = (AnswerDegree(), QueryDegree(), Modality(), Warmth())
    return asked, list(zip(*(one.groups(asked).tolist() for one in each), strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("same", [False, True])
def test_groups_of_one_relation_are_those_of_a_loop(seed, same):
    question = random_question(seed, same, links=150 if seed == 3 else 40)
    edges, picked = question.split.test, question.split.edges.take(question.split.test)
    _, got = of_every_query(question, edges)
    pairs = list(zip(picked.source, picked.target, strict=True))
    assert got == [slow_groups(question, s, t, way) for way in (True, False) for s, t in pairs]


def test_groups_of_facts():
    question = FamilyQuestion.of("n/*/n", facts(40)[1], RELATIONS, 7)
    asked, got = of_every_query(question, question.split.test)
    ends = zip(asked.source, asked.target, asked.to_target, strict=True)
    assert got == [slow_groups(question, *one) for one in ends]
    assert {one[3] for one in got} > {"warm"}
    OfRelation = ByRelation().groups(asked).tolist()
    number = question.number_of(question.split.test)
    assert OfRelation == [(NEXT, DOUBLE)[i].name for i in number]
    assert set(OfRelation) == {"next", "double"}
    assert set(ByRelation().groups(Asked.of(random_question(), np.arange(4)))) == {""}


def test_rows_are_the_metrics_of_the_queries_in_the_group():
    question = random_question(3, links=120)
    matrix = np.random.default_rng(0).normal(size=(12, 15)).astype(np.float32)
    methods, ranked = [Given(matrix, "mmgraph"), Given(-matrix, "other")], []
    evaluate_links(question, methods, FEW, ranked)
    rows = group_rows(ranked, FEW)
    both = [ranks(Given(matrix), question, question.split.test, d) for d in question.directions]
    rank, candidates = (np.concatenate([one[column] for one in both]) for column in (0, 1))
    names = np.array([one[0] for one in of_every_query(question, question.split.test)[1]])
    found = {(row.method, row.group, row.metric): row for row in rows}
    assert len(found) == len(rows)
    assert {row.metric for row in rows} == set(LINK_METRICS)
    assert len(set(names)) > 1
    for name in set(names.tolist()):
        those = names == name
        mine = {metric: found["mmgraph", f"answer_degree={name}", metric] for metric in LINK_METRICS}
        assert mine["mrr"].value == pytest.approx(mrr(rank[those]))
        assert mine["hits@10"].value == pytest.approx(hits_at(rank[those], 10))
        assert mine["amri"].value == pytest.approx(amri(rank[those], candidates[those]))
        assert {one.n for one in mine.values()} == {those.sum()}
        assert all(one.low <= one.value <= one.high for one in mine.values())
    for grouping in ("answer_degree", "query_degree", "modality", "warmth"):  # nothing is lost, nothing counts twice
        of_it = [row for row in rows if row.group.startswith(f"{grouping}=") and (row.method, row.metric) == ("other", "mrr")]
        assert sum(row.n for row in of_it) == len(rank)
    degrees = [row.group for row in rows if row.group.startswith("answer_degree=")]
    assert list(dict.fromkeys(degrees)) == [f"answer_degree={b}" for b in ("0", "1-3", "4-15", "16+") if b in names]
    assert group_rows(ranked, FEW) == rows


def test_nothing_held_out_no_groups():
    question = random_question(3)
    assert group_rows([], FEW) == []
    empty = dataclasses.replace(question, split=dataclasses.replace(question.split, test=np.zeros(0, np.int64)))
    ranked = []
    evaluate_links(empty, [Given(np.zeros((12, 15)), "mmgraph")], FEW, ranked)
    assert group_rows(ranked, FEW) == []
