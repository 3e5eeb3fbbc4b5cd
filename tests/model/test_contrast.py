"""XSimGCL's contrast equals its formula item by item; noise is as long as it should be, and is there in training alone."""

import math

import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made

from mmgraph.errors import SettingsError
from mmgraph.model.contrast import Embedded, contrast, joined, noised
from mmgraph.model.data import GraphData
from mmgraph.model.network import Network
from mmgraph.model.train import build
from mmgraph.sample.asked import Asked
from mmgraph.sample.full import whole_batch
from mmgraph.settings import BatchSettings, Component, ContrastSettings, ModelSettings
from mmgraph.tasks.kinds.categories import Categories
from mmgraph.tasks.kinds.links import Links

GRAPH, SPLIT = made(videos=6)
RELATIONS = [r for one in GRAPH.edges for r in (one, one.reverse)]


def settings(mode="full", **arguments):
    contrasted = ContrastSettings(**{"weight": 0.5, **arguments})
    layer = Component(class_path="light_gcn", init_args={"gamma": 0})
    return ModelSettings(width=4, layer=layer, contrast=contrasted, id_embedding="all", batches=BatchSettings(mode=mode))


def slow(one, other, items, temperature):
    """The formula of the paper, item by item, each once."""
    unit = [[x / x.norm() for x in view] for view in (one, other)]
    chosen, losses = sorted(set(items.tolist())), []
    for i in chosen:
        total = sum(math.exp(float(unit[0][i] @ unit[1][j]) / temperature) for j in chosen)
        losses.append(-math.log(math.exp(float(unit[0][i] @ unit[1][i]) / temperature) / total))
    return sum(losses) / len(losses)


def test_contrast_is_its_formula():
    torch.manual_seed(0)
    rows = Embedded({"a": torch.randn(6, 4), "b": torch.randn(3, 4)}, {"a": torch.randn(6, 4), "b": torch.randn(3, 4)})
    asked = {"a": torch.tensor([4, 1, 1, 5, 0, 4]), "b": torch.tensor([2])}
    found = contrast(rows, asked, ContrastSettings(weight=0.3, temperature=0.4))
    expected = 0.3 * sum(slow(rows[kind], rows.view[kind], items, 0.4) for kind, items in asked.items())
    assert found.item() == pytest.approx(expected, rel=1e-5)
    nothing = {"a": torch.zeros(0, dtype=torch.int64)}
    assert contrast(rows, nothing, ContrastSettings(weight=0.3)).item() == contrast(rows, {}, ContrastSettings()).item() == 0


def test_no_more_items_are_compared_than_asked():
    rows = torch.randn(50, 4, requires_grad=True)
    contrast(
        Embedded({"a": rows}, {"a": rows.detach()}), {"a": torch.arange(50)}, ContrastSettings(weight=1, sample=7)
    ).backward()
    assert (rows.grad.abs().sum(1) > 0).sum() == 7


def test_noise_has_its_length_and_the_signs_of_the_vector():
    torch.manual_seed(0)
    rows = torch.randn(200, 8)
    added = noised(rows, 0.2) - rows
    torch.testing.assert_close(added.norm(dim=1), torch.full((200,), 0.2))
    assert (added.sign() * rows.sign() >= 0).all()
    assert len({round(float(x), 5) for x in added.abs().flatten()}) > 100


def test_the_pass_gives_both_views_in_training_and_no_noise_after():
    torch.manual_seed(0)
    network, batch = Network(GRAPH, RELATIONS, settings(noise=0.1)), whole_batch(GRAPH, 2)
    network.eval()
    plain = network(batch)
    assert type(plain) is dict
    network.train()
    torch.manual_seed(1)
    rows = network(batch)
    torch.manual_seed(1)
    first = {kind: noised(x, 0.1) for kind, x in network.layers[0](network.inputs(batch.inputs), batch.blocks[0]).items()}
    second = {kind: noised(x, 0.1) for kind, x in network.layers[1](first, batch.blocks[1]).items()}
    for kind, seen in rows.view.items():
        torch.testing.assert_close(seen, first[kind])
        torch.testing.assert_close(rows[kind], (first[kind] + second[kind]) / 2)
        assert not torch.allclose(rows[kind], plain[kind])


@pytest.mark.parametrize("mode", ["full", "neighbours"])
def test_a_step_adds_it_to_the_tasks_losses(mode):
    tasks = [Links(relation=str(FOLLOWS)), Categories(field="category")]
    wanted, lossy = settings(mode), {}
    for weight in (0.5, 0.0):
        own = settings(mode, weight=weight)
        heads = [head for task in tasks for head in task.heads(SPLIT, own)]
        torch.manual_seed(0)
        module = build(SPLIT.visible, heads, own, 7)
        asked = Asked([a for t in tasks for a in t.asked_links(SPLIT)], [a for t in tasks for a in t.asked_labels(SPLIT)])
        batch = next(iter(GraphData(SPLIT.visible, asked, wanted, 0.5, 7).train_dataloader()))
        torch.manual_seed(3)
        lossy[weight] = module(batch)
    assert set(lossy[0.5]) == {str(FOLLOWS), "segment.category", "contrast"} == {*lossy[0.0], "contrast"}
    torch.manual_seed(3)
    links, labels = batch.links[str(FOLLOWS)], batch.labels["segment.category"]
    items = joined([head.items(batch) for head in heads])
    assert set(items) == {"segment"}
    assert sorted(items["segment"].tolist()) == sorted(
        [*links.source.tolist(), *links.target.tolist(), *labels.items.tolist()]
    )
    assert np.isfinite(lossy[0.5]["contrast"].item()) and lossy[0.5]["contrast"].item() > 0


def test_a_layer_that_is_not_there():
    with pytest.raises(
        SettingsError, match="a layer that is not there; given: layer 3 of 2; give a layer from 1 to model.depth"
    ):
        Network(GRAPH, RELATIONS, settings(layer=3))
