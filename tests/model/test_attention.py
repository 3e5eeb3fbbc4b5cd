"""Attention in one piece equals the same made of edge-wise parts, forward and gradients."""

import pytest
import torch
import torch.nn.functional as F

from mmgraph.model.attention import attend
from mmgraph.model.messages import edge_softmax, to_edges, weighted_sum
from mmgraph.sample.adjacency import Adjacency

SOURCES, TARGETS, EDGES, HEADS, WIDTH = 9, 7, 30, 3, 4


def in_parts(adjacency, rows, left, right, slope):
    logits = to_edges(adjacency, left, "source") + to_edges(adjacency, right, "target")
    return weighted_sum(adjacency, rows, edge_softmax(adjacency, F.leaky_relu(logits, slope)))


@pytest.mark.parametrize("spread", [1.0, 200.0])  # the second is too wide for one shift for all
@pytest.mark.parametrize("slope", [0.2, 0.0, 1.0, 1.5])
def test_it_is_the_sum_of_its_parts(spread, slope):
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(SOURCES, (EDGES,), generator=generator)
    target = torch.randint(TARGETS - 1, (EDGES,), generator=generator)  # the last target hears nothing
    adjacency = Adjacency.from_edges(source, target, SOURCES, TARGETS)
    shapes = (SOURCES, HEADS, WIDTH), (SOURCES, HEADS), (TARGETS, HEADS)
    given = [torch.randn(shape, generator=generator) for shape in shapes]
    given = [given[0], spread * given[1], given[2]]
    weight = torch.randn(TARGETS, HEADS, WIDTH, generator=generator)
    results = []
    for made in (attend, in_parts):
        leaves = [one.clone().requires_grad_() for one in given]
        out = made(adjacency, *leaves, slope)
        results.append([out, *torch.autograd.grad((out * weight).sum(), leaves)])
    assert not results[0][0][-1].any()
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-4)


def test_without_edges_nothing_is_heard():
    none = torch.zeros(0, dtype=torch.int64)
    adjacency = Adjacency.from_edges(none, none, 2, 3)
    rows, left, right = (torch.ones(shape, requires_grad=True) for shape in ((2, 1, 4), (2, 1), (3, 1)))
    out = attend(adjacency, rows, left, right, 0.2)
    out.sum().backward()
    assert out.shape == (3, 1, 4)
    assert not any(one.any() for one in (out, rows.grad, left.grad, right.grad))
