"""Message passing equals DGL's kernels and its layers, forward and gradient."""

import pytest
import torch

from mmgraph.graph.dgl import load_dgl
from mmgraph.model.layers.gat import Gat
from mmgraph.model.layers.sage import Sage
from mmgraph.model.messages import copy_mean, copy_sum, edge_softmax, to_edges, weighted_sum
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation

RELATION = Relation("a", "r", "b")


@pytest.fixture(scope="module", params=[(1, 1, 1), (6, 4, 0), (40, 30, 300)], ids=["one", "no edges", "many"])
def made(request):
    """(dgl graph, the same as Adjacency); repeated edges and isolated items are in it."""
    num_a, num_b, edges = request.param
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(num_a, (edges,), generator=generator)
    target = torch.randint(max(num_b - 2, 1), (edges,), generator=generator)
    dgl = load_dgl()
    graph = dgl.heterograph({tuple(RELATION): (source, target)}, num_nodes_dict={"a": num_a, "b": num_b})
    return graph, Adjacency.from_edges(source, target, num_a, num_b)


def rows(count, width, seed=1):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def assert_same(ours, theirs, inputs):
    """Equal forward, and equal gradients of a sum with fixed random weights."""
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(9))
    mine = torch.autograd.grad((ours * weight).sum(), inputs, retain_graph=True)
    his = torch.autograd.grad((theirs * weight).sum(), inputs, retain_graph=True)
    for a, b in zip(mine, his, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_sum_and_mean(made):
    graph, adjacency = made
    x = rows(adjacency.num_sources, 5)
    ops = load_dgl().ops
    assert_same(copy_sum(adjacency, x), ops.copy_u_sum(graph, x), [x])
    assert_same(copy_mean(adjacency, x), ops.copy_u_mean(graph, x), [x])


def test_weighted_sum_and_softmax(made):
    graph, adjacency = made
    x, logits = rows(adjacency.num_sources, 6), rows(graph.num_edges(), 2, seed=3)
    ids = adjacency.ids
    softmax = load_dgl().nn.functional.edge_softmax(graph, logits)
    assert_same(edge_softmax(adjacency, logits[ids]), softmax[ids], [logits])
    heads = x.view(-1, 2, 3)
    theirs = load_dgl().ops.u_mul_e_sum(graph, heads, softmax.unsqueeze(-1))
    assert_same(weighted_sum(adjacency, heads, edge_softmax(adjacency, logits[ids])), theirs, [x, logits])


def test_to_edges(made):
    graph, adjacency = made
    of_source, of_target = rows(adjacency.num_sources, 2), rows(adjacency.num_targets, 2, seed=4)
    ours = to_edges(adjacency, of_source, "source") - to_edges(adjacency, of_target, "target")
    theirs = load_dgl().ops.u_sub_v(graph, of_source, of_target)[adjacency.ids]
    assert_same(ours, theirs, [of_source, of_target])


def block(adjacency):
    counts = {"a": adjacency.num_sources, "b": adjacency.num_targets}
    return Block(counts, {RELATION: adjacency})


def test_sage_is_dgls(made):
    graph, adjacency = made
    x, y = rows(adjacency.num_sources, 4), rows(adjacency.num_targets, 4, seed=2)
    ours = Sage([RELATION], ["a", "b"], 4)
    theirs = load_dgl().nn.SAGEConv(4, 4, "mean")
    theirs.fc_neigh.weight.data.copy_(ours.neighbours["<a/r/b>"].weight)
    theirs.fc_self.weight.data.copy_(ours.itself["<b>"].weight)
    theirs.fc_self.bias.data.copy_(ours.itself["<b>"].bias)
    assert_same(ours({"a": x, "b": y}, block(adjacency))["b"], theirs(graph, (x, y)), [x, y])


def test_gat_is_dgls(made):
    graph, adjacency = made
    x, y = rows(adjacency.num_sources, 6), rows(adjacency.num_targets, 6, seed=2)
    ours = Gat([RELATION], ["a", "b"], 6, heads=2)
    attention = ours.attention["<a/r/b>"]
    theirs = load_dgl().nn.GATConv((6, 6), 3, 2, bias=False, allow_zero_in_degree=True)
    theirs.fc_src.weight.data.copy_(attention.of_source.weight)
    theirs.fc_dst.weight.data.copy_(attention.of_target.weight)
    theirs.attn_l.data.copy_(attention.left[None])
    theirs.attn_r.data.copy_(attention.right[None])
    torch.nn.init.zeros_(ours.itself["<b>"].weight)
    torch.nn.init.zeros_(ours.itself["<b>"].bias)
    assert_same(ours({"a": x, "b": y}, block(adjacency))["b"], theirs(graph, (x, y)).flatten(1), [x, y])


def test_gradcheck():
    adjacency = Adjacency.from_edges(torch.tensor([0, 1, 1, 2]), torch.tensor([1, 1, 0, 2]), 3, 4)
    x = torch.randn(3, 2, 2, requires_grad=True)
    weight = torch.randn(4, 2, requires_grad=True)
    ours = torch.autograd.grad(weighted_sum(adjacency, x, weight).pow(2).sum(), (x, weight))
    slow = torch.zeros(4, 2, 2)
    order = list(zip(adjacency.sources.tolist(), adjacency.targets.tolist(), strict=True))
    slow = torch.stack(
        [sum((x[s] * weight[e][:, None] for e, (s, t) in enumerate(order) if t == k), torch.zeros(2, 2)) for k in range(4)]
    )
    theirs = torch.autograd.grad(slow.pow(2).sum(), (x, weight))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_keeping_a_part_is_building_from_the_part(made):
    _, adjacency = made
    mask = torch.arange(adjacency.sources.numel()) % 3 != 0
    kept = adjacency.keep(mask)
    anew = Adjacency.from_edges(adjacency.sources[mask], adjacency.targets[mask], adjacency.num_sources, adjacency.num_targets)
    assert torch.equal(kept.indptr, anew.indptr)
    assert torch.equal(kept.sources, anew.sources)
    assert torch.equal(kept.transposed.indptr, anew.transposed.indptr)
    assert torch.equal(kept.transposed.targets, anew.transposed.targets)
    assert torch.equal(kept.ids, adjacency.ids[mask])
    x = rows(adjacency.num_sources, 3)
    assert_same(copy_sum(kept, x), copy_sum(anew, x), [x])


def test_bfloat16_goes_through():
    adjacency = Adjacency.from_edges(torch.tensor([0, 1]), torch.tensor([0, 0]), 2, 2)
    x = torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)
    total = copy_sum(adjacency, x)
    total.sum().backward()
    assert total.dtype == torch.bfloat16
    assert total.tolist() == [[2.0] * 3, [0.0] * 3]
    assert x.grad.tolist() == [[1.0] * 3] * 2
