"""Readouts give what a loop over wholes and parts gives, and tell apart what they should."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.sample.members import Members
from mmgraph.settings import Component

NAMES = tuple(registry.discover("readout"))


def made(sizes, width, seed=0):
    """(rows, members) of wholes of these sizes; parts lie in any order, and some rows are in no whole."""
    rng = np.random.default_rng(seed)
    count = sum(sizes) + 3
    parts = rng.permutation(count)[: sum(sizes)]
    whole = np.repeat(np.arange(len(sizes)), sizes)
    members = Members.of_pairs("node", whole, parts, len(sizes))
    return torch.from_numpy(rng.normal(size=(count, width)).astype(np.float32)), members


def softmax(logits):
    power = [math.exp(one) for one in logits]
    return [one / sum(power) for one in power]


def slow_mean(_, parts):
    return torch.stack(parts).mean(0)


def slow_max(_, parts):
    return torch.stack(parts).amax(0)


def slow_attention(readout, parts):
    logits = [float(readout.out.weight[0] @ (torch.tanh(readout.content(x)) * torch.sigmoid(readout.gate(x)))) for x in parts]
    return sum(weight * x for weight, x in zip(softmax(logits), parts, strict=True))


def slow_set2set(readout, parts):
    """Equations 3 to 7 of Vinyals et al., one part after the other; the LSTM written out (Hochreiter and Schmidhuber 1997)."""
    width = len(parts[0])
    cell = readout.controller
    seen, query, memory = torch.zeros(2 * width), torch.zeros(width), torch.zeros(width)
    for _ in range(readout.steps):
        gates = cell.weight_ih @ seen + cell.bias_ih + cell.weight_hh @ query + cell.bias_hh
        enter, forget, new, out = gates.split(width)
        memory = torch.sigmoid(forget) * memory + torch.sigmoid(enter) * torch.tanh(new)
        query = torch.sigmoid(out) * torch.tanh(memory)
        weights = softmax([float(x @ query) for x in parts])
        seen = torch.cat([query, sum(weight * x for weight, x in zip(weights, parts, strict=True))])
    return seen


def test_every_readout_has_a_slow_one():
    assert set(NAMES) == {"attention", "max", "mean", "set2_set"}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_a_readout_is_the_loop(name, sizes, seed):
    rows, members = made(sizes, 3, seed)
    torch.manual_seed(seed)
    readout = registry.create("readout", name, 3)
    slow = globals()[f"slow_{name.replace('2_', '2')}"]
    with torch.no_grad():
        found = readout(rows, members.adjacency(np.arange(len(sizes)), None, len(rows)))
        assert found.shape == (len(sizes), readout.wide)
        assert found.isfinite().all()
        for number, size in enumerate(sizes):
            if size:
                parts = [rows[i] for i in members.of(np.array([number]))[0]]
                torch.testing.assert_close(found[number], slow(readout, parts), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_right_and_reaches_every_part(name):
    rows, members = made((2, 0, 3, 1), 2)
    readout = registry.create("readout", name, 2).double()
    adjacency = members.adjacency(np.arange(4), None, len(rows))
    weight = torch.randn(readout.wide, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def value(x):
        return (readout(x, adjacency).float() @ weight.float()).sum()

    given = rows.double().requires_grad_()
    (gradient,) = torch.autograd.grad(value(given), given)
    steps = 1e-2 * torch.eye(given.numel(), dtype=torch.float64).view(-1, *given.shape)
    slow = torch.stack([(value(rows.double() + one) - value(rows.double() - one)) / 2e-2 for one in steps]).view(given.shape)
    torch.testing.assert_close(gradient, slow.double(), atol=2e-3, rtol=1e-2)
    used = np.zeros(len(rows), bool)
    used[members.parts] = True
    assert not gradient[~torch.from_numpy(used)].any()
    if name != "max":
        assert gradient[torch.from_numpy(used)].any(1).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_parts_says_nothing(name):
    rows, members = made((3, 2), 4)
    readout = registry.create("readout", name, 4)
    turned = Members("node", members.indptr, np.concatenate([members.parts[:3][::-1], members.parts[3:][::-1]]))
    wholes = np.arange(2)
    torch.testing.assert_close(
        readout(rows, members.adjacency(wholes, None, len(rows))), readout(rows, turned.adjacency(wholes, None, len(rows)))
    )


def test_no_steps():
    with pytest.raises(SettingsError, match="set2set needs a step at least; given: 0"):
        registry.create("readout", Component(class_path="set2set", init_args={"steps": 0}), 4)
