"""With a clock no step passes over what is not older than all it asks; places in chains are counted along what carries messages."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timed_made import FOLLOWS, MADE_BY, WATCHED, timed

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.negatives.uniform import Uniform
from mmgraph.sample.chains import chained, places
from mmgraph.sample.clock import Clock
from mmgraph.sample.full import FullGraphBatches, whole_batch
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.steps import WholeGraphSteps

GRAPH = timed()
MODES = ["full", "steps", "neighbours"]


def asked(graph, relation):
    edges = graph.edges[relation]
    counts = graph.count(relation.source), graph.count(relation.target)
    return AskedLinks(str(relation), relation, edges.source, edges.target, *counts, Uniform(num=5), edges.time)


def batches(mode, graph=GRAPH, relations=(WATCHED,), clock=True, epoch=0, chains=()):
    links = [asked(graph, relation) for relation in relations]
    labels = [AskedLabels("l", "user", np.arange(3), np.zeros(3, np.int64))]
    more = {"epoch": epoch, "clock": Clock(graph) if clock else None, "chains": chains}
    if mode == "full":
        return list(FullGraphBatches(graph, 2, links, labels, 0.3, 1, **more))
    if mode == "steps":
        return list(WholeGraphSteps(graph, 2, links, labels, [], 7, 1, **more))
    return list(NeighbourBatches(graph, (4, 3), links, labels, 7, 1, **more))


def pairs(batch, adjacency, relation):
    """Pairs of positions in the graph; the items of sampled blocks are numbered anew."""
    source = batch.inputs.items[relation.source][adjacency.sources].tolist()
    target = batch.inputs.items[relation.target][adjacency.targets].tolist()
    return list(zip(source, target, strict=True))


def predicted(batch, relation):
    links = batch.links[str(relation)]
    source = batch.inputs.items[relation.source][links.source].tolist()
    return list(zip(source, batch.inputs.items[relation.target][links.target].tolist(), strict=True))


def times():
    edges = GRAPH.edges[WATCHED]
    return dict(zip(zip(edges.source.tolist(), edges.target.tolist(), strict=True), edges.time.tolist(), strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_every_message_is_older_than_every_question(mode):
    when, heard, seen = times(), 0, []
    for epoch in range(5 if mode == "full" else 1):
        for batch in batches(mode, epoch=epoch):
            asked_at = [when[pair] for pair in predicted(batch, WATCHED)]
            seen += predicted(batch, WATCHED)
            known = [t for t in asked_at if t == t]
            assert batch.moment == (min(known) if known else None)
            for block in batch.blocks:
                for relation in (WATCHED, WATCHED.reverse):
                    if relation not in block.relations:
                        continue
                    for s, t in pairs(batch, block.relations[relation], relation):
                        moment = when[(s, t) if relation == WATCHED else (t, s)]
                        assert all(moment < other for other in known)
                        heard += 1
    assert heard > 50
    assert mode == "full" or set(seen) == set(when)


def test_without_a_clock_the_planted_future_is_seen():
    """The check above can fail."""
    when = times()
    for mode in MODES:
        found = False
        for batch in batches(mode, clock=False):
            oldest = np.nanmin([when[pair] for pair in predicted(batch, WATCHED)])
            for block in batch.blocks:
                found |= any(when[pair] >= oldest for pair in pairs(batch, block.relations[WATCHED], WATCHED))
            assert batch.moment is None
        assert found


def test_full_steps_hear_everything_older():
    when = times()
    for mode in ("full", "steps"):
        for batch in batches(mode):
            if batch.moment is not None:
                heard = set(pairs(batch, batch.blocks[0].relations[WATCHED], WATCHED))
                assert heard == {pair for pair, moment in when.items() if moment < batch.moment}
            assert len(batch.blocks[0].relations[MADE_BY].sources) == 12


def test_neighbours_are_drawn_among_the_older_ones_and_fill_the_fanout():
    """Drawing first and leaving the future out afterwards would leave few."""
    when, edges = times(), GRAPH.edges[WATCHED]
    for batch in batches("neighbours"):
        if batch.moment is None:
            continue
        last = batch.blocks[-1].relations.get(WATCHED)
        for row in range(batch.blocks[-1].num_targets["video"]):
            video = batch.inputs.items["video"][row].item()
            sources = edges.source[edges.target == video].tolist()
            older = sum(when[s, video] < batch.moment for s in sources)
            assert (0 if last is None else last.degree[row].item()) == min(3, older)


@pytest.mark.parametrize("mode", MODES)
def test_links_without_times_are_asked_beside_those_with(mode):
    for batch in batches(mode, relations=(WATCHED, FOLLOWS)):
        assert set(batch.links) == {str(WATCHED), str(FOLLOWS)}
        for block in batch.blocks:
            if FOLLOWS in block.relations:
                assert not set(pairs(batch, block.relations[FOLLOWS], FOLLOWS)) & set(predicted(batch, FOLLOWS))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_epoch_asks_the_same(mode):
    one, again = batches(mode), batches(mode)
    for a, b in zip(one, again, strict=True):
        assert predicted(a, WATCHED) == predicted(b, WATCHED)
        assert a.moment == b.moment


def test_a_clock_needs_times():
    with pytest.raises(SettingsError, match=r"model.batches.temporal needs links with times; given: none; fill links.time"):
        Clock(GRAPH.with_edges({FOLLOWS: GRAPH.edges[FOLLOWS]}))


def slow_places(edges, items):
    """Walk from every item, one step at a time."""
    edges = [(s, t) for s, t in edges if s != t]
    after = {s: t for s, t in edges if sum(a == s for a, _ in edges) == sum(b == t for _, b in edges) == 1}
    before = {t: s for s, t in after.items()}

    def walk(item, step):
        count, here = 0, item
        while here in step:
            count, here = count + 1, step[here]
            if here == item:
                return -1
        return count

    return [[walk(item, before), walk(item, after)] for item in range(items)]


@given(st.integers(1, 12), st.data())
def test_places_are_counted_by_walking(items, data):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, items - 1), st.integers(0, items - 1)), unique=True, max_size=16))
    ends = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    assert places(ends[:, 0], ends[:, 1], items).tolist() == slow_places(pairs, items)


def test_a_long_chain_and_no_items():
    steps = torch.arange(999)
    assert places(steps, steps + 1, 1000)[:, 0].tolist() == list(range(1000))
    none = torch.zeros(0, dtype=torch.int64)
    assert places(none, none, 0).shape == (0, 2)


def test_only_temporal_relations_within_a_kind_make_chains():
    assert chained(GRAPH) == (FOLLOWS,)
    assert chained(Graph(GRAPH.ids, {WATCHED: GRAPH.edges[WATCHED]})) == ()


@pytest.mark.parametrize("mode", MODES)
def test_places_are_those_of_the_links_that_are_not_asked(mode):
    """What a step predicts is a cut in the chain, as what is held out is at the end: its places do not tell it."""
    edges, cut = GRAPH.edges[FOLLOWS], 0
    known = list(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    for batch in batches(mode, relations=(FOLLOWS,), clock=False, chains=(FOLLOWS,)):
        gone = set(predicted(batch, FOLLOWS))
        expected = slow_places([pair for pair in known if pair not in gone], 12)
        assert batch.places[FOLLOWS].tolist() == [expected[item] for item in batch.inputs.items["video"].tolist()]
        cut += expected != slow_places(known, 12)
    assert cut


def test_the_whole_graph_has_the_places_of_all_visible_links():
    assert whole_batch(GRAPH, 1, (FOLLOWS,)).places[FOLLOWS].tolist() == [[i % 6, 5 - i % 6] for i in range(12)]


def test_sampled_edges_know_their_ids():
    for batch in batches("neighbours", clock=False):
        for block in batch.blocks:
            for relation, adjacency in block.relations.items():
                stated = next(r for r in GRAPH.edges if relation in (r, r.reverse))
                edges = GRAPH.edges[stated]
                ids = adjacency.ids.numpy()
                expected = list(zip(edges.source[ids].tolist(), edges.target[ids].tolist(), strict=True))
                found = pairs(batch, adjacency, relation)
                assert (found if stated == relation else [(t, s) for s, t in found]) == expected
