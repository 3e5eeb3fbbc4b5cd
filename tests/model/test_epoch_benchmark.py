"""The benchmark of an epoch compares the same model: DGL's layers with our weights give our embeddings."""

import importlib.util
import math
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgraph.graph.dgl import load_dgl
from mmgraph.sample.full import whole_batch
from mmgraph.types import Relation

SPEC = importlib.util.spec_from_file_location("benchmark_of_an_epoch", Path(__file__).parents[2] / "benchmarks" / "epoch.py")
epoch = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(epoch)
SIZE = epoch.Size(0.001, 0.0625, 8, 16, 2)


def test_the_graph_has_the_links_it_says_each_once():
    counts, links, features = epoch.made(SIZE)
    assert {kind: len(x) for kind, x in features.items()} == counts == {"user": 120, "item": 60, "tag": 20}
    for (source, _, target), ends in links.items():
        pairs = set(zip(*(end.tolist() for end in ends), strict=True))
        assert len(pairs) == len(ends[0]) > 0
        assert (ends[0].max() < counts[source]) & (ends[1].max() < counts[target])
    degree = np.sort(np.bincount(links[epoch.TARGET][0]))[::-1]
    assert degree[:12].sum() > 0.15 * degree.sum()  # a tenth of the users has more than its share


@pytest.mark.parametrize("name", ["sage", "gat"])
def test_dgl_with_our_weights_gives_our_embeddings(name):
    module, data = epoch.ours(name, "full", SIZE)
    network, dgl = module.network.eval(), load_dgl()
    counts, links, _ = epoch.made(SIZE)
    model = epoch.Model(counts, [epoch.dgl_layer(dgl, name, list(epoch.both(links))) for _ in range(2)])
    rows = {}
    with torch.no_grad():
        for kind in counts:
            modality = network.inputs.kinds[f"<{kind}>"].modalities["<given>"]
            vectors = data.whole.inputs.features[kind, "given"].vectors
            rows[kind] = ((vectors - modality.mean) * modality.scale).clamp(-10, 10)
            model.inputs[kind].load_state_dict(modality.project.state_dict())
        for mine, theirs, itself in zip(network.layers, model.layers, model.itself, strict=True):
            into = [r[2] for r in epoch.both(links)]
            for kind in counts:
                itself[kind].load_state_dict(mine.itself[f"<{kind}>"].state_dict())
            for relation in epoch.both(links):
                of, scale = theirs._get_module(relation), into.count(relation[2]) ** -0.5
                ours = Relation(*relation) if Relation(*relation) in network_relations(mine) else reverse_of(relation)
                copy(of, mine, ours, scale)
        graph = dgl.heterograph(epoch.both(links), num_nodes_dict=counts)
        found = model(rows, lambda _, layer, some: epoch.dgl_heard(graph, layer, some))
        wanted = network(whole_batch(data.batches.graph, 2))
    for kind in counts:
        torch.testing.assert_close(found[kind], wanted[kind], atol=1e-4, rtol=1e-4)


def network_relations(layer):
    maps = layer.neighbours if hasattr(layer, "neighbours") else layer.attention
    return {r for r in map(Relation, *zip(*epoch.LINKS, strict=True)) if f"<{r}>" in maps}


def reverse_of(relation):
    source, name, target = relation
    return Relation(target, name.removeprefix("~"), source).reverse


def copy(theirs, layer, relation, scale):
    """Our weights of a relation into DGL's module; what is scaled here is scaled in the weights there."""
    if hasattr(layer, "neighbours"):
        theirs.weight.copy_(layer.neighbours[f"<{relation}>"].weight.T * scale)
        return
    mine = layer.attention[f"<{relation}>"]
    theirs.fc_src.weight.copy_(mine.of_source.weight * scale)
    theirs.fc_dst.weight.copy_(mine.of_target.weight)
    theirs.attn_l.copy_(mine.left[None] / scale)
    theirs.attn_r.copy_(mine.right[None])


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_a_step_of_ours_begins_at_chance(mode):
    module, data = epoch.ours("sage", mode, SIZE)
    batch = next(iter(data.batches))
    loss = module.all_heads[0].loss(module.network(batch), batch)
    candidates = SIZE.candidates if mode == "full" else SIZE.batch
    assert abs(float(loss.detach()) - math.log(candidates + 1)) < 0.5


def test_the_page_names_what_was_not_run():
    one = {"s": 2.0, "peak_mb": 900.0, "loss": 4.0, "ratio": 0.5, "ratios": [0.4, 0.5, 0.6]}
    text = epoch.page(
        {("sage", "full"): {"mmgraph": one, "dgl": one, "pyg": None}},
        Namespace(quick=True, repeats=3, modes="full", device="cpu"),
        "2026-01-01",
    )
    assert "| sage | full | dgl | 2.00 | 0.50 (0.40 to 0.60) | 900 |" in text
    assert "| sage | full | pyg | not run: not installed" in text
    assert "python benchmarks/epoch.py --quick --repeats 3 --modes full" in text
