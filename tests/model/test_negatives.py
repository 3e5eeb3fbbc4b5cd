"""Negative samplers draw what they say, as often as they say, and never mark a known link as a negative."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from facts_made import facts

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.sample.full import link_batch
from mmgraph.sample.negatives import Questions
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import Component
from mmgraph.tasks.heads import sampler_for
from mmgraph.tasks.kinds.facts import Facts
from mmgraph.types import Relation

LIKES = Relation("user", "likes", "video")
SOURCE, TARGET = np.array([0, 0, 0, 1, 1, 2, 3]), np.array([0, 1, 2, 1, 3, 1, 4])
USERS, VIDEOS = 5, 9
NAMES = sorted(registry.discover("negative sampler"))


def sampler(name, **arguments):
    return registry.create("negative sampler", Component(class_path=name, init_args=arguments))


def likes(name, **arguments):
    return AskedLinks("likes", LIKES, SOURCE, TARGET, USERS, VIDEOS, sampler(name, **arguments))


def test_all_samplers_are_looked_at():
    assert set(NAMES) == {"uniform", "in_batch", "every", "degree_weighted", "typed", "hard"}


@pytest.mark.parametrize("name", NAMES)
def test_candidates_are_items_each_once_and_known_links_are_no_negatives(name):
    asked = likes(name)
    known = set(zip(SOURCE.tolist(), TARGET.tolist(), strict=True))
    for chosen in (np.array([0]), np.arange(len(SOURCE))):
        batch = link_batch(asked, chosen, np.random.default_rng(0))
        for others, count in ((batch.other_targets, VIDEOS), (batch.other_sources, USERS)):
            assert len(others.unique()) == len(others) > 0
            assert 0 <= others.min() <= others.max() < count
        for i in range(len(chosen)):
            source, target = batch.source[i].item(), batch.target[i].item()
            negatives = batch.other_targets[~batch.is_link[i]].tolist()
            assert not {(source, other) for other in negatives} & known
            negatives = batch.other_sources[~batch.is_link_source[i]].tolist()
            assert not {(other, target) for other in negatives} & known


@pytest.mark.parametrize("name", NAMES)
def test_what_is_held_out_may_be_drawn_as_a_negative(name):
    """To leave a valid or test link out of the negatives would tell that it is there: a sampler knows the train links alone."""
    held = {(0, 3), (1, 2), (3, 1)}  # between items with train links, so that any sampler may draw them
    batch = link_batch(likes(name), np.arange(len(SOURCE)), np.random.default_rng(0))
    used = {
        (source, other)
        for source, row in zip(batch.source.tolist(), ~batch.is_link, strict=True)
        for other in batch.other_targets[row].tolist()
    }
    assert held <= used


@pytest.mark.parametrize("name", NAMES)
def test_the_same_generator_gives_the_same_candidates(name):
    asked, chosen = likes(name), np.array([0, 3, 5])
    one, again = (asked.others(chosen, np.random.default_rng(4)) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)


CASES = [
    ("uniform", {"num": 4}),
    ("uniform", {"num": 400}),
    ("every", {}),
    ("in_batch", {}),
    ("in_batch", {"extra": 3}),
    ("degree_weighted", {"num": 5}),
    ("degree_weighted", {"num": 5, "even": 0.0, "power": 1.0}),
    ("typed", {"num": 4}),
]


def every_batch(size):
    """All batches of so many links, as likely as each other."""
    return [np.array(chosen) for chosen in combinations(range(len(SOURCE)), size)]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_log_q_is_how_often_an_item_is_drawn(name, arguments):
    """Counted over all batches of three links, each drawn many times."""
    asked, times = likes(name, **arguments), 60
    rng = np.random.default_rng(0)
    seen, batches = Counter(), every_batch(3)
    for chosen in batches:
        for _ in range(times):
            seen.update(asked.samplers[0].candidates(asked.questions(chosen)[0], VIDEOS, rng).tolist())
    stated = np.exp(asked.samplers[0].log_q(np.arange(VIDEOS), asked.questions(batches[0])[0], VIDEOS))
    counted = np.array([seen[item] / (times * len(batches)) for item in range(VIDEOS)])
    np.testing.assert_allclose(counted, stated, atol=4 * 0.5 / math.sqrt(times * len(batches)))
    assert ((counted == 0) == (stated == 0)).all()


@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_in_batch_is_counted_exactly(size):
    asked, batches = likes("in_batch"), every_batch(size)
    stated = np.exp(asked.samplers[0].log_q(np.arange(VIDEOS), asked.questions(batches[0])[0], VIDEOS))
    counted = [sum(item in TARGET[chosen] for chosen in batches) / len(batches) for item in range(VIDEOS)]
    np.testing.assert_allclose(stated, counted, atol=1e-6)


def test_degree_weighted_is_proportional_to_the_power_of_the_degree():
    asked = likes("degree_weighted", num=1, even=0.2)
    degree = [sum(t == item for t in TARGET) for item in range(VIDEOS)]
    total = sum(d**0.75 for d in degree)
    expected = [0.2 / VIDEOS + 0.8 * d**0.75 / total for d in degree]
    stated = np.exp(asked.samplers[0].log_q(np.arange(VIDEOS), asked.questions(np.array([0]))[0], VIDEOS))
    np.testing.assert_allclose(stated, expected, rtol=1e-5)
    with pytest.raises(SettingsError, match=r"degree_weighted.even is a share; given: 2.0; give 0 to 1"):
        sampler("degree_weighted", even=2)


def test_typed_takes_what_occurs_on_that_side():
    asked = likes("typed")
    targets, _, sources, _ = asked.others(np.array([0, 1]), np.random.default_rng(0))
    assert targets.tolist() == [0, 1, 2, 3, 4]
    assert sources.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", NAMES)
def test_before_any_link_is_known_there_are_candidates(name):
    others = sampler(name).others(np.array([1]), 6, np.random.default_rng(0))
    assert 0 < len(others) <= 6


def facts_asked(name, **arguments):
    _, split = facts(count=16)
    return Facts(kind="n", negatives=Component(class_path=name, init_args=arguments)).asked_triples(split)[0]


@pytest.mark.parametrize("name", NAMES)
def test_negatives_of_facts_are_no_known_answers(name):
    asked = facts_asked(name)
    known = set(zip(*(column.tolist() for column in asked.triples.questions(2)), strict=True))
    batch = asked.batch(np.arange(len(asked)), np.random.default_rng(0))
    answers = {}
    for _, relation, answer in known:
        answers.setdefault(relation, set()).add(answer)
    for row, (item, relation) in enumerate(zip(batch.item.tolist(), batch.relation.tolist(), strict=True)):
        negatives = set(batch.others[~batch.is_link[row]].tolist())
        assert not {(item, relation, other) for other in negatives} & known
        if name == "typed":
            assert negatives <= answers[relation]
            assert set(batch.others.tolist()) >= negatives


@pytest.mark.parametrize(("name", "arguments"), [("typed", {"num": 6}), ("in_batch", {}), ("degree_weighted", {"num": 3})])
def test_log_q_of_facts(name, arguments):
    asked = facts_asked(name, **arguments)
    rng, seen, times = np.random.default_rng(0), Counter(), 800
    drawn = [np.sort(rng.permutation(len(asked))[:3]) for _ in range(times)]
    if name == "typed":
        drawn = [np.array([0, 1, len(asked) - 1])] * times
    for chosen in drawn:
        seen.update(asked.batch(chosen, rng).others.tolist())
    some = [column[drawn[0]] for column in asked.triples]
    questions = Questions(*type(asked.triples)(*some).questions(2), 3)
    stated = np.exp(asked.sampler.log_q(np.arange(16), questions, 16))
    counted = np.array([seen[item] / times for item in range(16)])
    np.testing.assert_allclose(counted, stated, atol=4 * 0.5 / math.sqrt(times))


def test_a_batch_carries_log_q_of_answers_and_candidates():
    asked, chosen = likes("in_batch"), np.array([0, 3, 5])
    batch = link_batch(asked, chosen, np.random.default_rng(0))
    forward, backward = asked.questions(chosen)
    for given, side, questions, others, count in (
        (batch.log_q, 0, forward, batch.other_targets, VIDEOS),
        (batch.log_q_source, 1, backward, batch.other_sources, USERS),
    ):
        np.testing.assert_array_equal(given.true, asked.samplers[side].log_q(questions.answer, questions, count))
        np.testing.assert_array_equal(given.others, asked.samplers[side].log_q(others.numpy(), questions, count))


def test_a_loss_with_log_q_wants_a_sampler_that_states_it():
    corrected = Component(class_path="info_nce", init_args={"log_q": "all"})
    for name in set(NAMES) - {"hard"}:
        assert sampler_for(name, corrected, "dot").states_log_q
    assert sampler_for("hard", "info_nce", "dot")
    with pytest.raises(
        SettingsError, match=r"cannot say how likely .* log_q; given: hard; set log_q: none, or take one of: degree_weighted"
    ):
        sampler_for("hard", corrected, "dot")
