"""Frames as a model takes them: resized and cropped by its own preprocessing one clip at a time, normalised a batch at a time."""

import abc
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Clip, Frames
from mmgraph.types import Bytes, Floats
from mmgraph_encoders.clips import frames_of, unit
from mmgraph_encoders.frame_pooling import FramePooling, pool_frames
from mmgraph_encoders.pretrained import in_chunks


@dataclass(frozen=True)
class Prepared(Frames):
    """Frames at a model's size. ``recipe`` says whose, because a photo may have that size by chance and still be resized."""

    recipe: str = ""


class Pictures(abc.ABC):
    """A model's preprocessing. ``recipe`` names it, ``shown`` is for the card (``224 px``)."""

    recipe: str
    shown: str
    whole: bool = False

    def prepare(self, clip: Clip) -> Clip:
        """Frames resized and cropped, uint8; what is prepared stays. Raises EncoderError for a clip without frames."""
        if isinstance(clip, Prepared) and clip.recipe == self.recipe:
            return clip
        (pixels,) = frames_of([clip])
        times = clip.times_s if isinstance(clip, Frames) else ()
        return Prepared(self._resized(pixels), times, self.recipe)

    @abc.abstractmethod
    def _resized(self, pixels: Bytes) -> Bytes:
        """uint8 [t, h, w, 3] of any size -> uint8 [t, height, width, 3]."""

    @abc.abstractmethod
    def inputs(self, frames: Sequence[Bytes], device: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Prepared frames uint8 [height, width, 3] -> what the model is called with, ``pixel_values`` [n, 3, height, width]."""


class Composed(Pictures):
    """torchvision's Compose of open_clip and timm: Pillow resizes and crops, ``ToTensor`` and ``Normalize`` follow."""

    def __init__(self, compose: Any) -> None:
        steps = list(compose.transforms)
        cut = next((i for i, step in enumerate(steps) if "ToTensor" in type(step).__name__), None)
        after = [type(step).__name__ for step in steps[cut + 1 :]] if cut is not None else []
        if cut is None or after != ["Normalize"]:
            raise EncoderError("a preprocessing that is not understood", given=compose, todo="use another model")
        self._geometry, normalise = steps[:cut], steps[-1]
        self._mean, self._std = (
            torch.as_tensor(some, dtype=torch.float32).reshape(3, 1, 1) for some in (normalise.mean, normalise.std)
        )
        height, width = self._one(np.zeros((64, 48, 3), np.uint8)).shape[:2]
        self.shown = f"{height} px" if height == width else f"{width} x {height} px"
        self.recipe = " ".join(str(step) for step in steps)

    def _one(self, frame: Bytes) -> Bytes:
        from PIL import Image

        image: Any = Image.fromarray(frame)
        for step in self._geometry:
            image = step(image)
        return np.asarray(image)

    def _resized(self, pixels: Bytes) -> Bytes:
        return np.stack([self._one(frame) for frame in pixels])

    def inputs(self, frames: Sequence[Bytes], device: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """As torchvision's functions compute it: divided by 255, less the mean, divided by the deviation."""
        stack = _stacked(frames, device).to(torch.float32).div_(255)
        return {"pixel_values": stack.sub_(self._mean.to(device)).div_(self._std.to(device)).to(dtype)}


class Processed(Pictures):
    """An image processor of transformers, in two halves where that changes nothing, else (``whole``) on whole frames.

    Whether it changes anything is tried out on noise: some processors resize to a number of patches, or work in floats.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        flags = [name for name in dir(processor) if name.startswith("do_") and isinstance(getattr(processor, name), bool)]
        self._geometry = dict.fromkeys(("do_rescale", "do_normalize"), False)
        self._numbers = dict.fromkeys((name for name in flags if name not in self._geometry), False)
        settings = json.dumps(processor.to_dict(), sort_keys=True, default=str)
        self.recipe = f"{type(processor).__name__} {hashlib.sha256(settings.encode()).hexdigest()}"
        self.whole = not self._splits()
        side = self._resized(_noise(48, 64)).shape[1:3] if not self.whole else ()
        shown = (
            "frames of their own size"
            if self.whole
            else f"{side[0]} px"
            if side[0] == side[1]
            else f"{side[1]} x {side[0]} px"
        )
        self.shown = f"{shown} by {type(processor).__name__}"

    def _splits(self) -> bool:
        """Whether resizing first and normalising later gives what the processor gives at once, exactly and in one size."""
        try:
            probes = [_noise(300, 410), _noise(97, 60)]
            halves = [self._resized(probe) for probe in probes]
            if halves[0].dtype != np.uint8 or halves[0].shape != halves[1].shape or halves[0].shape[0] != len(probes[0]):
                return False
            two = self._normalised(torch.from_numpy(np.concatenate(halves)).permute(0, 3, 1, 2))
            one = torch.cat([self._call(list(probe))["pixel_values"].flatten(0, -4) for probe in probes])
            return torch.equal(one, two)
        except (LookupError, ValueError, TypeError, RuntimeError, AttributeError):
            return False

    def _call(self, frames: Sequence[Bytes], **flags: bool) -> Any:
        tensors = [torch.tensor(np.ascontiguousarray(frame)).permute(2, 0, 1) for frame in frames]
        return self._processor(tensors, input_data_format="channels_first", return_tensors="pt", **flags)

    def _resized(self, pixels: Bytes) -> Bytes:
        if getattr(self, "whole", False):
            return pixels
        found = self._call(list(pixels), **self._geometry)["pixel_values"].flatten(0, -4)
        return np.ascontiguousarray(found.permute(0, 2, 3, 1).numpy())

    def _normalised(self, stack: torch.Tensor) -> torch.Tensor:
        own = self._processor
        if not hasattr(own, "rescale_and_normalize"):
            return self._call(list(stack.permute(0, 2, 3, 1).numpy()), **self._numbers)["pixel_values"].flatten(0, -4)
        mean, std = (None if some is None else tuple(some) for some in (own.image_mean, own.image_std))
        return own.rescale_and_normalize(stack, own.do_rescale, own.rescale_factor, own.do_normalize, mean, std)

    def inputs(self, frames: Sequence[Bytes], device: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Normalised on the device, by the processor's own function."""
        if self.whole:
            found = {name: value.to(device) for name, value in self._call(frames).items() if isinstance(value, torch.Tensor)}
            return {name: value.to(dtype) if value.is_floating_point() else value for name, value in found.items()}
        on = device if hasattr(self._processor, "rescale_and_normalize") else "cpu"
        return {"pixel_values": self._normalised(_stacked(frames, on)).to(device, dtype)}


def frame_vectors(
    clips: Sequence[Clip],
    pictures: Pictures,
    compute: Callable[[Sequence[Bytes]], torch.Tensor],
    pooling: FramePooling,
    device: str = "",
) -> Floats:
    """Prepared clips -> float32 [clips, width] of length one: frames of many clips in one batch, then pooled by clip.

    compute: frames uint8 [h, w, 3] -> tensor [n, width].
    """
    pixels = frames_of(clips)
    if pictures.whole:  # sizes may differ from clip to clip
        vectors = np.concatenate([in_chunks(list(some), compute) for some in pixels])
    else:
        vectors = in_chunks([frame for some in pixels for frame in some], compute, device=device)
    return unit(pool_frames(vectors, pixels, pooling))


def width_of(pictures: Pictures, compute: Callable[[Sequence[Bytes]], torch.Tensor]) -> int:
    """The width of the vector of a grey picture, and so of any."""
    return frame_vectors(
        [pictures.prepare(Frames(np.full((1, 224, 224, 3), 128, np.uint8)))], pictures, compute, "mean"
    ).shape[1]


def _noise(height: int, width: int) -> Bytes:
    return np.random.default_rng(height).integers(0, 256, (2, height, width, 3), np.uint8)


def _stacked(frames: Sequence[Bytes], device: str) -> torch.Tensor:
    """uint8 [h, w, 3] each -> uint8 [n, 3, h, w] on ``device``."""
    return torch.from_numpy(np.stack(frames)).to(device).permute(0, 3, 1, 2).contiguous()
