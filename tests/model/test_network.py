"""The network around the layers: residual, norm, jumping knowledge, no layers at all."""

import numpy as np
import pytest
import torch
from graph_made import made

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


@pytest.mark.parametrize("layer", ["gcn", "rgcn", "comp_gcn", "hgt", "gat_v2", "light_gcn"])
def test_every_layer_trains_in_the_network(layer):
    arguments = {"bases": 2} if layer == "rgcn" else {}
    net, batch = network(layer=Component(class_path=layer, init_args=arguments), depth=2)
    loss = sum(x.square().mean() for x in net(batch).values())
    loss.backward()
    gradients = [p.grad for name, p in net.named_parameters() if p.requires_grad and p.grad is not None]
    assert gradients
    assert all(np.isfinite(g.abs().sum().item()) for g in gradients)
