"""Where the shots of a video begin: at cuts, and where the picture fades to black or white and comes back."""

from pathlib import Path

import numpy as np

from mmgraph.media.video import SMALL_SIDE, Video
from mmgraph.types import Bools, Bytes, Floats, Times

_DARK, _BRIGHT = 20.0, 235.0  # mean of 0..255; also of video whose black is 16 and white 235
_FLAT = 3.0  # standard deviation of a picture that shows nothing
_NEAR_S = 0.2  # hue and saturation jump where a picture gets too dark to have any


def find_cuts(path: Path, threshold: float) -> list[float]:
    """Times in seconds at which a new shot begins; raises MediaError.

    Cuts by PySceneDetect's AdaptiveDetector on small frames: the change of hue, saturation and brightness against the frame
    before is at least ``threshold`` (27 is usual) and three times that of the frames around it, so that a moving camera and a
    dissolve are not cut to pieces. Around frames that are all black or all white, ``fades`` alone decides.
    """
    from scenedetect import FrameTimecode  # here: only cutting by shots pays for the import
    from scenedetect.detectors import AdaptiveDetector

    # Pieces that are too short are joined by `merge_and_divide`, so the detector itself must not suppress any cut.
    detector = AdaptiveDetector(min_content_val=threshold, min_scene_len=1)
    times: list[Times] = []
    flat: list[Bools] = []
    cuts: set[int] = set()
    done = 0
    for times_s, pixels in Video(path, SMALL_SIDE).blocks():
        for number, frame in enumerate(np.ascontiguousarray(pixels[..., ::-1]), done):  # OpenCV's order, BGR
            cuts.update(code.frame_num for code in detector.process_frame(FrameTimecode(number, fps=25.0), frame))
        done += len(times_s)
        times.append(times_s)
        flat.append(_shows_nothing(pixels))
    if not times:
        return []
    all_times, nothing = np.concatenate(times), np.concatenate(flat)
    empty = np.append(all_times[nothing], np.inf)
    found = [float(all_times[frame]) for frame in sorted(cuts) if frame > 0]
    apart = [cut for cut in found if np.abs(empty - cut).min() > _NEAR_S]
    return sorted(apart + fades(nothing, all_times))


def _shows_nothing(pixels: Bytes) -> Bools:
    """Which frames of uint8 [t, h, w, 3] are all black or all white."""
    flattened: Floats = pixels.reshape(len(pixels), -1).astype(np.float32)
    mean, spread = flattened.mean(1), flattened.std(1)
    nothing: Bools = (spread < _FLAT) & ((mean < _DARK) | (mean > _BRIGHT))
    return nothing


def fades(flat: Bools, times_s: Times) -> list[float]:
    """The middle of every stretch of frames that show nothing, between frames that show something.

    >>> fades(np.array([0, 0, 1, 1, 1, 0, 0, 1], bool), np.arange(8) / 2.0)
    [1.75]
    """
    seen = np.flatnonzero(~flat)
    faded = np.flatnonzero(np.diff(seen) > 1)
    middles: list[float] = ((times_s[seen[faded] + 1] + times_s[seen[faded + 1]]) / 2).tolist()
    return middles
