"""Scorers compare pairs and whole matrices alike; losses equal their formulas computed one link at a time."""

import math

import pytest
import torch

from mmgraph import registry
from mmgraph.settings import Component


def scorer(name, width=6):
    torch.manual_seed(0)
    return registry.create("scorer", name, width)


def test_all_scorers_are_looked_at():
    assert set(registry.discover("scorer")) == {"dot", "dist_mult", "mlp"}


@pytest.mark.parametrize("name", registry.discover("scorer"))
@pytest.mark.parametrize(("n", "m"), [(0, 3), (1, 1), (4, 0), (5, 7)])
def test_matrix_is_all_pairs(name, n, m):
    made, source, target = scorer(name), torch.randn(n, 6), torch.randn(m, 6)
    a, b = made.source(source), made.target(target)
    matrix = made.matrix(a, b)
    assert matrix.shape == (n, m)
    for i in range(n):
        for j in range(m):
            torch.testing.assert_close(matrix[i, j], made.pairs(a[i : i + 1], b[j : j + 1])[0], atol=1e-5, rtol=1e-5)


def test_dot_tells_direction_and_dist_mult_does_not():
    x, y = torch.randn(1, 6), torch.randn(1, 6)

    def both(name):
        made = scorer(name)
        return (made.pairs(made.source(p), made.target(q)).item() for p, q in ((x, y), (y, x)))

    forward, backward = both("dot")
    assert abs(forward - backward) > 1e-3
    forward, backward = both("dist_mult")
    assert forward == pytest.approx(backward, abs=1e-6)


def test_plain_dot_is_the_inner_product():
    made = registry.create("scorer", Component(class_path="dot", init_args={"heads": False}), 4)
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    torch.testing.assert_close(made.pairs(made.source(x), made.target(y)), (x * y).sum(1) / 2)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow(name, positive, negatives):
    """The loss of one link, in words of the papers."""
    if name == "bce":
        first = -math.log(sigmoid(positive))
        return first + (sum(-math.log(sigmoid(-n)) for n in negatives) / len(negatives) if negatives else 0)
    if name == "bpr":
        return sum(-math.log(sigmoid(positive - n)) for n in negatives) / len(negatives) if negatives else 0
    return -math.log(math.exp(positive) / sum(math.exp(s) for s in [positive, *negatives]))


def test_all_losses_are_looked_at():
    assert set(registry.discover("loss")) == {"bce", "bpr", "info_nce"}


@pytest.mark.parametrize("name", registry.discover("loss"))
def test_loss_is_its_formula(name):
    positive, negative = torch.tensor([0.5, -1.0, 2.0]), torch.randn(3, 4)
    use = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    one = [slow(name, p.item(), n[u].tolist()) for p, n, u in zip(positive, negative, use, strict=True)]
    made = registry.create("loss", name)
    assert made(positive, negative, use).item() == pytest.approx(sum(one) / 3, rel=1e-5)


@pytest.mark.parametrize("name", registry.discover("loss"))
def test_no_negatives_and_masked_infinities_give_finite_gradients(name):
    positive = torch.zeros(2, requires_grad=True)
    negative = torch.tensor([[1e30, 0.0], [1.0, 1.0]], requires_grad=True)
    use = torch.tensor([[False, False], [True, True]])
    registry.create("loss", name)(positive, negative, use).backward()
    assert torch.isfinite(positive.grad).all()
    assert torch.isfinite(negative.grad).all()
    assert negative.grad[0].tolist() == [0, 0]
