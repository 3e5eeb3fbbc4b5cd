"""Row-wise Adagrad, beside loops over rows; and training with it, from the estimate of memory to a resumed run."""

import copy
import logging

import numpy as np
import pytest
import torch
from torch import nn

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.model import choose as module_of_choice
from mmgraph.model.choose import choose
from mmgraph.model.data import GraphData
from mmgraph.model.estimate import estimate
from mmgraph.model.row_adagrad import RowAdagrad, Together
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.settings import BatchSettings, Component, IdSettings, ModelSettings
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.types import Relation

PLAYS = Relation("user", "plays", "item")


def slow(table, batches, lr, eps=1e-10):
    """A row at a time, in double precision."""
    table, total = table.double().clone(), [0.0] * len(table)
    for rows, values in batches:
        for row in sorted(set(rows)):
            gradient = sum(value.double() for one, value in zip(rows, values, strict=True) if one == row)
            total[row] += float((gradient**2).mean())
            table[row] -= lr * gradient / (total[row] ** 0.5 + eps)
    return table


def batches(count=6, rows=9, width=4):
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        chosen = torch.randint(0, rows - 2, (5,), generator=generator)  # with rows that occur twice, and two that never do
        yield chosen.tolist(), torch.randn(5, width, generator=generator)


@pytest.mark.parametrize("sparse", [True, False])
def test_a_row_is_stepped_by_its_own_number(sparse):
    table = nn.Parameter(torch.randn(9, 4, generator=torch.Generator().manual_seed(1)))
    before = table.detach().clone()
    optimizer = RowAdagrad([table], lr=0.3)
    for rows, values in batches():
        with torch.sparse.check_sparse_tensor_invariants(enable=True):
            gradient = torch.sparse_coo_tensor(torch.tensor([rows]), values, table.shape)
        table.grad = gradient if sparse else gradient.to_dense()
        optimizer.step()
    torch.testing.assert_close(table.detach(), slow(before, list(batches()), 0.3).float())
    assert torch.equal(table.detach()[7:], before[7:])
    assert optimizer.state[table]["sum"].shape == (9,) and not optimizer.state[table]["sum"][7:].any()


def test_two_optimisers_are_one_and_are_kept_together():
    def made():
        table, weight = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2))
        return table, weight, Together(torch.optim.AdamW([weight], lr=0.1), RowAdagrad([table], lr=0.5))

    def stepped(table, weight, one):
        one.zero_grad()
        (weight * table[0]).sum().backward()
        return one.step(lambda: 3.0)

    first = made()
    assert stepped(*first) == 3.0
    other = made()
    with torch.no_grad():
        for mine, theirs in zip(other[:2], first[:2], strict=True):
            mine.copy_(theirs)
    other[2].load_state_dict(copy.deepcopy(first[2].state_dict()))  # as a file is: tensors of its own
    for each in (first, other):
        each[2].param_groups[0]["lr"] = 0.2  # as a schedule does
        stepped(*each)
    assert torch.equal(first[0], other[0]) and torch.equal(first[1], other[1])
    assert not torch.equal(first[0][0], torch.ones(2)) and torch.equal(first[0][1:].detach(), torch.ones(2, 2))


def split_of(users=40, items=24, seed=0):
    rng = np.random.default_rng(seed)
    pairs = np.array([(u, i) for u in range(users) for i in rng.choice(np.arange(u % 2, items, 2), 6, replace=False)])
    edges = Edges(PLAYS, pairs[:, 0], pairs[:, 1])
    order = rng.permutation(len(edges))
    train_, valid, test = (np.sort(part) for part in np.split(order, [int(0.7 * len(order)), int(0.85 * len(order))]))
    ids = {kind: np.array([f"{kind}{i}" for i in range(count)]) for kind, count in (("user", users), ("item", items))}
    graph = Graph(ids, {PLAYS: edges.take(train_)})
    return Split({PLAYS: LinkSplit(edges, train_, valid, test)}, {}, graph)


def made(ids="row_adagrad", layer="none", mode="neighbours", **more):
    size = {"size": 16, "fanouts": (5, 5)}
    settings = ModelSettings(
        width=8,
        layer=layer,
        batches=BatchSettings(mode=mode, **size, **more),
        ids=IdSettings(optimizer=ids, learning_rate=0.3),
    )
    split = split_of()
    scorer = Component(class_path="dot", init_args={"heads": False})
    asked = {"relation": str(PLAYS), "at": 5, "scorer": scorer}
    task = registry.create("task", Component(class_path="Recommend", init_args=asked))
    torch.manual_seed(3)
    module = build(split.visible, task.heads(split, settings), settings, seed=3)
    data = GraphData(split.visible, Asked(task.asked_links(split), []), settings, 0.3, seed=3)
    return module, data, settings


def trained(folder, epochs, **more):
    module, data, settings = made(**more)
    return train(module, data, {"max_epochs": epochs, "accelerator": "cpu"}, folder, settings), module


@pytest.mark.parametrize("layer", ["none", "light_gcn"])
def test_it_learns_and_a_resumed_run_ends_with_the_same_numbers(tmp_path, layer):
    whole, module = trained(tmp_path / "whole", 7, layer=layer)
    assert module.row_wise
    figure = [value for _, name, value in whole.curves if name == "valid/user/plays/item/ndcg@5"]
    assert max(figure) > 0.2, "0.15 is chance"
    trained(tmp_path / "cut", 5, layer=layer)
    again, _ = trained(tmp_path / "cut", 7, layer=layer)
    for kind, rows in whole.embeddings.items():
        assert torch.equal(rows, again.embeddings[kind])
    state = torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)["optimizer_states"][0]["both"][1]["state"]
    assert sorted(one["sum"].shape[0] for one in state.values()) == [24, 40]


def test_what_it_takes_grows_with_the_batch_and_not_with_the_table():
    module, data, settings = made()
    dense, rows = (estimate(module, data, "neighbours", settings, by_row=one) for one in (False, True))
    numbers = 64 * 8 * 4
    moments = dense.lasting["moments of the optimiser"] - rows.lasting["moments of the optimiser"]
    assert moments == 2 * numbers - 64 * 4
    assert rows.mode == "neighbours, ids by row" and rows.held == dense.held
    assert module.network.inputs.tables()["<user>"].weight.grad is None


def test_auto_is_dense_as_long_as_that_fits(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    for mode, layer in (("neighbours", "light_gcn"), ("auto", "none")):
        module, data, settings = made("auto", layer, mode)
        choose(module, data, settings)
        assert not data.row_wise
        module, data, settings = made("auto", layer, mode, memory_gb=1e-9)
        needs = [estimate(module, data, "neighbours", settings, by_row=one) for one in (False, True)]
        monkeypatch.setattr(module_of_choice.Room, "fits", lambda _, need: need.mode.endswith("by row"))
        assert needs[1].more < needs[0].more
        assert choose(module, data, settings) == "neighbours"
        assert data.row_wise and data.state_dict() == {"mode": data.mode, "row_wise": True}
        assert "batches: neighbours; 64 ids are stepped row by row, and training adds about" in caplog.text
        monkeypatch.undo()


def test_a_pass_over_the_whole_graph_is_refused():
    for mode in ("full", "steps"):
        module, data, settings = made(mode=mode, layer="light_gcn")
        with pytest.raises(SettingsError, match=rf"needs batches of neighbours.*given: model.batches.mode: {mode}; set model"):
            choose(module, data, settings)
