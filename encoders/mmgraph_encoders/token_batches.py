"""Texts of like length computed together, and one vector out of those of the tokens."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch

from mmgraph.types import Floats
from mmgraph_encoders.pretrained import in_chunks

_SLACK = 1.25  # padding makes a text at most a quarter longer
_TOKENS = {"cpu": 2**13, "cuda": 2**17}


def by_length(tokens: Sequence[Sequence[int]], compute: Callable[[Sequence[Any]], torch.Tensor], device: str) -> Floats:
    """``compute`` on groups of like length, longest first: float32 [len(tokens), width] in the order of ``tokens``."""
    lengths = np.array([len(one) for one in tokens])
    order = np.argsort(-lengths, kind="stable")
    ends = np.flatnonzero(np.diff(_group(lengths[order]))) + 1
    most = _TOKENS.get(device.partition(":")[0], _TOKENS["cpu"])
    parts = [
        in_chunks([tokens[i] for i in some], compute, max(1, most // int(lengths[some[0]]))) for some in np.split(order, ends)
    ]
    found = np.concatenate(parts)
    vectors = np.empty_like(found)
    vectors[order] = found
    return vectors


def _group(descending: Any) -> Any:
    """Number of the group of each length: powers of ``_SLACK``, so that it depends on no other text."""
    return np.ceil(np.log(np.maximum(descending, 8)) / np.log(_SLACK)).astype(np.int64)


def padded(tokens: Sequence[Sequence[int]], padding: int, device: str) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``attention_mask``, int64 [texts, longest], padded on the right.

    >>> padded([[5, 6], [7]], 0, "cpu")["input_ids"].tolist()
    [[5, 6], [7, 0]]
    """
    lengths = np.array([len(one) for one in tokens])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, padding, np.int64)
    ids[mask] = np.concatenate([np.asarray(one, np.int64) for one in tokens])
    both = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
    return {name: torch.from_numpy(array).to(device) for name, array in both.items()}


def pooled_tokens(hidden: torch.Tensor, mask: torch.Tensor, pooling: Literal["mean", "cls", "last"]) -> torch.Tensor:
    """[texts, tokens, width] and its mask -> float32 [texts, width]; padding is on the right."""
    hidden = hidden.float()
    if pooling == "cls":
        return hidden[:, 0]
    counts = mask.sum(dim=1).clamp(min=1)
    if pooling == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), counts - 1]
    return (hidden * mask[:, :, None].to(hidden.dtype)).sum(dim=1) / counts[:, None]
