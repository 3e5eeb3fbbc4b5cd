"""What a step brings to the device that computes it."""

import torch
from torch import Tensor

_LARGE = 1 << 24  # bytes: torch keeps pinned memory for the next tensor of the size


def moved(one: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; itself where it is there.

    To a GPU it is copied from pinned memory, unless it is large, so that the program goes on meanwhile, where ``Tensor.to`` waits
    until the GPU has done all that it was given.
    """
    if device.type != "cuda" or one.is_cuda or not torch.cuda.is_available() or not 0 < one.nbytes <= _LARGE:
        return one.to(device)
    return one.pin_memory().to(device, non_blocking=True)
