"""Messages that know weights: against a plain loop over links, and without the weight of what is predicted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.knock_outs import without_layers
from mmgraph.model.contract import named
from mmgraph.model.data import GraphData
from mmgraph.model.estimate import estimate
from mmgraph.model.network import Network
from mmgraph.model.train import build
from mmgraph.sample.asked import Asked
from mmgraph.sample.full import whole_batch, without
from mmgraph.settings import BatchSettings, ContrastSettings, ModelSettings
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.tasks.kinds.ratings import Ratings
from mmgraph.types import Relation

RATED, FRIENDS = Relation("user", "rated", "film"), Relation("user", "friend_of", "user")
RELATIONS = [r for one in (RATED, FRIENDS) for r in (one, one.reverse)]


def made(**more):
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers((6, 9), size=(25, 2)), axis=0)
    ids = {kind: np.array([f"{kind}{i}" for i in range(count)], object) for kind, count in (("user", 7), ("film", 9))}
    rated = Edges(RATED, pairs[:, 0], pairs[:, 1], weight=rng.integers(1, 6, len(pairs)).astype(np.float32))
    return Graph(ids, {RATED: replace(rated, **more), FRIENDS: Edges(FRIENDS, np.array([0, 1]), np.array([2, 3]))})


def network(graph, **more):
    torch.manual_seed(0)
    return Network(
        graph, RELATIONS, ModelSettings(**{"width": 4, "layer": "light_gcn", "depth": 1, "jumping": "last", **more})
    ).eval()


def test_a_layer_hears_the_neighbours_by_their_weights():
    graph = made()
    plain, valued = network(graph), network(graph, valued=(str(RATED),))
    torch.nn.Module.load_state_dict(plain, valued.state_dict(), strict=False)
    batch, edges = whole_batch(graph, 1), graph.edges[RATED]
    rows, before, found = valued.inputs(batch.inputs), plain(batch), valued(batch)
    z = (edges.weight - edges.weight.mean()) / edges.weight.std()
    for kind, other, own, theirs, one in (
        ("film", "user", edges.target, edges.source, RATED),
        ("user", "film", edges.source, edges.target, RATED.reverse),
    ):
        matrix = valued.valued.maps[0][named(one)].weight
        for item in range(graph.count(kind)):
            heard = [torch.cat([rows[other][theirs[e]] * z[e], torch.tensor([z[e]])]) for e in np.flatnonzero(own == item)]
            added = matrix @ torch.stack(heard).mean(0).float() if heard else torch.zeros(4)
            torch.testing.assert_close(found[kind][item], before[kind][item] + added, atol=1e-5, rtol=1e-5)


def test_the_weight_of_what_is_predicted_is_not_read():
    graph = made()
    one, other = (network(graph, valued=(str(RATED),), layer="sage") for _ in range(2))
    other.valued.z0[3] = 100.0
    block = whole_batch(graph, 1).blocks[0]
    batch = whole_batch(graph, 1)
    for gone, same in ({RATED: np.array([3, 5])}, True), ({RATED: np.array([5])}, False):
        asked = replace(batch, blocks=(block.but(without(block.relations, gone)),))
        assert all(torch.equal(a, b) for a, b in zip(one(asked).values(), other(asked).values(), strict=True)) is same


@pytest.mark.parametrize("more", [{"weight": None}, {"weight": np.full(len(made().edges[RATED]), 2, np.float32)}])
def test_refusals(more):
    told = (
        r"model.valued are relations of the graph whose links have different weights; given: user/rated/film; there are: none"
    )
    with pytest.raises(SettingsError, match=told):
        network(made(**more), valued=(str(RATED),))
    with pytest.raises(SettingsError, match=r"given: user/friend_of/user; there are: user/rated/film"):
        network(made(), valued=(str(FRIENDS),))
    with pytest.raises(SettingsError, match=r"model.valued needs layers of messages"):
        network(made(), valued=(str(RATED),), layer="none")
    assert not without_layers(ModelSettings(valued=(str(RATED),))).valued


def rating(mode, **more):
    """A module that rates, its data and its settings."""
    graph = made()
    edges, none = graph.edges[RATED], np.zeros(0, np.int64)
    split = Split({RATED: LinkSplit(edges, np.arange(len(edges)), none, none)}, {}, graph)
    chosen = ModelSettings(**{"width": 8, "depth": 1, "batches": BatchSettings(mode=mode, fanouts=(3,), size=16), **more})
    task = Ratings(relation=str(RATED))
    module, asked = build(graph, task.heads(split, chosen), chosen, 0), Asked(task.asked_links(split))
    return module, GraphData(graph, asked, chosen, 0.5, 0), chosen


@pytest.mark.parametrize("mode", ["full", "neighbours"])
def test_its_memory_is_known_before(mode):
    plain, valued = rating(mode), rating(mode, valued=(str(RATED),))
    step = "a training step"
    assert estimate(*valued[:2], mode, valued[2]).passing[step] > estimate(*plain[:2], mode, plain[2]).passing[step]


@pytest.mark.parametrize("mode", ["full", "neighbours"])
def test_what_is_rated_is_contrasted(mode):
    module, data, _ = rating(mode, layer="light_gcn", contrast=ContrastSettings(weight=0.5))
    batch = next(iter(data.train_dataloader()))
    one = batch.links[f"{RATED}.rating"]
    found = {kind: rows.tolist() for kind, rows in module.all_heads[0].items(batch).items()}
    assert found == {"user": one.source.tolist(), "film": one.target.tolist()}
    assert module.train()(batch)["contrast"].item() > 0
