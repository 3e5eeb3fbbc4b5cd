"""Gaps and positions reach the embeddings as their formulas say, and only through edges that carry messages."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from timed_made import FOLLOWS, MADE_BY, WATCHED, timed

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.model.data import GraphData
from mmgraph.model.negatives.uniform import Uniform
from mmgraph.model.network import Network
from mmgraph.model.time import GapEncoding, Time2Vec, features
from mmgraph.sample.asked import Asked
from mmgraph.sample.full import FullGraphBatches, adjacencies, whole_batch
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import BatchSettings, ModelSettings

GRAPH = timed()
RELATIONS = [r for one in GRAPH.edges for r in (one, one.reverse)]


def network(time, graph=GRAPH, **settings):
    torch.manual_seed(0)
    chosen = ModelSettings(width=8, dropout=0.0, modality_dropout=0.0, time=time, **settings)
    return Network(graph, RELATIONS, chosen).eval()


def follows(graph=GRAPH):
    edges, count = graph.edges[FOLLOWS], graph.count("video")
    return AskedLinks("follows", FOLLOWS, edges.source, edges.target, count, count, Uniform(num=5))


def slow_time(encode, seconds):
    if math.isnan(seconds):
        return [0.0] * len(encode.phase)
    t = math.copysign(math.log(1 + abs(seconds)), seconds)
    angles = [t * w + b for w, b in zip(encode.frequency.tolist(), encode.phase.tolist(), strict=True)]
    return [angles[0], *(math.sin(a) for a in angles[1:])]


def test_time2vec_is_its_formula_and_unknown_seconds_say_nothing():
    encode, seconds = Time2Vec(), torch.tensor([0.0, 5.0, -5.0, 1e9, float("nan")])
    expected = torch.tensor([slow_time(encode, one) for one in seconds.tolist()])
    torch.testing.assert_close(encode(seconds), expected, atol=1e-4, rtol=1e-4)
    encode(seconds).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encode.parameters())
    assert encode(torch.zeros(0)).shape == (0, 16)


def seconds_of(graph, relation, moment):
    """Of every edge, the slow way."""
    edges = graph.edges[relation]
    if edges.gap_s is not None:
        return edges.gap_s.tolist()
    return [moment - time for time in edges.time.tolist()]


def slow_gaps(gaps, layer, graph, edge_ids, moment):
    """What the gaps add at each item, edge by edge; edge_ids: by relation, as stated, those that carry messages."""
    out = {kind: torch.zeros(graph.count(kind), 8) for kind in graph.ids}
    for stated in (WATCHED, FOLLOWS):
        edges, seconds = graph.edges[stated], seconds_of(graph, stated, moment)
        for relation, ends in ((stated, edges.target), (stated.reverse, edges.source)):
            weight = gaps.maps[layer][f"<{relation}>"].weight
            for item in range(graph.count(relation.target)):
                into = [i for i in edge_ids[stated] if ends[i] == item]
                heard = [torch.tensor(slow_time(gaps.encode, seconds[i])) for i in into]
                if heard:
                    out[relation.target][item] += weight @ (sum(heard) / len(heard))
    return out


@pytest.mark.parametrize("moment", [None, 1.7e9 + 12])
def test_gaps_are_means_over_edges(moment):
    net = network("gap")
    block = whole_batch(GRAPH, 2).blocks[0]
    nothing = {kind: torch.zeros(GRAPH.count(kind), 8) for kind in GRAPH.ids}
    found = net.times.gap(1, net.times.gap.means(block, moment), nothing)
    newest = float(np.nanmax(GRAPH.edges[WATCHED].time))
    every = {relation: range(len(edges)) for relation, edges in GRAPH.edges.items()}
    expected = slow_gaps(net.times.gap, 1, GRAPH, every, newest if moment is None else moment)
    for kind in GRAPH.ids:
        torch.testing.assert_close(found[kind], expected[kind], atol=1e-4, rtol=1e-4)


def test_gaps_of_a_sampled_batch_are_those_of_its_edges():
    net, links = network("gap"), follows()
    for batch in NeighbourBatches(GRAPH, (2, 2), [links], [], 4, seed=1):
        block = batch.blocks[-1]
        items = {kind: ids[: block.num_targets.get(kind, 0)] for kind, ids in batch.inputs.items.items()}
        nothing = {kind: torch.zeros(len(ids), 8) for kind, ids in items.items()}
        found = net.times.gap(0, net.times.gap.means(block, None), nothing)
        total = {kind: torch.zeros(GRAPH.count(kind), 8) for kind in GRAPH.ids}
        for relation, adjacency in block.relations.items():
            stated = next(r for r in GRAPH.edges if relation in (r, r.reverse))
            if stated == MADE_BY:
                continue
            seconds = seconds_of(GRAPH, stated, float(np.nanmax(GRAPH.edges[WATCHED].time)))
            for row in range(adjacency.num_targets):
                ids = adjacency.ids[adjacency.targets == row].tolist()
                if ids:
                    mean = sum(torch.tensor(slow_time(net.times.gap.encode, seconds[i])) for i in ids) / len(ids)
                    total[relation.target][items[relation.target][row]] += net.times.gap.maps[0][f"<{relation}>"].weight @ mean
        for kind, ids in items.items():
            torch.testing.assert_close(found[kind], total[kind][ids], atol=1e-4, rtol=1e-4)


def step(graph):
    return next(iter(FullGraphBatches(graph, 2, [follows(graph)], [], 0.5, seed=1, chains=(FOLLOWS,))))


def changed(graph, ids):
    """The same graph, other gaps at some of its follows links."""
    edges = graph.edges[FOLLOWS]
    gap = edges.gap_s.copy()
    gap[ids] = 12345.0
    return graph.with_edges({**graph.edges, FOLLOWS: dataclasses.replace(edges, gap_s=gap)})


@pytest.mark.parametrize("time", ["gap", "position", "both"])
@pytest.mark.parametrize("layer", sorted(registry.discover("layer")))
def test_the_gap_of_a_predicted_link_changes_nothing(time, layer):
    """And that of a link that carries messages does, where gaps are told."""
    batch = step(GRAPH)
    edges, links = GRAPH.edges[FOLLOWS], batch.links["follows"]
    asked = set(zip(links.source.tolist(), links.target.tolist(), strict=True))
    is_asked = np.array([(s, t) in asked for s, t in zip(edges.source.tolist(), edges.target.tolist(), strict=True)])
    before = network(time, layer=layer)(batch)
    hidden = changed(GRAPH, np.flatnonzero(is_asked))
    after = network(time, hidden, layer=layer)(step(hidden))
    for kind in GRAPH.ids:
        torch.testing.assert_close(before[kind], after[kind], atol=0, rtol=0)
    shown = changed(GRAPH, np.flatnonzero(~is_asked))
    after = network(time, shown, layer=layer)(step(shown))
    assert torch.equal(before["video"], after["video"]) == (time == "position")


def test_a_predicted_link_is_not_told_by_positions():
    """The embeddings of a step are those of a graph in which its predicted links do not exist at all."""
    net, batch = network("both"), step(GRAPH)
    edges, links = GRAPH.edges[FOLLOWS], batch.links["follows"]
    asked = set(zip(links.source.tolist(), links.target.tolist(), strict=True))
    kept = np.array([(s, t) not in asked for s, t in zip(edges.source.tolist(), edges.target.tolist(), strict=True)])
    without = GRAPH.with_edges({**GRAPH.edges, FOLLOWS: edges.take(kept)})
    other = network("both", without)
    other.load_state_dict(net.state_dict())
    found, expected = net(batch), other(whole_batch(without, 2, (FOLLOWS,)))
    for kind in GRAPH.ids:
        torch.testing.assert_close(found[kind], expected[kind], atol=1e-6, rtol=1e-6)
    plain = net(whole_batch(GRAPH, 2, (FOLLOWS,)))
    assert not torch.allclose(found["video"], plain["video"], atol=1e-3)


def slow_features(before, after):
    if before + after <= 0:
        return [0.0] * 12
    p = before / (before + after)
    waves = [f(math.pi * 2**k * p) for f in (math.sin, math.cos) for k in range(4)]
    return [*waves, math.log(1 + before), math.log(1 + after), float(before == 0), float(after == 0)]


def test_positions_are_added_to_the_inputs():
    net, batch = network("position"), whole_batch(GRAPH, 2, (FOLLOWS,))
    places = [[0, 3], [2, 1], [3, 0], [0, 0], [-1, -1]]
    torch.testing.assert_close(
        features(torch.tensor(places)), torch.tensor([slow_features(*one) for one in places]), atol=1e-5, rtol=1e-5
    )
    rows = net.inputs(batch.inputs)
    added = net.times.position(rows, batch.places)
    weight = net.times.position.maps[f"<{FOLLOWS}>"].weight
    expected = torch.tensor([slow_features(i % 6, 5 - i % 6) for i in range(12)]) @ weight.T
    torch.testing.assert_close(added["video"] - rows["video"], expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(added["user"], rows["user"])


@pytest.mark.parametrize("layer", sorted(registry.discover("layer")))
def test_time_trains_beside_every_layer(layer):
    net = network("both", layer=layer).train()
    sum(x.square().mean() for x in net(step(GRAPH)).values()).backward()
    told = [p for p in net.times.parameters() if p.requires_grad]
    assert told
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in told)
    assert all(p.grad.abs().sum() > 0 for p in net.times.gap.encode.parameters())


def test_without_the_setting_nothing_is_added():
    assert not list(network("none").times.parameters())


def test_old_and_new_times_keep_their_seconds():
    """Times are counted from the newest: seconds since 1970 do not fit a float32."""
    edges = dataclasses.replace(GRAPH.edges[WATCHED], time=1.7e9 + np.arange(60.0))
    gaps = GapEncoding(GRAPH.with_edges({WATCHED: edges}), 8, 1)
    adjacency = adjacencies(GRAPH.with_edges({WATCHED: edges}))[WATCHED]
    assert gaps._seconds(WATCHED, adjacency, None).tolist() == (59 - adjacency.ids).tolist()
    assert gaps._seconds(WATCHED, adjacency, 1.7e9 + 100).tolist() == (100 - adjacency.ids).tolist()


def test_what_there_is_nothing_of_is_refused():
    plain = GRAPH.with_edges({MADE_BY: GRAPH.edges[MADE_BY]})
    with pytest.raises(SettingsError, match=r"no relation has gaps or times; given: gap; add the edge builder follows"):
        network("gap", plain)
    with pytest.raises(SettingsError, match=r"no relation within one kind says what comes next; given: position"):
        network("position", plain)
    with pytest.raises(SettingsError, match=r"model.time needs layers of messages; given: both, no layer"):
        network("both", layer="none")


@pytest.mark.parametrize("mode", ["full", "steps", "neighbours"])
def test_the_settings_reach_the_batches(mode):
    settings = ModelSettings(time="both", batches=BatchSettings(mode=mode, fanouts=(2, 2), size=8, temporal=True))
    edges = GRAPH.edges[WATCHED]
    watched = AskedLinks("w", WATCHED, edges.source, edges.target, 8, 12, Uniform(num=5), edges.time)
    data = GraphData(GRAPH, Asked([watched]), settings, 0.3, seed=1)
    assert set(data.whole.places) == {FOLLOWS}
    batch = list(data.train_dataloader())[-1]
    assert set(batch.places) == {FOLLOWS}
    net = Network(GRAPH, RELATIONS, settings)
    assert torch.isfinite(net(batch)["video"]).all()
    assert any(one.moment is not None for one in data.train_dataloader())
