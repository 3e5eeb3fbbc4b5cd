import numpy as np
import pytest
import torch

from mmgraph.errors import EncoderError
from mmgraph_encoders.pretrained import in_chunks, onto


def test_chunks_that_do_not_fit_are_halved():
    sizes = []

    def compute(some):
        sizes.append(len(some))
        if len(some) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.tensor(some, dtype=torch.bfloat16)[:, None]

    found = in_chunks(list(range(10)), compute, 8)
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == list(range(10))
    assert sizes == [8, 4, 2, 2, 2, 2, 2]
    with pytest.raises(MemoryError, match="out of memory for the smallest piece"):
        in_chunks([7], lambda some: compute([0] * 9))


@pytest.mark.parametrize("said", ["\"addmm_impl_cpu_\" not implemented for 'Half'", "Half is not supported on this backend"])
def test_a_precision_that_the_device_does_not_know_is_one_line(said):
    def compute(some):
        raise RuntimeError(said)

    with pytest.raises(
        EncoderError, match="this device cannot compute in this precision; given: .*Half.*; set init_args.precis"
    ):
        in_chunks([1], compute)
    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks([1], lambda some: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))


def test_inputs_take_the_type_of_the_weights_and_numbers_of_words_do_not():
    network = torch.nn.Linear(2, 2).to(torch.bfloat16)
    assert onto(torch.ones(1, 2), network).dtype == torch.bfloat16
    moved = onto({"input_ids": torch.ones(1, dtype=torch.long), "pixel_values": torch.ones(1), "text": "a"}, network)
    assert (moved["input_ids"].dtype, moved["pixel_values"].dtype, moved["text"]) == (torch.long, torch.bfloat16, "a")
