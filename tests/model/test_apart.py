"""Relations apart are a product of a matrix with the inputs; pruning leaves out the share it says, popular links first."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from graph_made import CONTAINS, FOLLOWS, made

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges
from mmgraph.graph.edges.item_graph import ItemGraph
from mmgraph.knock_outs import without_layers, without_modality
from mmgraph.model.data import GraphData
from mmgraph.model.network import Network
from mmgraph.model.prune import Prune
from mmgraph.model.train import build
from mmgraph.sample.asked import Asked
from mmgraph.sample.full import whole_batch, whole_block
from mmgraph.settings import ApartSettings, BatchSettings, ContrastSettings, ModelSettings
from mmgraph.tasks.kinds.links import Links
from mmgraph.types import Relation

ALIKE = Relation("segment", "alike", "segment")
BARE, SPLIT = made(videos=6)
(NEAR,) = ItemGraph(kind="segment", k=3).build(None, BARE)
GRAPH = BARE.with_edges({**BARE.edges, ALIKE: NEAR})
RELATIONS = [r for one in GRAPH.edges for r in (one, one.reverse)]


def settings(depth=1, **more):
    apart = ApartSettings(relations=(str(ALIKE),), depth=depth)
    return ModelSettings(**{"width": 4, "layer": "light_gcn", "apart": apart, "id_embedding": "all", **more})


def network(chosen, graph=GRAPH):
    torch.manual_seed(0)
    return Network(graph, RELATIONS, chosen)


@pytest.mark.parametrize("depth", [1, 2])
def test_what_arrives_is_a_power_of_the_matrix_and_layers_hear_none_of_it(depth):
    apart, plain = network(settings(depth)).eval(), network(settings(apart=ApartSettings()), BARE).eval()
    plain.load_state_dict(apart.state_dict())
    matrix = torch.zeros(30, 30)
    for source, target, weight in zip(NEAR.source, NEAR.target, NEAR.weight, strict=True):
        matrix[target, source] += float(weight)
    batch, alone = whole_batch(GRAPH, 2), whole_batch(BARE, 2)
    inputs, before = apart.inputs(batch.inputs)["segment"], plain(alone)
    found = apart(batch)
    torch.testing.assert_close(found["segment"], before["segment"] + torch.linalg.matrix_power(matrix, depth) @ inputs)
    torch.testing.assert_close(found["video"], before["video"])
    assert apart._blocks(batch)[0] is apart._blocks(batch)[1]


@pytest.mark.parametrize("mode", ["full", "neighbours"])
def test_a_step_trains_what_is_apart(mode):
    split = replace(SPLIT, visible=SPLIT.visible.with_edges({**SPLIT.visible.edges, ALIKE: NEAR}))
    chosen = settings(2, batches=BatchSettings(mode=mode, fanouts=(20, 20)), prune=0.3)
    task = Links(relation=str(FOLLOWS), negatives="every")
    module = build(split.visible, task.heads(split, chosen), chosen, 7).train()
    data = GraphData(split.visible, Asked(task.asked_links(split), []), chosen, 0.3, 7)
    (loss,) = module(next(iter(data.train_dataloader()))).values()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)


def test_sampled_items_hear_what_they_hear_in_the_whole_graph():
    split = replace(SPLIT, visible=SPLIT.visible.with_edges({**SPLIT.visible.edges, ALIKE: NEAR}))
    chosen = settings(2, batches=BatchSettings(mode="neighbours", fanouts=(50, 50)))
    task = Links(relation=str(FOLLOWS), negatives="every")
    data = GraphData(split.visible, Asked(task.asked_links(split), []), chosen, 0.3, 7)
    net, batch = network(chosen, split.visible).eval(), next(iter(data.train_dataloader()))
    with torch.no_grad():
        found = net.apart(net.inputs(batch.inputs), batch.blocks)["segment"]
        whole = net.apart(net.inputs(data.whole.inputs), data.whole.blocks)["segment"]
    assert len(found) == len(whole)  # every segment is a candidate, and so a seed
    torch.testing.assert_close(found, whole)


def test_refusals_and_knock_outs():
    with pytest.raises(
        SettingsError, match="relations of the graph within one kind; given: video/contains/segment; there are: segm"
    ):
        network(settings(apart=ApartSettings(relations=(str(CONTAINS),))))
    with pytest.raises(SettingsError, match="passes more often than there are layers; given: 3 of 2; raise model.depth"):
        network(settings(3))
    network(without_layers(settings(contrast=ContrastSettings(weight=1.0), prune=0.1)))
    bare = without_modality(GRAPH, "image")
    assert len(bare.edges[ALIKE]) == 0 and len(bare.edges[FOLLOWS]) == len(GRAPH.edges[FOLLOWS])
    with torch.no_grad():
        assert torch.isfinite(network(settings(), bare)(whole_batch(bare, 2))["segment"]).all()


def test_links_leave_both_ways_and_popular_ones_first():
    likes = Relation("segment", "likes", "video")
    source, target = np.arange(30), np.where(np.arange(30) < 20, 0, 1 + np.arange(30) % 5)
    graph = BARE.with_edges({likes: Edges(likes, source, target), FOLLOWS: BARE.edges[FOLLOWS]})
    prune, block = Prune(graph, 0.4, frozenset({FOLLOWS})), whole_block(graph)
    torch.manual_seed(0)
    stayed = np.zeros(30)
    for _ in range(60):
        first, second = prune((block, block))
        assert first is second
        there, back = first.relations[likes].ids, first.relations[likes.reverse].ids
        assert sorted(there.tolist()) == sorted(back.tolist()) and len(there) == 18
        assert first.relations[FOLLOWS] is block.relations[FOLLOWS]
        stayed[there.numpy()] += 1
    assert stayed[20:].mean() > 1.3 * stayed[:20].mean()


def test_the_first_draw_is_as_likely_as_it_should_be():
    """One of two links stays: the one whose ends have 4 links in all as against 1, half as often."""
    prune = Prune(BARE.with_edges({}), 0.5)
    torch.manual_seed(0)
    log_p = torch.tensor([0.0, -np.log(4) / 2])
    stayed = sum(prune._kept(log_p) for _ in range(2000))
    assert float(stayed[0]) / 2000 == pytest.approx(2 / 3, abs=0.04)
