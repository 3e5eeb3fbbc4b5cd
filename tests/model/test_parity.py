"""Full graph and neighbour batches are two ways to the same model: the same vectors, and the same quality."""

import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made

from mmgraph import registry
from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.prepared import of_links
from mmgraph.evaluate.ranking import ranks
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.batch import Batch
from mmgraph.sample.full import asking, gone, whole_batch
from mmgraph.settings import BatchSettings, Component, ModelSettings

SPLIT = made(20)[1]
ALL = 1000  # neighbours: more than any item has
TASK = registry.create("task", Component(class_path="Links", init_args={"relation": str(FOLLOWS)}))


def prepared(mode, seed=3, **settings):
    model = ModelSettings(**{"width": 16, "learning_rate": 1e-2, "patience": 1000, **settings}, batches=mode)
    torch.manual_seed(seed)
    module = build(SPLIT.visible, TASK.heads(SPLIT, model), model, seed)
    return module, GraphData(SPLIT.visible, Asked(TASK.asked_links(SPLIT)), model, 0.3, seed), model


@pytest.mark.parametrize("layer", ["sage", "gat", "hgt", "comp_gcn"])
def test_with_all_neighbours_a_batch_has_the_vectors_and_the_loss_of_the_full_graph(layer):
    module, data, model = prepared(BatchSettings(mode="neighbours", fanouts=(ALL, ALL), size=16), layer=layer)
    module.eval()
    sampled = data.batches.batch(0)
    (asked,), _, _ = data.asked
    items = {kind: ids[: sampled.blocks[-1].num_targets[kind]] for kind, ids in sampled.inputs.items.items()}
    predicted = {(int(items["segment"][s]), int(items["segment"][t])) for s, t in zip(
        sampled.links[asked.name].source, sampled.links[asked.name].target, strict=True)}  # fmt: skip
    chosen = np.array([i for i, pair in enumerate(zip(asked.source, asked.target, strict=True)) if pair in predicted])
    whole = whole_batch(SPLIT.visible, model.layers)
    full = asking(whole, (), gone([(asked, chosen)], None), Batch(whole.inputs, ()))
    with torch.no_grad():
        one, other = module.network(sampled), module.network(full)
    for kind, ids in items.items():
        torch.testing.assert_close(one[kind], other[kind][ids], atol=1e-5, rtol=1e-5)
    head, links = module.all_heads[0], sampled.links[asked.name]
    rows = items["segment"]
    moved = type(links)(
        rows[links.source], rows[links.target], rows[links.other_targets], links.known,
        rows[links.other_sources], links.known_source,
    )  # fmt: skip
    loss = head.loss(other, Batch(full.inputs, full.blocks, {asked.name: moved}))
    torch.testing.assert_close(head.loss(one, sampled), loss, atol=1e-5, rtol=1e-5)


def reciprocal_ranks(folder, mode, epochs):
    module, data, model = prepared(mode)
    trained = train(module, data, {"max_epochs": epochs, "accelerator": "cpu"}, folder, model)
    question = LinkQuestion(SPLIT.visible, SPLIT.links[FOLLOWS], 7)
    method = of_links(trained.heads[0].head, trained.heads[0].embeddings)
    test = question.split.test
    return 1 / np.stack([ranks(method, question, test, direction, 64).rank for direction in question.directions]).mean(0)


def test_both_reach_the_same_quality(tmp_path):
    full = reciprocal_ranks(tmp_path / "full", BatchSettings(mode="full"), 40)
    few = reciprocal_ranks(tmp_path / "few", BatchSettings(mode="neighbours", fanouts=(3, 3), size=24), 20)
    apart = full - few
    error = apart.std(ddof=1) / len(apart) ** 0.5
    assert abs(apart.mean()) < 1.96 * error
    chance = (1 / np.arange(1, 101)).mean()
    assert min(full.mean(), few.mean()) > 1.5 * chance
