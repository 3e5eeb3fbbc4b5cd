"""The network around the layers: residual, norm, jumping knowledge, no layers at all."""

import numpy as np
import pytest
import torch
from graph_made import made

from mmgraph.errors import SettingsError
from mmgraph.model.network import Network
from mmgraph.sample.full import whole_batch
from mmgraph.settings import Component, ModelSettings

GRAPH, _ = made()
RELATIONS = [r for one in GRAPH.edges for r in (one, one.reverse)]


def network(**settings):
    torch.manual_seed(0)
    chosen = ModelSettings(width=8, dropout=0.0, modality_dropout=0.0, **settings)
    return Network(GRAPH, RELATIONS, chosen).eval(), whole_batch(GRAPH, chosen.layers)


def by_hand(net, batch):
    """All layers' vectors of every kind, one step after the other."""
    rows = {kind: torch.relu(x) for kind, x in net.inputs(batch.inputs).items()}
    every = [rows]
    for layer, norms, block in zip(net.layers, net.norms, batch.blocks, strict=True):
        heard = layer(rows, block)
        heard = {kind: torch.relu(norms[f"<{kind}>"](x)) for kind, x in heard.items()}
        rows = {kind: (rows[kind] + x if net.residual else x) for kind, x in heard.items()}
        every.append(rows)
    return every


@pytest.mark.parametrize("jumping", ["auto", "first_last", "last", "concat", "mean"])
@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
@pytest.mark.parametrize("residual", [True, False])
def test_the_settings_do_what_they_say(jumping, norm, residual):
    net, batch = network(jumping=jumping, norm=norm, residual=residual)
    out, every = net(batch), by_hand(net, batch)
    for kind in GRAPH.ids:
        rows = [one[kind] for one in every]
        expected = {
            "last": lambda rows=rows, _=kind: rows[-1],
            "mean": lambda rows=rows, _=kind: sum(rows) / len(rows),
            "concat": lambda rows=rows, kind=kind: net.joined[f"<{kind}>"](torch.cat(rows, 1)),
        }.get(jumping, lambda rows=rows, kind=kind: net.joined[f"<{kind}>"](torch.cat([rows[0], rows[-1]], 1)))()
        torch.testing.assert_close(out[kind], expected)


@pytest.mark.parametrize("settings", [{"layer": "none"}, {"depth": 0}])
def test_without_layers_the_inputs_are_the_embeddings(settings):
    net, batch = network(**settings)
    assert len(net.layers) == len(batch.blocks) == 0
    out, inputs = net(batch), net.inputs(batch.inputs)
    for kind in GRAPH.ids:
        torch.testing.assert_close(out[kind], inputs[kind])


def test_light_gcn_is_the_mean_of_linear_steps():
    net, batch = network(layer="light_gcn", depth=3, id_embedding="all")
    assert not [name for name, _ in net.named_parameters() if not name.startswith("inputs.")]
    rows = net.inputs(batch.inputs)
    every = [rows]
    for layer, block in zip(net.layers, batch.blocks, strict=True):
        rows = layer(rows, block)
        every.append(rows)
    for kind, out in net(batch).items():
        torch.testing.assert_close(out, sum(one[kind] for one in every) / 4)


@pytest.mark.parametrize(
    "layer", ["gcn", "rgcn", "comp_gcn", "hgt", "gat_v2", "kgat", "light_gcn", "light_gcn_pp", "sgc", "appnp", "grand"]
)
def test_every_layer_trains_in_the_network(layer):
    arguments = {"bases": 2} if layer == "rgcn" else {}
    net, batch = network(layer=Component(class_path=layer, init_args=arguments), depth=2)
    loss = sum(x.square().mean() for x in net(batch).values())
    loss.backward()
    gradients = [p.grad for name, p in net.named_parameters() if p.requires_grad and p.grad is not None]
    assert gradients
    assert all(np.isfinite(g.abs().sum().item()) for g in gradients)


def dense(graph):
    """The symmetric matrix with loops over all items, kind after kind, as Kipf and Welling write it."""
    start = dict(zip(graph.ids, np.cumsum([0, *(len(ids) for ids in graph.ids.values())]), strict=False))
    matrix = np.eye(sum(len(ids) for ids in graph.ids.values()))
    for relation, edges in graph.edges.items():
        for source, target in zip(edges.source, edges.target, strict=True):
            matrix[start[relation.source] + source, start[relation.target] + target] += 1
            matrix[start[relation.target] + target, start[relation.source] + source] += 1
    root = np.diag(matrix.sum(1) ** -0.5)
    return torch.from_numpy(root @ matrix @ root).float()


def joined(rows):
    return torch.cat([rows[kind] for kind in GRAPH.ids])


def test_sgc_is_a_power_of_the_matrix():
    net, batch = network(layer="sgc", depth=3)
    expected = torch.linalg.matrix_power(dense(GRAPH), 3) @ joined(net.inputs(batch.inputs))
    torch.testing.assert_close(joined(net(batch)), expected, atol=1e-5, rtol=1e-4)


def test_appnp_goes_back_to_the_first_vectors_in_every_step():
    net, batch = network(layer=Component(class_path="appnp", init_args={"restart": 0.2}), depth=4)
    matrix, first = dense(GRAPH), torch.relu(joined(net.inputs(batch.inputs)))
    rows = first
    for _ in range(4):
        rows = 0.8 * matrix @ rows + 0.2 * first
    torch.testing.assert_close(joined(net(batch)), rows, atol=1e-5, rtol=1e-4)
    endless = 0.2 * torch.linalg.solve(torch.eye(len(matrix)) - 0.8 * matrix, first)
    net, batch = network(layer=Component(class_path="appnp", init_args={"restart": 0.2}), depth=40)
    torch.testing.assert_close(joined(net(batch)), endless, atol=1e-3, rtol=1e-3)


def test_grand_drops_whole_items_and_takes_the_mean_of_all_steps():
    net, batch = network(layer=Component(class_path="grand", init_args={"drop_items": 0.4}), depth=3)
    matrix, inputs = dense(GRAPH), joined(net.inputs(batch.inputs))
    mixed = sum(torch.linalg.matrix_power(matrix, power) for power in range(4)) / 4
    torch.testing.assert_close(joined(net(batch)), torch.relu(mixed @ inputs), atol=1e-5, rtol=1e-4)
    net.train()
    torch.manual_seed(3)
    drawn = joined(net(batch))
    torch.manual_seed(3)
    kept = torch.cat([torch.rand(len(ids), 1) >= 0.4 for ids in GRAPH.ids.values()])
    assert 0 < kept.sum() < len(kept)
    torch.testing.assert_close(drawn, torch.relu(mixed @ (inputs * kept / 0.6)), atol=1e-5, rtol=1e-4)


def test_items_cannot_all_be_dropped():
    with pytest.raises(SettingsError, match="drop_items is a probability below 1; given: 1.0"):
        network(layer=Component(class_path="grand", init_args={"drop_items": 1.0}))
