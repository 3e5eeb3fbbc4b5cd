"""No message of a training step is a link that the step predicts or that is held out, nor its reverse: in all three loaders."""

from dataclasses import replace

import numpy as np
import pytest
from facts_made import RELATIONS, facts
from graph_made import FOLLOWS, made

from mmgraph.model.negatives.uniform import Uniform
from mmgraph.sample.full import FullGraphBatches
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.questions import AskedLinks
from mmgraph.sample.steps import WholeGraphSteps
from mmgraph.tasks.kinds.facts import Facts

GRAPH, SPLIT = made()
TRAIN = SPLIT.visible.edges[FOLLOWS]
COUNT = SPLIT.visible.count("segment")
ASKED = [AskedLinks("follows", FOLLOWS, TRAIN.source, TRAIN.target, COUNT, COUNT, Uniform(num=30))]
LOADERS = {
    "full": lambda asked: FullGraphBatches(SPLIT.visible, 2, asked, [], 0.3, seed=1),
    "steps": lambda asked: WholeGraphSteps(SPLIT.visible, 2, asked, [], [], 7, seed=1),
    "neighbours": lambda asked: NeighbourBatches(SPLIT.visible, (50, 50), asked, [], 7, seed=1),
}


def pairs(source, target):
    return {frozenset(pair) for pair in zip(np.asarray(source).tolist(), np.asarray(target).tolist(), strict=True)}


def messages(batch, relation):
    """Pairs of items that any layer passes a message over, of the relation or its reverse, whichever way round."""
    items, found = batch.inputs.items, set()
    for block in batch.blocks:
        for one in (relation, relation.reverse):
            if one in block.relations:
                adjacency = block.relations[one]
                found |= pairs(items[one.source][adjacency.sources], items[one.target][adjacency.targets])
    return found


@pytest.mark.parametrize("loader", LOADERS)
def test_what_is_predicted_or_held_out_is_in_no_message(loader):
    one, seen, predicted = SPLIT.links[FOLLOWS], set(), set()
    train = pairs(TRAIN.source, TRAIN.target)
    held = [one.edges.take(part) for part in (one.valid, one.test)]
    hidden = set().union(*(pairs(part.source, part.target) for part in held))
    for batch in LOADERS[loader](ASKED):
        links, items = batch.links["follows"], batch.inputs.items["segment"]
        asked = pairs(items[links.source], items[links.target])
        passed = messages(batch, FOLLOWS)
        assert asked and asked <= train
        assert passed and not passed & asked and not passed & hidden
        assert passed <= train
        seen, predicted = seen | passed, predicted | asked
    assert not (seen | predicted) & hidden
    if loader != "full":
        assert predicted == train, "an epoch asks every train link"
        assert len(seen) > len(train) / 2


@pytest.mark.parametrize("loader", LOADERS)
def test_what_either_of_two_questions_about_a_relation_predicts_is_in_no_message(loader):
    for batch in LOADERS[loader]([*ASKED, replace(ASKED[0], name="of the same")]):
        items, passed = batch.inputs.items["segment"], messages(batch, FOLLOWS)
        asked = [pairs(items[one.source], items[one.target]) for one in batch.links.values()]
        assert len(asked) == 2 and asked[0] - asked[1] and passed
        assert not passed & (asked[0] | asked[1])


def test_facts_predicted_or_held_out_are_in_no_message():
    _, split = facts(30)
    (triples,) = Facts(kind="n", negatives="every").asked_triples(split)
    parts = {relation: split.links[relation] for relation in RELATIONS}
    hidden = {
        relation: pairs(*(getattr(one.edges, end)[np.concatenate((one.valid, one.test))] for end in ("source", "target")))
        for relation, one in parts.items()
    }
    steps = list(WholeGraphSteps(split.visible, 2, [], [], [triples], 5, seed=1))
    assert len(steps) > 2
    for batch in steps:
        (asked,) = batch.triples.values()
        half = len(asked.item) // 2
        predicted = pairs(asked.item[:half], asked.answer[:half])
        for relation in RELATIONS:
            passed = messages(batch, relation)
            assert passed and not passed & predicted and not passed & hidden[relation]
