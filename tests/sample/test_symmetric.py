"""Relations between the same two kinds as one matrix: what summing them one by one gives, also where a step takes edges out."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.model.layers.light_gcn import LightGcn
from mmgraph.model.messages import symmetric_sum
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.sample.full import without
from mmgraph.types import Relation

COUNTS = {"a": 4, "b": 5, "c": 2}
PAIRS = {
    (s, t): st.lists(st.tuples(st.integers(0, COUNTS[s] - 1), st.integers(0, COUNTS[t] - 1)), max_size=9)
    for s, t in ("ab", "bb")
}
BLOCKS = st.tuples(PAIRS["a", "b"], PAIRS["a", "b"], PAIRS["b", "b"], PAIRS["b", "b"])


def block_of(several):
    relations = {}
    for number, (pairs, (source, target)) in enumerate(zip(several, ("ab", "ab", "bb", "bb"), strict=True)):
        one = Relation(source, f"r{number}", target)
        ends = [torch.tensor([pair[side] for pair in pairs], dtype=torch.int64) for side in (0, 1)]
        relations[one] = Adjacency.from_edges(*ends, COUNTS[source], COUNTS[target])
        relations[one.reverse] = Adjacency.from_edges(*ends[::-1], COUNTS[target], COUNTS[source])
    return Block(COUNTS, relations)


def one_by_one(block, rows):
    out = {kind: torch.zeros(count, 3, dtype=torch.float32) for kind, count in COUNTS.items()}
    for relation, adjacency in block.relations.items():
        out[relation.target] = out[relation.target] + symmetric_sum(adjacency, rows[relation.source])
    return out


def made_rows():
    generator = torch.Generator().manual_seed(3)
    return {kind: torch.randn(count, 3, generator=generator, requires_grad=True) for kind, count in COUNTS.items()}


def same(block, rows):
    found, expected = LightGcn([], [], 3)(rows, block), one_by_one(block, rows)
    assert list(found) == list(COUNTS)
    every = []
    for made in (found, expected):
        total = sum((x * torch.arange(1.0, x.numel() + 1).view_as(x)).sum() for x in made.values())
        gradients = torch.autograd.grad(total, [rows["a"], rows["b"]]) if total.requires_grad else ()
        every.append([*made.values(), *gradients])
    for one, other in zip(*every, strict=True):
        torch.testing.assert_close(one, other)


@settings(max_examples=40, deadline=None)
@given(BLOCKS)
def test_fused_is_relation_by_relation(several):
    block = block_of(several)
    same(block, made_rows())
    assert len(block.symmetric) == 3  # a to b, b to a, and within b


@settings(max_examples=40, deadline=None)
@given(BLOCKS, st.data())
def test_so_it_is_where_edges_are_taken_out(several, data):
    block, one = block_of(several), Relation("a", "r0", "b")
    for _ in range(2):
        ids = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=len(several[0]), max_size=len(several[0]))))
        left = block.but(without(block.relations, {one: ids}))
        assert left.relations[one].sources.numel() == len(several[0]) - len(ids)
        same(left, made_rows())


def test_what_steps_have_in_common_is_summed_up_once():
    block, one = block_of([[(0, 1)], [(1, 1)], [(0, 2), (1, 2)], [(2, 0)]]), Relation("a", "r0", "b")
    first, second = (block.but(without(block.relations, {one: np.array(ids, np.int64)})) for ids in ([], [0]))
    assert first.kept is second.kept
    assert [id(matrix) for matrix in first.symmetric[:-2]] == [id(matrix) for matrix in second.symmetric[:-2]]
    assert list(first.relations) == list(block.relations)
    moved = [made.to(torch.device("cpu")) for made in (first, second)]
    assert moved[0].kept is moved[1].kept
    assert [list(made.relations) for made in moved] == [list(block.relations)] * 2
    same(moved[1], made_rows())
