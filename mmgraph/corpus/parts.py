"""The jobs of writing a corpus: one a file, in any order, by any number of workers."""

from collections.abc import Callable
from pathlib import Path

from mmgraph.corpus import ambience, melody, write
from mmgraph.corpus.chance import stream
from mmgraph.corpus.frames import frames, still
from mmgraph.corpus.pictures import Canvas
from mmgraph.corpus.truth import FRAME_RATE_HZ, Piece, Plan, Video
from mmgraph.corpus.words import note, side_car
from mmgraph.files import write_text

SCREEN = Canvas(160, 120)
PHOTO = Canvas(200, 150)

Job = Callable[[], object]


def jobs(folder: Path, truth: Plan) -> list[Job]:
    """What writes each file, videos first because they take longest; the sub-folders must be there."""
    return [
        *(_video_job(folder, truth, index) for index in range(len(truth.videos))),
        *(_piece_job(folder, truth, index) for index in range(len(truth.music))),
        *(_image_job(folder, truth, index) for index in range(len(truth.images))),
        *(_text_job(folder, truth, index) for index in range(len(truth.texts))),
        lambda: _broken(folder, truth),
    ]


def _video_job(folder: Path, truth: Plan, index: int) -> Job:
    video = truth.videos[index]

    def job() -> None:
        _video(folder / video.path, truth.seed, index, video)
        if video.side_car:
            write_text((folder / video.path).with_suffix(video.side_car), side_car(truth.seed, index, video))

    return job


def _video(path: Path, seed: int, index: int, video: Video) -> None:
    write.video(path, frames(seed, index, video, SCREEN), FRAME_RATE_HZ, ambience.track(seed, index, video), ambience.RATE_HZ)


def _piece_job(folder: Path, truth: Plan, index: int) -> Job:
    piece = truth.music[index]
    return lambda: _piece(folder / piece.path, truth.seed, index, piece)


def _piece(path: Path, seed: int, index: int, piece: Piece) -> None:
    kind = write.pcm if path.suffix == ".wav" else write.opus
    kind(path, melody.melody(seed, index, piece), melody.RATE_HZ)


def _image_job(folder: Path, truth: Plan, index: int) -> Job:
    planned = truth.images[index]
    video = truth.videos[planned.video]
    return lambda: write.image(folder / planned.path, still(truth.seed, index, planned, video, PHOTO))


def _text_job(folder: Path, truth: Plan, index: int) -> Job:
    planned = truth.texts[index]
    return lambda: write_text(folder / planned.path, note(truth.seed, index, truth.videos[planned.video]))


def _broken(folder: Path, truth: Plan) -> None:
    """A video cut off in the middle, an image of noise, a sound file of no bytes, a text of zeros."""
    video, image, sound, text = (folder / path for path in truth.broken)
    _video(video, truth.seed, len(truth.videos), truth.videos[0])
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    image.write_bytes(stream(truth.seed, "garbage").bytes(2000))
    sound.write_bytes(b"")
    text.write_bytes(bytes(700))
