"""Facts in batches: both questions of each, no known answer as a negative, nothing predicted in the messages."""

import numpy as np
import pytest
from facts_made import DOUBLE, NEXT, RELATIONS, facts
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.model.negatives.every import Every
from mmgraph.model.negatives.uniform import Uniform
from mmgraph.sample.steps import WholeGraphSteps
from mmgraph.sample.triples import AskedTriples, KnownAnswers, Triples
from mmgraph.tasks.kinds.facts import Facts

_, SPLIT = facts()
VISIBLE = SPLIT.visible


def asked(negatives="every"):
    (one,) = Facts(kind="n", negatives=negatives).asked_triples(SPLIT)
    return one


def known_of(one):
    """(item, relation) -> answers, the slow way."""
    known = {}
    for s, r, t in zip(*one.triples, strict=True):
        known.setdefault((s, r), set()).add(t)
        known.setdefault((t, r + len(one.relations)), set()).add(s)
    return known


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 4)), max_size=30))
def test_known_answers_are_all_of_them(rows):
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    known = KnownAnswers(*columns, 5)
    item, relation = (grid.ravel() for grid in np.meshgrid(np.arange(5), np.arange(3)))
    found = sorted(zip(*(part.tolist() for part in known.pairs(item, relation)), strict=True))
    expected = sorted((row, a) for row in range(15) for i, r, a in rows if (i, r) == (item[row], relation[row]))
    assert found == expected


def test_no_questions_and_no_facts():
    none = np.zeros(0, np.int64)
    assert [len(part) for part in KnownAnswers(none, none, none, 3).pairs(np.array([1]), np.array([0]))] == [0, 0]
    assert asked().batch(none, np.random.default_rng(0)).item.shape == (0,)
    assert asked().withheld(none) == {}


@pytest.mark.parametrize("negatives", ["every", "uniform"])
def test_a_batch_asks_both_ways_and_marks_what_is_known(negatives):
    one = asked(negatives)
    chosen = np.array([0, 3, 5])
    batch = one.batch(chosen, np.random.default_rng(0))
    source, relation, target = (column[chosen].tolist() for column in one.triples)
    assert batch.item.tolist() == source + target
    assert batch.relation.tolist() == relation + [r + 2 for r in relation]
    assert batch.answer.tolist() == target + source
    known = known_of(one)
    for row, (item, number) in enumerate(zip(batch.item.tolist(), batch.relation.tolist(), strict=True)):
        for column, other in enumerate(batch.others.tolist()):
            assert batch.is_link[row, column].item() == (other in known[item, number])
    assert batch.is_link.any()


@pytest.mark.parametrize("filtered", [True, False])
def test_without_the_filter_only_the_answer_itself_is_no_negative(filtered):
    two = Triples(np.array([0, 0]), np.array([0, 0]), np.array([1, 2]))  # one question with two answers
    batch = AskedTriples("x", "n", RELATIONS, two, 4, Every(), filtered).batch(np.array([0]), np.random.default_rng(0))
    expected = [[False, True, filtered, False], [True, False, False, False]]
    assert batch.is_link.tolist() == expected


def test_shared_candidates_that_are_few():
    one = AskedTriples("x", "n", RELATIONS, asked().triples, 12, Uniform(num=4))
    batch = one.batch(np.arange(len(one)), np.random.default_rng(1))
    assert batch.is_link.shape == (2 * len(one), 4)
    known = known_of(one)
    rows = zip(batch.item.tolist(), batch.relation.tolist(), strict=True)
    expected = [[other in known[key] for other in batch.others.tolist()] for key in rows]
    assert batch.is_link.tolist() == expected


def test_every_relation_between_the_same_two_items_is_withheld():
    """0 -> 0 doubles, 1 -> 2 is next and double: one tells the other."""
    triples = Triples(np.array([1, 3, 0, 1]), np.array([0, 0, 1, 1]), np.array([2, 4, 0, 2]))
    one = AskedTriples("x", "n", RELATIONS, triples, 12, Every())
    assert {r: ids.tolist() for r, ids in one.withheld(np.array([0])).items()} == {NEXT: [0], DOUBLE: [1]}
    assert {r: ids.tolist() for r, ids in one.withheld(np.array([1])).items()} == {NEXT: [1]}
    backwards = AskedTriples("x", "n", RELATIONS, Triples(triples.target, triples.relation, triples.source), 12, Every())
    assert {r: ids.tolist() for r, ids in backwards.withheld(np.array([3])).items()} == {NEXT: [0], DOUBLE: [1]}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 3)), unique=True, max_size=14), st.data())
def test_what_is_withheld_is_found_by_looking_at_all(rows, data):
    rows = sorted(rows, key=lambda row: row[1])
    one = AskedTriples("x", "n", RELATIONS, Triples(*np.array(rows, np.int64).reshape(-1, 3).T), 4, Every())
    for _ in range(2):
        chosen = data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else set()
        pairs = {frozenset((rows[place][0], rows[place][2])) for place in chosen}
        expected = {}
        for place, (source, number, target) in enumerate(rows):
            if frozenset((source, target)) in pairs:
                expected.setdefault(RELATIONS[number], []).append(place - sum(row[1] < number for row in rows))
        found = one.withheld(np.array(sorted(chosen), np.int64))
        assert {relation: ids.tolist() for relation, ids in found.items()} == expected


def steps(depth=1, size=4, epoch=0):
    return list(WholeGraphSteps(VISIBLE, depth, [], [], [asked()], size, seed=3, epoch=epoch))


def test_an_epoch_passes_over_every_fact_once():
    batches = steps()
    one = asked()
    assert len(batches) == -(-len(one) // 4) == len(WholeGraphSteps(VISIBLE, 1, [], [], [one], 4, 3))
    parts = [batch.triples["n/*/n"] for batch in batches]
    columns = [[x.tolist()[: len(x) // 2] for x in (part.item, part.relation, part.answer)] for part in parts]
    seen = [fact for some in columns for fact in zip(*some, strict=True)]
    assert sorted(seen) == sorted(zip(*(c.tolist() for c in one.triples), strict=True))
    again, other = steps(), steps(epoch=1)
    first = [batch.triples["n/*/n"].item.tolist() for batch in batches]
    assert [batch.triples["n/*/n"].item.tolist() for batch in again] == first
    assert [batch.triples["n/*/n"].item.tolist() for batch in other] != first


def test_what_a_step_predicts_carries_no_messages():
    one = asked()
    for batch in steps():
        part = batch.triples["n/*/n"]
        half = len(part.item) // 2
        pairs = {frozenset(pair) for pair in zip(part.item.tolist()[:half], part.answer.tolist()[:half], strict=True)}
        passed = 0
        for relation in (*RELATIONS, *(r.reverse for r in RELATIONS)):
            adjacency = batch.blocks[0].relations[relation]
            ends = {frozenset(pair) for pair in zip(adjacency.sources.tolist(), adjacency.targets.tolist(), strict=True)}
            assert not ends & pairs
            passed += len(adjacency.sources)
        every = zip(one.triples.source.tolist(), one.triples.target.tolist(), strict=True)
        assert passed == 2 * sum(frozenset(pair) not in pairs for pair in every)


def test_without_layers_there_are_no_messages():
    assert all(batch.blocks == () for batch in steps(depth=0))
