"""Adjacencies that are merged hold all edges, both ways round."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.sample.adjacency import Adjacency, merged

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=12)


@given(st.lists(PAIRS, min_size=1, max_size=4))
def test_merged_is_what_all_edges_together_give(parts):
    def of(pairs):
        source, target = (torch.tensor([pair[side] for pair in pairs], dtype=torch.int64) for side in (0, 1))
        return Adjacency.from_edges(source, target, 5, 4)

    found, expected = merged([of(pairs) for pairs in parts]), of([pair for pairs in parts for pair in pairs])
    assert found.indptr.tolist() == expected.indptr.tolist()
    assert found.sources.tolist() == expected.sources.tolist()
    back, wanted = found.transposed, expected.transposed
    assert back.indptr.tolist() == wanted.indptr.tolist()
    groups = list(zip(back.indptr[:-1].tolist(), back.indptr[1:].tolist(), strict=True))
    assert [sorted(back.targets[a:b].tolist()) for a, b in groups] == [sorted(wanted.targets[a:b].tolist()) for a, b in groups]
    assert torch.equal(found.targets[back.order], back.targets)
    assert sorted(back.order.tolist()) == list(range(len(found.sources)))
