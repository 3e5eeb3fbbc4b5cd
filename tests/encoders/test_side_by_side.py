"""Pieces computed side by side, each by one thread: the same vectors in the same order, and what fails fails as before."""

import numpy as np
import pytest
import torch

from mmgraph.errors import EncoderError
from mmgraph_encoders import pretrained
from mmgraph_encoders.pretrained import in_chunks, side_by_side


@pytest.fixture
def two_threads():
    kept = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2, "others compute with as many threads as before"
    torch.set_num_threads(kept)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_the_vectors_are_those_of_one_after_the_other(two_threads, count):
    things = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32))
    used = []

    def compute(some):
        used.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))
        return torch.from_numpy(np.stack(some)) @ weight

    found = in_chunks(list(things), compute, device="cpu")
    np.testing.assert_allclose(found, things @ weight.numpy(), atol=1e-5)
    np.testing.assert_array_equal(found, in_chunks(list(things), compute, device="cpu"))
    assert {threads for threads, _ in used} == ({1} if count > 16 else {2})
    assert all(inference for _, inference in used)


def test_nothing_and_one_thread():
    assert side_by_side([], lambda some: 1 / 0) == []
    kept = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert in_chunks([1.0] * 40, lambda some: torch.tensor(some)[:, None], device="cpu").shape == (40, 1)
    finally:
        torch.set_num_threads(kept)


def test_where_memory_ends_pieces_are_made_smaller(two_threads):
    sizes = []

    def compute(some):
        sizes.append(len(some))
        if len(some) > 8:
            raise RuntimeError("can't allocate memory")
        return torch.tensor(some)[:, None]

    found = in_chunks([float(i) for i in range(40)], compute, device="cpu")
    np.testing.assert_array_equal(found[:, 0], np.arange(40))
    assert sizes[-1] == 8
    with pytest.raises(MemoryError):
        in_chunks([1.0, 2.0], lambda some: bytearray(1 << 62), device="cpu")


def test_a_mistake_is_raised(two_threads):
    def compute(some):
        raise EncoderError("not these")

    with pytest.raises(EncoderError, match="not these"):
        in_chunks([1.0] * 40, compute, device="cpu")


def test_pools_are_made_once(two_threads):
    pretrained._pool.cache_clear()
    for _ in range(3):
        in_chunks([1.0] * 40, lambda some: torch.tensor(some)[:, None], device="cpu")
    assert pretrained._pool.cache_info().misses == 1
