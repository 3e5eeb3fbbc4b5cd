"""The edges grouped by source are those grouped by target, sorted stably."""

import pytest
import torch

from mmgraph.sample.adjacency import Adjacency


@pytest.mark.parametrize(("sources", "targets", "edges"), [(1, 1, 0), (1, 1, 3), (5, 3, 40), (40, 60, 30)])
def test_transposed_is_a_stable_sort_by_source(sources, targets, edges):
    generator = torch.Generator().manual_seed(0)
    ends = (torch.randint(count, (edges,), generator=generator) for count in (sources, targets))
    adjacency = Adjacency.from_edges(*ends, sources, targets)
    before = adjacency.sources.clone()
    found = adjacency.transposed
    order = torch.argsort(adjacency.sources, stable=True)
    assert found.order.equal(order)
    assert found.targets.equal(adjacency.targets[order])
    assert found.indptr.equal(torch.cat([torch.zeros(1), torch.bincount(before, minlength=sources).cumsum(0)]).long())
    assert adjacency.sources.equal(before)
