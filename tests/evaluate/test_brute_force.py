"""Every rank and every metric of links, against a double loop that knows no arrays: random graphs with ties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.evaluate import evaluate_links
from mmgraph.evaluate.family import FamilyQuestion
from mmgraph.evaluate.ranking import ranks
from mmgraph.graph.contract import Edges, Graph
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.types import Relation

from .made import Given, ids


def random_split(seed, relations, items):
    """A graph of these items and relations, each link in train, valid or test."""
    generator, links = np.random.default_rng(seed), {}
    for relation in relations:
        high = items[relation.source], items[relation.target]
        pairs = np.unique(generator.integers(high, size=(generator.integers(1, 30), 2)), axis=0)
        part = generator.integers(3, size=len(pairs))
        edges = Edges(relation, pairs[:, 0], pairs[:, 1])
        links[relation] = LinkSplit(edges, *(np.flatnonzero(part == code) for code in range(3)))
    visible = {relation: one.edges.take(one.train) for relation, one in links.items()}
    return Split(links, {}, Graph({kind: ids(kind, count) for kind, count in items.items()}, visible))


def pairs_of(edges):
    return list(zip(edges.source.tolist(), edges.target.tolist(), strict=True))


def brute_queries(split, relations, part, seen_only, score, itself):
    """(rank, candidates) of every query: first all that ask for a target, then all that ask for a source.

    ``score(relation, direction, s, t)``; candidates one by one. itself: whether an item may be an answer about itself (of facts
    it may, as in every published protocol for knowledge graphs).
    """
    out = []
    for direction in ("target", "source"):
        for relation in relations:
            one = split.links[relation]
            known, seen = set(pairs_of(one.edges)), split.visible.edges[relation]
            seen = set((seen.target if direction == "target" else seen.source).tolist())
            kind = relation.target if direction == "target" else relation.source
            for s, t in pairs_of(one.edges.take(getattr(one, part))):
                above = equal = candidates = 0
                for other in range(split.visible.count(kind)):
                    pair = (s, other) if direction == "target" else (other, t)
                    if pair != (s, t):
                        if pair in known or (not itself and relation.source == relation.target and pair[0] == pair[1]):
                            continue
                        if seen_only and other not in seen:
                            continue
                        above += score(relation, direction, *pair) > score(relation, direction, s, t)
                        equal += score(relation, direction, *pair) == score(relation, direction, s, t)
                    candidates += 1
                out.append((1 + above + equal / 2, candidates))
    return out


def brute_metrics(queries):
    """Names and values, each by its definition."""
    n = len(queries)
    out = {f"hits@{k}": sum(rank <= k for rank, _ in queries) / n for k in (1, 3, 10)}
    out["mrr"] = sum(1 / rank for rank, _ in queries) / n
    out["mr"] = sum(rank for rank, _ in queries) / n
    out["ndcg@10"] = sum(1 / math.log2(1 + rank) for rank, _ in queries if rank <= 10) / n
    out["auc"] = sum((count - rank) / (count - 1) if count > 1 else 0.5 for rank, count in queries) / n
    expected = sum((count + 1) / 2 for _, count in queries) / n
    out["amri"] = 1 - (out["mr"] - 1) / (expected - 1) if expected > 1 else 0.0
    half = n // 2
    out["mrr/target"] = sum(1 / rank for rank, _ in queries[:half]) / half
    out["mrr/source"] = sum(1 / rank for rank, _ in queries[half:]) / half
    return out


def compare(question, method, split, relations, score, itself=False):
    asking = EvaluateSettings(bootstrap=0, block=5, candidates=question.candidates)
    rows, _ = evaluate_links(question, [method], asking)
    for part in ("valid", "test"):
        wanted = brute_queries(split, relations, part, question.candidates == "seen", score, itself)
        got = [ranks(method, question, getattr(question.split, part), way, block=3) for way in question.directions]
        found = [pair for one in got for pair in zip(one.rank.tolist(), one.candidates.tolist(), strict=True)]
        assert found == wanted
        if wanted:
            assert {row.metric: row.value for row in rows if row.split == part} == pytest.approx(brute_metrics(wanted))
        else:
            assert not [row for row in rows if row.split == part]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 5), st.sampled_from(["kind", "seen"]))
def test_one_relation(seed, same, levels, candidates):
    relation = Relation("a", "r", "a" if same else "b")
    split = random_split(seed, [relation], {"a": 9, "b": 7})
    question = LinkQuestion(split.visible, split.links[relation], seed, candidates)
    size = question.count("source"), question.count("target")
    matrix = np.random.default_rng(seed).integers(levels, size=size).astype(np.float32)
    compare(question, Given(matrix), split, [relation], lambda _, __, s, t: matrix[s, t])


class OfFacts(LinkMethod):
    """Scores [relation and reading, asked item, answer]."""

    name = "given"

    def __init__(self, cube):
        self.cube = cube

    def scores(self, queries, direction):
        assert direction == "target"
        return self.cube.reshape(-1, self.cube.shape[2])[queries]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 5), st.sampled_from(["kind", "seen"]))
def test_facts_of_several_relations(seed, count, levels, candidates):
    relations = [Relation("a", f"r{i}", "a") for i in range(count)]
    split = random_split(seed, relations, {"a": 8})
    question = FamilyQuestion.of("a/*/a", split, relations, seed, candidates)
    cube = np.random.default_rng(seed).integers(levels, size=(2 * count, 8, 8)).astype(np.float32)

    def score(relation, direction, s, t):
        number = relations.index(relation)
        return cube[number, s, t] if direction == "target" else cube[number + count, t, s]

    compare(question, OfFacts(cube), split, relations, score, itself=True)
