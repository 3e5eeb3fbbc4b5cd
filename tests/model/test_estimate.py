"""The estimate of memory beside what is really allocated: tensors counted op by op, numpy by tracemalloc."""

import logging
import tracemalloc

import msgspec
import numpy as np
import pytest
import torch
from facts_made import facts
from graph_made import made

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.graph.dgl import load_dgl
from mmgraph.model.choose import Room, choose
from mmgraph.model.data import GraphData
from mmgraph.model.estimate import Need, ceiling, estimate, expected, step_bytes
from mmgraph.model.live import LiveBytes
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.expected import of_neighbours, tensors
from mmgraph.settings import BatchSettings, Component, ModelSettings
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.tasks.kinds.facts import Facts
from mmgraph.types import Relation

LIKES = Relation("user", "likes", "item")
GRAPH, SPLIT = made(60)


def users_and_items(users=900, items=500, links=2500, seed=0):
    """No features: every item has an id vector; a few items have most of the links."""
    rng = np.random.default_rng(seed)
    popular = (items * rng.random(links) ** 3).astype(np.int64)
    pairs = np.unique(np.stack([rng.integers(users, size=links), popular], 1), axis=0)
    edges = Edges(LIKES, pairs[:, 0].copy(), pairs[:, 1].copy())
    ids = {"user": np.array([f"u{i}" for i in range(users)]), "item": np.array([f"i{i}" for i in range(items)])}
    train, valid, test = np.split(rng.permutation(len(edges)), [len(edges) * 8 // 10, len(edges) * 8 // 10 + 50])
    visible = Graph(ids, {LIKES: edges.take(np.sort(train))})
    return Split({LIKES: LinkSplit(edges, np.sort(train), np.sort(valid), np.sort(test))}, {}, visible)


USERS = users_and_items()


def prepared(split, mode="full", size=128, fanouts=(4, 3), candidates=100, **settings):
    batches = BatchSettings(mode=mode, fanouts=fanouts, size=size)
    model = ModelSettings(**{"width": 32, "batches": batches, **settings})
    negatives = {"class_path": "uniform", "init_args": {"num": candidates}}
    arguments = [{"relation": str(relation), "negatives": negatives} for relation in split.links]
    wanted = [Component(class_path="Links", init_args=one) for one in arguments]
    wanted += [Component(class_path="Categories", init_args={"field": one.labels.field}) for one in split.labels.values()]
    tasks = [registry.create("task", one) for one in wanted]
    torch.manual_seed(3)
    module = build(split.visible, [h for t in tasks for h in t.heads(split, model)], model, seed=3)
    links, labels = [a for t in tasks for a in t.asked_links(split)], [a for t in tasks for a in t.asked_labels(split)]
    return module, GraphData(split.visible, Asked(links, labels), model, 0.3, seed=3), model


def gradients_of(module):
    return 4 * sum(p.numel() for p in module.parameters() if p.requires_grad)


def counted_step(module, data):
    """Of a real step on a real batch."""
    batch = next(iter(data.batches))
    own = [one for one in tensors(batch) if data.mode == "neighbours" or id(one) not in set(map(id, tensors(data.whole)))]
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    made_bytes = sum(one.numel() * one.element_size() for one in own)
    return made_bytes + step_bytes(module.train(), batch, LiveBytes(), state, gradients_of(module))


@pytest.mark.parametrize(
    ("layer", "mode"),
    [
        ("sage", "full"), ("sage", "steps"), ("sage", "neighbours"), ("gat", "full"), ("gat_v2", "neighbours"), ("hgt", "full"),
        ("comp_gcn", "steps"), ("light_gcn", "full"),
    ],
)  # fmt: skip
def test_a_step_takes_what_was_estimated(layer, mode):
    module, data, model = prepared(SPLIT, mode, layer=layer)
    need = estimate(module, data, mode, model)
    assert need.passing["a training step"] == pytest.approx(counted_step(module, data), rel=0.1)


@pytest.mark.parametrize("mode", ["full", "steps", "neighbours"])
def test_id_vectors_and_popular_items_as_well(mode):
    module, data, model = prepared(USERS, mode)
    need = estimate(module, data, mode, model)
    assert need.passing["a training step"] == pytest.approx(counted_step(module, data), rel=0.1)
    assert need.held["model"] == sum(p.numel() * 4 for p in module.parameters())
    assert need.lasting["moments of the optimiser"] == 2 * need.held["model"]


@pytest.mark.parametrize("loss", registry.discover("loss"))
def test_scores_of_every_loss_are_counted(loss):
    split = Split(USERS.links, {}, USERS.visible)
    module, data, model = prepared(split, layer="none", width=8)
    module.all_heads[0].compare = registry.create("loss", loss)
    need = estimate(module, data, "full", model)
    assert need.passing["a training step"] == pytest.approx(counted_step(module, data), rel=0.15)
    assert need.passing["a training step"] > 4 * 2 * sum(expected(data, "full", model).cells)


@pytest.mark.parametrize("layer", ["none", "comp_gcn"])
@pytest.mark.parametrize("reciprocal", [True, False])
def test_facts_are_counted_too(layer, reciprocal):
    split = facts(400)[1]
    batches = BatchSettings(size=64)
    model, task = ModelSettings(width=16, layer=layer, depth=1, batches=batches), Facts(kind="n", reciprocal=reciprocal)
    module = build(split.visible, task.heads(split, model), model, seed=1)
    data = GraphData(split.visible, Asked(triples=task.asked_triples(split)), model, 0.3, 1)
    need = estimate(module, data, "steps", model)
    assert need.passing["a training step"] == pytest.approx(counted_step(module, data), rel=0.1)
    assert choose(module, data, model) == "steps"


def test_edges_are_taken_out_on_the_gpu_where_one_computes():
    """Of a graph with many links an item this takes more than a narrow network."""
    module, data, model = prepared(users_and_items(60, 50, 2500), candidates=2, width=2)
    data.supervise = 0.01
    need = estimate(module, data, "full", model)
    taken = need.passing["taking edges out"]
    assert need.passing["a training step"] < taken <= need.passing["making a batch"]
    lasting = need.held["model"] + sum(need.lasting.values())
    assert need.gpu == taken + lasting


def test_the_expected_neighbours_are_those_that_dgl_draws():
    data = prepared(USERS, "neighbours")[1]
    sizes = of_neighbours(USERS.visible, (4, 3), data.asked, 128)
    drawn = [data.batches.batch(number) for number in range(8)]
    for kind, count in sizes.items.items():
        assert count == pytest.approx(np.mean([len(one.inputs.items[kind]) for one in drawn]), rel=0.1)
    for layer, (targets, edges) in enumerate(sizes.layers):
        for kind, count in targets.items():
            assert count == pytest.approx(np.mean([one.blocks[layer].num_targets[kind] for one in drawn]), rel=0.1)
        for relation, count in edges.items():
            passed = np.mean([one.blocks[layer].relations[relation].sources.numel() for one in drawn])
            assert count == pytest.approx(passed, rel=0.1)


class BothLive(LiveBytes):
    """Tensors, and what Python and numpy hold beside them, at one moment."""

    def __init__(self):
        super().__init__()
        self.both = 0

    def hold(self, size):
        before = self.now
        super().hold(size)
        self.both = max(self.both, before + tracemalloc.get_traced_memory()[1], self.now + tracemalloc.get_traced_memory()[0])
        tracemalloc.reset_peak()


@pytest.mark.parametrize(
    ("split", "mode", "layer"),
    [(SPLIT, "full", "sage"), (USERS, "steps", "light_gcn"), (USERS, "neighbours", "sage")],
    ids=["full", "steps", "neighbours"],
)
def test_a_whole_training_stays_within_30_percent(tmp_path, split, mode, layer):
    load_dgl()  # its import is no need of a training's, whichever test comes first
    train(*prepared(made(2)[1])[:2], {"max_epochs": 1, "accelerator": "cpu"}, tmp_path / "warm", ModelSettings(width=32))
    module, data, model = prepared(split, mode, size=1024, candidates=512, layer=layer, width=64)
    need = estimate(module, data, mode, model)
    counted = BothLive()
    tracemalloc.start()
    try:
        with counted:
            train(module, data, {"max_epochs": 1, "accelerator": "cpu"}, tmp_path / "run", model)
    finally:
        tracemalloc.stop()
    dgl = need.lasting.get("graph of DGL", 0)  # allocated by DGL itself, which neither counter sees
    assert need.more - dgl == pytest.approx(counted.both, rel=0.3), need


def test_a_validation_takes_what_was_estimated():
    module, data, model = prepared(SPLIT)
    need, counted = estimate(module, data, "full", model), BothLive()
    whole = data.whole
    module.eval()
    tracemalloc.start()
    try:
        with torch.no_grad(), counted:
            rows = module.network(whole)
            for head in module.all_heads:
                head.validate(rows)
    finally:
        tracemalloc.stop()
    assert need.passing["a validation"] - gradients_of(module) == pytest.approx(counted.both, rel=0.3)


def test_nothing_is_changed_by_the_estimate():
    module, data, model = prepared(SPLIT)
    before, drawn = {name: one.clone() for name, one in module.state_dict().items()}, torch.get_rng_state()
    estimate(module, data, "full", model)
    assert torch.equal(drawn, torch.get_rng_state())
    assert module.training
    for name, one in module.state_dict().items():
        assert type(one) is torch.Tensor
        assert torch.equal(one, before[name])
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(("split", "layer"), [(SPLIT, "hgt"), (SPLIT, "gat_v2"), (USERS, "sage")])
def test_the_ceiling_is_above_the_estimate(split, layer):
    module, data, model = prepared(split, layer=layer)
    assert ceiling(data, "full", model) > estimate(module, data, "full", model).total


def small(split, mode):
    """Few seeds in a graph of many items, so that neighbours take less."""
    return prepared(split, mode, size=8, fanouts=(2, 2), candidates=8, width=64)


def needs(mode):
    module, data, model = small(USERS, mode)
    return estimate(module, data, mode, model)


def shown(size):
    return f"{size / 2**20:.0f} MiB"


def chosen(caplog, split=SPLIT, free=None, monkeypatch=None, **batches):
    caplog.set_level(logging.INFO)
    module, data, model = small(split, "auto")
    model = msgspec.structs.replace(model, batches=msgspec.structs.replace(model.batches, **batches))
    if free is not None:
        monkeypatch.setattr("mmgraph.model.choose.free_memory", lambda: free)
    mode = choose(module, data, model)
    return mode, caplog.messages[-1]


def test_auto_takes_the_full_graph_where_it_fits(caplog, monkeypatch):
    mode, said = chosen(caplog, free=8 * 2**30, monkeypatch=monkeypatch)
    assert mode == "full"
    assert said.startswith("batches: full; the whole graph needs less than ")
    assert said.endswith(" of 8.00 GiB free")


def test_auto_takes_neighbours_where_only_they_fit_and_says_both_numbers(caplog, monkeypatch):
    full, neighbours = needs("full").more, needs("neighbours").more
    assert neighbours < 0.8 * full
    mode, said = chosen(caplog, USERS, free=int(0.9 * full / 0.8), monkeypatch=monkeypatch)
    assert mode == "neighbours"
    assert f"need about {shown(neighbours)}; the whole graph would need {shown(full)} of" in said
    mode, said = chosen(caplog, USERS, free=int(1.1 * full / 0.8), monkeypatch=monkeypatch)
    assert mode == "full"
    assert f"about {shown(full)} of" in said
    assert f"neighbours would need about {shown(neighbours)}" in said


def test_a_stated_size_is_taken_at_its_word(caplog):
    need = needs("full").total
    assert chosen(caplog, USERS, memory_gb=1.001 * need / 1e9)[0] == "full"
    mode, said = chosen(caplog, USERS, memory_gb=0.999 * need / 1e9)
    assert mode == "neighbours"
    assert "by model.batches.memory_gb" in said


def test_what_does_not_fit_at_all_is_refused_in_one_line(caplog, monkeypatch):
    with pytest.raises(
        SettingsError, match=r"does not fit into memory; given: full: about .* free; neighbours: about .*; lower"
    ):
        chosen(caplog, free=2**20, monkeypatch=monkeypatch)
    with pytest.raises(SettingsError, match="one number a layer"):
        chosen(caplog, free=2**20, monkeypatch=monkeypatch, fanouts=(3,))


def test_a_set_mode_is_not_questioned(caplog):
    module, data, model = prepared(SPLIT, "neighbours")
    caplog.set_level(logging.INFO)
    assert choose(module, data, model) == "neighbours"
    assert caplog.messages[-1] == "batches: neighbours, as model.batches.mode says"


def test_on_a_gpu_its_own_memory_counts_and_the_machines_for_the_rest():
    need = Need(
        "full",
        {"features": 100, "graph": 10, "model": 20},
        {"moments of the optimiser": 40, "edges for message passing": 50},
        {"making a batch": 30, "a training step": 500, "a validation": 200, "embeddings at the end": 60},
    )
    assert need.gpu == 100 + 20 + 40 + 50 + 500
    assert need.host == 50 + 60
    assert Room(1000, gpu=900).fits(need)
    assert not Room(1000, gpu=800).fits(need)
    assert not Room(130, gpu=900).fits(need)
    assert need.more == 40 + 50 + 500
    assert need.total == 130 + need.more


def test_a_layer_that_looks_into_its_data_is_said_and_the_whole_graph_taken(caplog, monkeypatch):
    module, data, model = prepared(SPLIT, "auto")
    plain = module.network.layers[0].forward

    def looks(rows, block):
        assert float(rows["segment"].sum()) != 0.5
        return plain(rows, block)

    monkeypatch.setattr(module.network.layers[0], "forward", looks)
    monkeypatch.setattr("mmgraph.model.choose.free_memory", lambda: 2**24)
    assert choose(module, data, model) == "full"
    assert "cannot be estimated: a part of the model looks into its data" in caplog.messages[-1]


def test_a_resumed_run_keeps_the_mode_it_began_with(tmp_path, monkeypatch):
    module, data, model = prepared(SPLIT, "auto")
    train(module, data, {"max_epochs": 5, "accelerator": "cpu"}, tmp_path, model)
    monkeypatch.setattr("mmgraph.model.choose.free_memory", lambda: 2**20)
    module, data, model = prepared(SPLIT, "auto")
    train(module, data, {"max_epochs": 6, "accelerator": "cpu"}, tmp_path, model)
    assert data.mode == "full"
