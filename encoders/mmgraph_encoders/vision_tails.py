"""What follows the last block of a vision transformer: norm, pooling, projection."""

import copy
from typing import Any

from torch import Tensor, nn


class Tail(nn.Module):
    """Norm, then ``pool`` (the first token without one), then ``project`` where there is one."""

    def __init__(self, norm: nn.Module, pool: nn.Module | None, project: nn.Module | None) -> None:
        super().__init__()
        self.norm, self.pool, self.project = norm, pool, project

    def forward(self, hidden: Tensor) -> Tensor:
        """[frames, tokens, hidden] -> [frames, width]."""
        normed = self.norm(hidden)
        vectors = normed[:, 0] if self.pool is None else self.pool(normed)
        return vectors if self.project is None else self.project(vectors)


class OpenClipTail(nn.Module):
    """open_clip's own pooling, without the parts that come before the blocks."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = copy.deepcopy(visual)
        for name in ("conv1", "ln_pre", "patch_dropout", "transformer"):
            setattr(self.visual, name, nn.Identity())
        self.visual.class_embedding = self.visual.positional_embedding = None

    def forward(self, hidden: Tensor) -> Tensor:
        """[frames, tokens, hidden] -> [frames, width]."""
        pooled, _ = self.visual._pool(hidden)
        return pooled if self.visual.proj is None else pooled @ self.visual.proj


def tower_of(network: Any) -> Any:
    """The image tower of a model of transformers, which may be the model itself."""
    return getattr(network, "vision_model", network)


def tail_of(network: Any, has_pooler: bool) -> nn.Module | str:
    """What follows the blocks of ViT, DINOv2, CLIP, SigLIP and their kin, or one line: why that is not known."""
    tower = tower_of(network)
    norm = getattr(tower, "post_layernorm", None) or getattr(tower, "layernorm", None)
    if norm is None:
        return "what follows its last block is not known"
    pool = getattr(tower, "head", None) or (getattr(tower, "pooler", None) if has_pooler else None)
    return Tail(norm, pool, getattr(network, "visual_projection", None))


def open_clip_tail(visual: Any) -> nn.Module | str:
    """The same for an image tower of open_clip."""
    if not hasattr(visual, "_pool") or not getattr(getattr(visual, "transformer", None), "batch_first", False):
        return "only the vision transformers of open_clip can be cut"
    return OpenClipTail(visual)
