import logging

import numpy as np
import pytest
import torch

from mmgraph.encode import batches
from mmgraph.encode.batches import Batches
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Words
from mmgraph.testing import FakeEncoder

NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
]


class Small(FakeEncoder):
    """A machine that takes ``most`` clips at a time and raises ``error`` above; notes what it was given."""

    def __init__(self, most=10**9, error=None):
        super().__init__(modality="text")
        self.most, self.error, self.sizes = most, error, []

    def _encode(self, clips):
        self.sizes.append(len(clips))
        if len(clips) > self.most:
            raise self.error
        return super()._encode(clips)


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch):
    monkeypatch.setattr(batches, "_FOUND", {})


def clips(count):
    return [Words(str(number)) for number in range(count)]


def test_none_and_one():
    encoder = Small()
    assert Batches(encoder).encode([]).shape == (0, 8)
    assert encoder.sizes == []
    assert Batches(encoder).encode(clips(1)).shape == (1, 8)


@pytest.mark.parametrize("size", [1, 3, 32, 1000, None])
def test_the_vectors_are_the_same_whatever_the_batch(size):
    np.testing.assert_allclose(Batches(Small(), size).encode(clips(70)), Small().encode(clips(70)), atol=1e-5)


def test_on_the_cpu_work_is_cut_alike_on_every_run():
    first, second = Small(), Small()
    Batches(first).encode(clips(70))
    together = Batches(second)
    for _ in range(2):
        together.encode(clips(70))
    assert first.sizes == [32, 32, 6]
    assert second.sizes == first.sizes * 2


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: str(error)[:12])
def test_what_does_not_fit_is_halved_and_stays_so(error, caplog):
    encoder = Small(5, error)
    working = Batches(encoder, 24)
    with caplog.at_level(logging.WARNING):
        found = working.encode(clips(30))
    np.testing.assert_array_equal(found, FakeEncoder(modality="text").encode(clips(30)))
    assert encoder.sizes == [24, 12, 6, 3] + [3] * 9
    assert "fake: no memory for 6 clips at a time, 3 are tried" in caplog.text
    encoder.sizes.clear()
    working.encode(clips(7))
    assert encoder.sizes == [3, 3, 1]


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: str(error)[:12])
def test_one_clip_that_does_not_fit_is_one_line(error):
    with pytest.raises(EncoderError, match="fake: not enough memory for one clip; use a smaller model"):
        Batches(Small(0, error), 4).encode(clips(9))


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("no"), EncoderError("not this clip")])
def test_other_errors_go_through(error):
    encoder = Small(0, error)
    with pytest.raises(type(error), match=str(error)):
        Batches(encoder, 4).encode(clips(9))
    assert encoder.sizes == [4]


@pytest.fixture
def clock(monkeypatch):
    """Batches take a second each and a hundredth for every clip above ``knee``."""

    def with_knee(encoder, knee):
        now = [0.0]
        compute = encoder._encode

        def timed(some):
            now[0] += 1 + max(len(some) - knee, 0)
            return compute(some)

        encoder._encode = timed
        monkeypatch.setattr(batches.time, "perf_counter", lambda: now[0])
        return encoder

    return with_knee


def test_on_a_gpu_larger_ones_are_tried_while_they_are_faster(clock):
    encoder = clock(Small(), knee=128)
    working = Batches(encoder, None, "cuda")
    np.testing.assert_array_equal(working.encode(clips(2000)), Small().encode(clips(2000)))
    assert encoder.sizes[:8] == [32, 32, 64, 64, 128, 128, 256, 256]
    assert set(encoder.sizes[8:-1]) == {128}
    assert Batches(Small(), None, "cuda").size == 128  # and is not tried again in this process
    assert Batches(Small(), None, "cpu").size == 32
    assert Batches(Small(), 7, "cuda").size == 7


def test_on_a_gpu_what_was_tried_and_did_not_fit_is_left(clock):
    encoder = clock(Small(100, NO_MEMORY[0]), knee=10**6)
    Batches(encoder, None, "cuda").encode(clips(1000))
    assert encoder.sizes[:6] == [32, 32, 64, 64, 128, 64]
    assert max(encoder.sizes[6:]) == 64
