"""Where a video is cut: by shots or by windows, in pieces neither too short nor too long."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmgraph.media.video import SMALL_SIDE, Video

Pieces = list[tuple[float, float]]


def find_cuts(path: Path, threshold: float) -> list[float]:
    """Times in seconds at which a new shot begins, by PySceneDetect's ContentDetector on small frames; raises MediaError.

    The score of a frame is its mean change of hue, saturation and brightness against the frame before
    (scenedetect.detectors.ContentDetector; its default threshold is 27).
    """
    from scenedetect import FrameTimecode  # here: only cutting by shots pays for the import
    from scenedetect.detectors import ContentDetector

    # Pieces that are too short are joined by `merge_and_divide`, so the detector itself must not suppress any cut.
    detector = ContentDetector(threshold=threshold, min_scene_len=1)
    times: list[float] = []
    cuts: set[int] = set()
    for times_s, pixels in Video(path, SMALL_SIDE).blocks():
        for number, frame in enumerate(np.ascontiguousarray(pixels[..., ::-1]), len(times)):  # OpenCV's order, BGR
            cuts.update(code.frame_num for code in detector.process_frame(FrameTimecode(number, fps=25.0), frame))
        times += times_s.tolist()
    return [times[frame] for frame in sorted(cuts) if frame > 0]


def merge_and_divide(cuts_s: Sequence[float], duration_s: float, min_s: float, max_s: float) -> Pieces:
    """Pieces (start_s, end_s) that cover 0..duration_s exactly and in order, as far as possible of min_s..max_s.

    A shot shorter than ``min_s`` is joined to the next (the last one to the one before); a shot longer than ``max_s`` is
    divided evenly into as few pieces as possible. ``max_s`` always holds; ``min_s`` gives way where both cannot.

    >>> merge_and_divide([3.0, 3.5], 19.0, 2.0, 10.0)
    [(0.0, 3.0), (3.0, 11.0), (11.0, 19.0)]
    """
    if duration_s <= 0:
        return []
    edges = [0.0]
    for cut in sorted(cuts_s):
        if cut - edges[-1] >= min_s and cut < duration_s:
            edges.append(float(cut))
    if len(edges) > 1 and duration_s - edges[-1] < min_s:
        edges.pop()
    edges.append(float(duration_s))
    divided = [0.0]
    for start, end in itertools.pairwise(edges):
        count = max(1, math.ceil((end - start) / max_s - 1e-9))
        divided += [start + (end - start) * part / count for part in range(1, count)] + [end]
    return list(itertools.pairwise(divided))


def windows(duration_s: float, min_s: float, max_s: float) -> Pieces:
    """Pieces of ``max_s``; a rest shorter than ``min_s`` is joined to the last.

    >>> windows(21.0, 2.0, 10.0)
    [(0.0, 10.0), (10.0, 21.0)]
    """
    if duration_s <= 0:
        return []
    count = max(1, math.ceil(duration_s / max_s - 1e-9))
    if count > 1 and duration_s - (count - 1) * max_s < min_s:
        count -= 1
    edges = [max_s * part for part in range(count)] + [float(duration_s)]
    return list(itertools.pairwise(edges))
