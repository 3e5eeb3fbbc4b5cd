"""The normaliser of softmax losses equals logsumexp over the used scores, forward and gradient."""

import pytest
import torch

from mmgraph.model.log_total import log_total


def plain(positive, negative, use):
    masked = torch.where(use, negative, torch.full_like(negative, -torch.inf))
    return torch.logsumexp(torch.cat([positive[:, None], masked], 1), 1)


@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (1, 9), (40, 13)])
@pytest.mark.parametrize("turned", [False, True])
def test_it_is_logsumexp(shape, turned):
    generator = torch.Generator().manual_seed(0)
    positive = (30 * torch.randn(shape[0], generator=generator)).requires_grad_()
    scores = 30 * torch.randn(shape[::-1] if turned else shape, generator=generator)
    negative = (scores.T if turned else scores).detach().requires_grad_()
    use = torch.rand(shape, generator=generator) < 0.7
    use[0] = False
    weight = torch.randn(shape[0], generator=generator)
    found, wanted = log_total(positive, negative, use), plain(positive, negative, use)
    torch.testing.assert_close(found, wanted)
    for one, other in zip(*(torch.autograd.grad(x @ weight, [positive, negative]) for x in (found, wanted)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_without_candidates_a_link_keeps_its_score():
    positive = torch.tensor([2.0, -1.0])
    assert log_total(positive, torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool)).equal(positive)
    assert log_total(torch.zeros(0), torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.bool)).shape == (0,)


def test_half_precision_is_added_up_in_float32():
    generator = torch.Generator().manual_seed(0)
    positive, negative = torch.randn(3, generator=generator), torch.randn(3, 500, generator=generator)
    use = torch.ones(3, 500, dtype=torch.bool)
    low = negative.bfloat16().requires_grad_()
    found = log_total(positive.bfloat16(), low, use)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain(positive.bfloat16().float(), low.float(), use))
    assert torch.autograd.grad(found.sum(), low)[0].dtype == torch.bfloat16
