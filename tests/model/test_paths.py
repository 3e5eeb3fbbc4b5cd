"""The path network against explicit loops over edges and paths; its memory; that it knows no item."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmgraph.errors import SettingsError
from mmgraph.model.paths import PathNetwork, PathSettings
from mmgraph.model.relational import MESSAGES, relational_moments, relational_sum
from mmgraph.model.typed import TypedGraph
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.types import Relation

SAYS, KNOWS = Relation("a", "says", "b"), Relation("b", "knows", "b")
NUMBERS = {SAYS: 0, SAYS.reverse: 1, KNOWS: 2, KNOWS.reverse: 3}
MB = 1 << 20


def block(says, knows, num_a, num_b):
    """Two relations and their reverses, from pairs."""
    relations = {}
    for relation, pairs in ((SAYS, says), (KNOWS, knows)):
        source, target = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T.contiguous()
        counts = [{"a": num_a, "b": num_b}[kind] for kind in (relation.source, relation.target)]
        relations[relation] = Adjacency.from_edges(source, target, *counts)
        relations[relation.reverse] = Adjacency.from_edges(target, source, *counts[::-1])
    return Block({"a": num_a, "b": num_b}, relations)


def edges_of(says, knows, num_a):
    """(source node, relation, target node), the slow way; items of kind b come after those of a."""
    found = [(s, 0, num_a + t) for s, t in says] + [(num_a + t, 1, s) for s, t in says]
    return found + [(num_a + s, 2, num_a + t) for s, t in knows] + [(num_a + t, 3, num_a + s) for s, t in knows]


def random_graph(num_a=4, num_b=5, count=9, seed=0):
    rng = np.random.default_rng(seed)
    says = sorted({(int(rng.integers(num_a)), int(rng.integers(num_b))) for _ in range(count)})
    knows = sorted({(int(rng.integers(num_b)), int(rng.integers(num_b))) for _ in range(count)})
    return TypedGraph.of(block(says, knows, num_a, num_b), NUMBERS), edges_of(says, knows, num_a)


def vectors(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def slow_message(name, h, r):
    if name == "dist_mult":
        return h * r
    if name == "trans_e":
        return h + r
    half = h.shape[-1] // 2
    turned = torch.complex(h[..., :half], h[..., half:]) * torch.complex(r[..., :half], r[..., half:])
    return torch.cat([turned.real, turned.imag], -1)


def heard(edges, node, name, rows, relations):
    """All messages at a node, one after the other: a list of [queries, width]."""
    return [slow_message(name, rows[s], relations[r]) for s, r, t in edges if t == node]


PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=8)


@settings(max_examples=30, deadline=None)
@given(PAIRS, PAIRS)
def test_every_edge_once_with_its_type(says, knows):
    graph = TypedGraph.of(block(says, knows, 3, 4), NUMBERS)
    expected = sorted(edges_of(says, knows, 3))
    columns = (graph.source.tolist(), graph.relation.tolist(), graph.target.tolist())
    assert sorted(zip(*columns, strict=True)) == expected
    assert graph.degree.tolist() == [sum(t == node for _, _, t in expected) for node in range(7)]
    for size, unit in ((1, "edges"), (3, "edges"), (100, "edges"), (1, "pairs"), (2, "pairs")):
        found = []
        for chunk in graph.chunks(size, unit):
            place, number = chunk.heard.targets, chunk.heard.sources
            assert len(number if unit == "edges" else chunk.source) <= size
            found += zip(
                chunk.source[number].tolist(), chunk.relation[number].tolist(), chunk.targets[place].tolist(), strict=True
            )
            assert len(set(zip(chunk.source.tolist(), chunk.relation.tolist(), strict=True))) == len(chunk.source)
        assert sorted(found) == expected


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_sums_are_those_of_a_loop_over_edges(name, size):
    graph, edges = random_graph()
    rows, relations = vectors(9, 3, 4), vectors(4, 3, 4, seed=2)
    ours = relational_sum(rows, relations, graph.chunks(size), MESSAGES[name])
    nothing = torch.zeros(3, 4)
    theirs = torch.stack([sum(heard(edges, node, name, rows, relations), nothing) for node in range(9)])
    assert_same([ours], [theirs], [rows, relations])


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_moments_are_those_of_a_loop_over_edges(name, size):
    graph, edges = random_graph(num_b=6, count=4)
    rows, relations = vectors(10, 3, 4), vectors(4, 3, 4, seed=2)
    ours = relational_moments(rows, relations, graph.chunks(size), MESSAGES[name])
    each = [heard(edges, node, name, rows, relations) for node in range(10)]
    silent = [node for node in range(10) if not each[node]]
    assert silent, "one node hears nothing"
    assert (ours[2][silent] == -torch.inf).all()
    assert (ours[3][silent] == torch.inf).all()
    loud = [node for node in range(10) if each[node]]
    stacked = [torch.stack(each[node]) for node in loud]
    theirs = [
        torch.stack([f(x) for x in stacked])
        for f in (lambda x: x.sum(0), lambda x: x.square().sum(0), lambda x: x.amax(0), lambda x: x.amin(0))
    ]
    assert_same([one[loud] for one in ours], theirs, [rows, relations])


def assert_same(ours, theirs, inputs):
    for mine, his in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, his, atol=1e-5, rtol=1e-5)
    weights = [torch.randn(one.shape, generator=torch.Generator().manual_seed(i)) for i, one in enumerate(ours)]
    mine, his = (
        torch.autograd.grad(sum((x * w).sum() for x, w in zip(some, weights, strict=True)), inputs) for some in (ours, theirs)
    )
    for a, b in zip(mine, his, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_the_gradient_of_the_highest_goes_to_every_message_that_is_as_high():
    graph = TypedGraph.of(block([(0, 0), (1, 0)], [], 2, 1), NUMBERS)
    rows = torch.tensor([2.0, 2.0, 0.0]).view(3, 1, 1).requires_grad_()
    relations = torch.ones(4, 1, 1)
    highest = relational_moments(rows, relations, graph.chunks(5), MESSAGES["dist_mult"])[2]
    highest[2].sum().backward()
    assert rows.grad.flatten().tolist() == [1.0, 1.0, 0.0]


def made(relations=4, seed=0, **given):
    torch.manual_seed(seed)
    return PathNetwork(relations, PathSettings(**{"depth": 2, "width": 4, **given}))


def slow_scores(network, edges, num_nodes, node, relation):
    """Of one question: equation by equation, node by node."""
    one = network.settings
    query = network.query.weight[relation]
    boundary = [query if other == node else torch.zeros_like(query) for other in range(num_nodes)]
    state, degree = boundary, [sum(t == other for _, _, t in edges) for other in range(num_nodes)]
    for layer in network.layers:
        relations = layer.vectors(query).view(-1, one.width) if one.dependent else layer.vectors.weight
        scale = [math.log(d + 1) for d in degree]
        middle = sum(scale) / num_nodes
        after = []
        for other in range(num_nodes):
            said = torch.stack([*heard(edges, other, one.message, state, relations), boundary[other]])
            deviation = (said.square().mean(0) - said.mean(0).square()).clamp(min=1e-6).sqrt()
            parts = {
                "sum": lambda said=said: said.sum(0),
                "mean": lambda said=said: said.mean(0),
                "max": lambda said=said: said.amax(0),
                "pna": lambda said=said, d=deviation: torch.cat([said.mean(0), said.amax(0), said.amin(0), d]),
            }[one.aggregate]()
            if one.aggregate == "pna":  # the paper's code: every part times 1, s and 1 / s, through one linear map
                s = scale[other] / max(middle, 1e-6)
                every = torch.cat([parts, parts * s, parts / max(s, 1e-2)])
                weight = torch.cat(layer.heard.weight.chunk(3), 1)
                joined = weight @ every
            else:
                joined = layer.heard.weight @ parts
            new = torch.relu(layer.norm(layer.itself(state[other]) + joined))
            after.append(new + state[other] if one.residual else new)
        state = after
    hidden = [torch.relu(network.state(x) + network.asked(query)) for x in state]
    return torch.cat([network.score(x) for x in hidden])


@pytest.mark.parametrize("aggregate", ["sum", "mean", "max", "pna"])
@pytest.mark.parametrize(("message", "dependent"), [("dist_mult", True), ("trans_e", False), ("rotate", True)])
def test_scores_are_those_of_the_equations(aggregate, message, dependent):
    graph, edges = random_graph(count=6)
    network = made(aggregate=aggregate, message=message, dependent=dependent, residual=not dependent)
    node, relation = torch.tensor([0, 5, 0]), torch.tensor([0, 3, 2])
    candidates = torch.tensor([2, 8, 5, 0])
    scores = network(graph, node, relation, candidates)
    slow = [slow_scores(network, edges, 9, int(n), int(r))[candidates] for n, r in zip(node, relation, strict=True)]
    torch.testing.assert_close(scores, torch.stack(slow), atol=1e-4, rtol=1e-4)


def bare(**given):
    """Steps that only add up messages and the boundary: no norm, identity maps, and a ReLU of what is positive anyway."""
    network = made(aggregate="sum", message="dist_mult", dependent=False, residual=False, **given)
    with torch.no_grad():
        for layer in network.layers:
            layer.norm = nn.Identity()
            layer.itself.weight.zero_()
            layer.itself.bias.zero_()
            layer.heard.weight.copy_(torch.eye(network.settings.width))
            layer.vectors.weight.copy_(network.layers[0].vectors.weight.abs())
        network.query.weight.abs_()
    return network


def test_without_nonlinearity_it_is_the_sum_over_all_paths():
    graph, edges = random_graph(count=9, seed=3)
    network = bare(depth=3)
    node, relation = 1, 0
    by_relation = network.layers[0].vectors.weight
    expected = [torch.zeros(4) for _ in range(9)]

    def walk(at, so_far, left):
        expected[at] = expected[at] + so_far
        if left:
            for s, r, t in edges:
                if s == at:
                    walk(t, so_far * by_relation[r], left - 1)

    walk(node, network.query.weight[relation], 3)
    states = network.states(graph, graph.chunks(3), torch.tensor([node]), torch.tensor([relation]))
    torch.testing.assert_close(states[:, 0], torch.stack(expected), atol=1e-4, rtol=1e-4)
    assert sum(one.abs().sum() > 0 for one in expected) > 3


@pytest.mark.parametrize("aggregate", ["sum", "mean", "max", "pna"])
def test_blocks_and_chunks_change_nothing(aggregate, monkeypatch):
    graph, _ = random_graph(num_a=5, num_b=7, count=12)
    node, relation = torch.arange(9) % 5, torch.arange(9) % 4
    candidates = torch.arange(5, 12)
    found = []
    for sizes in ((100, 10_000), (4, 9)):
        network = made(aggregate=aggregate)
        monkeypatch.setattr(network, "sizes", lambda *_, sizes=sizes: sizes)
        scores = network(graph, node, relation, candidates)
        weight = torch.randn(scores.shape, generator=torch.Generator().manual_seed(4))
        (scores * weight).sum().backward()
        found.append([scores.detach(), *(parameter.grad for parameter in network.parameters())])
        assert all(torch.isfinite(one).all() for one in found[-1])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-3)


class Largest(TorchDispatchMode):
    """Bytes of the largest tensor that is made, in both passes."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, torch.Tensor):
                self.bytes = max(self.bytes, one.untyped_storage().nbytes())
        return out


def peak(step):
    """Most bytes that live at once while ``step`` runs, beside what lived before; and bytes of the largest tensor."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as measured:
        step()
    events = [e for e in measured.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())])
    with Largest() as largest:
        step()
    return int(live.max()), largest.bytes


@pytest.mark.parametrize(("aggregate", "training"), [("sum", True), ("pna", True), ("pna", False)])
def test_memory_stays_under_its_bound(aggregate, training):
    graph, edges = random_graph(num_a=30, num_b=45, count=60)
    node, relation = torch.arange(16), torch.arange(16) % 4
    candidates = torch.arange(30, 75)

    def step_of(bound):
        network = made(aggregate=aggregate, depth=2, width=16, memory_mb=bound)

        def step():
            with torch.set_grad_enabled(training):
                scores = network(graph, node, relation, candidates)
                if training:
                    scores.square().mean().backward()

        return step

    own = 6 * len(node) * len(candidates) * 4  # the scores themselves, and what is made of them
    most, largest = peak(step_of(1))
    assert most < MB + own
    assert largest < MB // 8
    whole, _ = peak(step_of(4096))
    assert whole > 1.5 * most, "so the bound binds"
    assert len(edges) * 16 * len(node) * 4 > 4 * largest, "what [edges, width x queries] would take"


def test_one_question_that_does_not_fit_is_said():
    graph, _ = random_graph(num_a=3000, num_b=3000, count=10)
    network = made(depth=6, width=16, memory_mb=1)
    wrong = "one question about this graph needs more memory than it may take; given: "
    with pytest.raises(SettingsError, match=wrong) as raised:
        network(graph, torch.tensor([0]), torch.tensor([0]), torch.arange(3))
    enough = int(str(raised.value).split("memory_mb of Paths to ")[1].split()[0])
    for memory_mb, fits in ((enough, True), (enough - 1, False)):
        network.settings = PathSettings(depth=6, width=16, memory_mb=memory_mb)
        if fits:
            assert network.sizes(graph, 9, 3)[0] == 1
        else:
            with pytest.raises(SettingsError, match=wrong):
                network.sizes(graph, 9, 3)


def test_no_edges_and_no_questions():
    graph = TypedGraph.of(block([], [], 2, 3), NUMBERS)
    for aggregate in ("sum", "pna"):
        network = made(aggregate=aggregate)
        scores = network(graph, torch.tensor([0, 4]), torch.tensor([0, 3]), torch.arange(5))
        assert scores.shape == (2, 5)
        scores.sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    none = torch.zeros(0, dtype=torch.int64)
    assert made()(graph, none, none, torch.arange(5)).shape == (0, 5)


def test_nothing_is_learnt_an_item():
    """Numbered otherwise, the items have the same scores."""
    network = made()
    graph, _ = random_graph()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    renamed = TypedGraph(graph.first, 9, order[graph.source], graph.relation, order[graph.target])
    node, relation = torch.tensor([1, 6]), torch.tensor([0, 2])
    before = network(graph, node, relation, torch.arange(9))
    after = network(renamed, order[node], relation, order)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": 0}, "depth of Paths must be 1 at least; given: 0"),
        ({"memory_mb": 0}, "memory_mb of Paths must be 1 at least; given: 0"),
        ({"message": "rotate", "width": 5}, "width of Paths does not suit the message rotate; given: 5; choose an even width"),
    ],
)
def test_settings_that_cannot_be(given, message):
    with pytest.raises(SettingsError, match=message):
        PathSettings(**given)
