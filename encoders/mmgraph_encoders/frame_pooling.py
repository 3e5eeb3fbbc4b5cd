"""One vector of a clip out of the vectors of its frames."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from mmgraph.types import Bytes, Floats
from mmgraph_encoders.clips import mean_by_clip

FramePooling = Literal["mean", "max", "motion"]
_GREY_LEVEL = 1.0


def pool_frames(vectors: Floats, frames: Sequence[Bytes], pooling: FramePooling) -> Floats:
    """float32 [all frames, width] -> [clips, width]; ``frames``: uint8 [t, h, w, 3] of each clip, t > 0.

    ``mean`` and ``max`` go number by number; ``motion`` is the mean weighted by ``motion_weights``. A single frame is itself.
    """
    counts = [len(some) for some in frames]
    if pooling == "mean":
        return mean_by_clip(vectors, counts)
    starts = np.cumsum([0, *counts[:-1]])
    if pooling == "max":
        return np.maximum.reduceat(vectors, starts, axis=0)
    weights = np.concatenate([motion_weights(some) for some in frames])
    return np.add.reduceat(vectors * weights[:, None].astype(np.float64), starts, axis=0).astype(np.float32)


def motion_weights(pixels: Bytes) -> Floats:
    """Weights of the frames of one clip, uint8 [t, h, w, 3] -> float32 [t] that sum to one.

    The motion of a frame is the mean absolute change of its numbers to the frame before and to the frame after it (their mean,
    where it has both). Weights are the softmax of the motions' z-scores within the clip, so that neither the brightness of a
    film nor the pace of its cutting matters; a deviation under one grey level of 255 counts as one, so that noise of a
    camera that stands still changes little. Ours; one and two frames weigh the same, as they do in a mean.
    """
    if len(pixels) < 3:
        return np.full(len(pixels), 1 / len(pixels), np.float32)
    flat = pixels.reshape(len(pixels), -1)
    change = np.array([np.abs(np.subtract(a, b, dtype=np.int16)).mean() for a, b in zip(flat[1:], flat[:-1], strict=True)])
    motion = (np.append(change, change[-1]) + np.append(change[:1], change)) / 2
    scores = (motion - motion.mean()) / max(float(motion.std()), _GREY_LEVEL)
    weights = np.exp(scores - scores.max())
    return (weights / weights.sum()).astype(np.float32)
