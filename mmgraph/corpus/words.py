"""Texts about a video: common words, and some of its topic; one in four topical words is of a wrong one."""

import numpy as np

from mmgraph.corpus.chance import stream
from mmgraph.corpus.truth import Video, words_of

TOPICS = (
    "rain cloud storm sunshine thunder fog breeze frost drizzle snow forecast temperature lightning hail rainbow umbrella",
    "price customer coin shop bargain invoice salesman discount purchase wallet trade receipt stall budget profit cashier",
    "hammer needle clay carpenter screw wood potter thread chisel varnish stitch glue tool saw leather craftsman",
    "mother cousin birthday grandfather baby wedding sister uncle nanny brother nephew cradle daughter niece family aunt",
)
COMMON = (
    "moment morning thing place path corner evening hour day side part view picture way middle week line point end start "
    "group while word light name half detail scene street table"
)
PATTERNS = (
    "There is a {} and a {} near the {}.",
    "Somebody talks about the {} again.",
    "We see the {} before the {} comes back.",
    "Then it is all about the {}, not the {}.",
    "The {} stays where the {} was.",
    "Nobody had asked for a {} this time.",
    "First a {}, later another {}.",
    "After the {} follows a {} with a {}.",
)
TOPICAL, WRONG = 0.45, 0.25


def note(seed: int, index: int, video: Video) -> str:
    """A text of three to six sentences about a video."""
    chance = stream(seed, "text", index)
    return " ".join(_sentence(video, chance) for _ in range(chance.integers(3, 7))) + "\n"


def side_car(seed: int, index: int, video: Video) -> str:
    """What stands beside a video: a plain text, or subtitles with one cue a shot."""
    chance = stream(seed, "side-car", index)
    if video.side_car == ".txt":
        return " ".join(_sentence(video, chance) for _ in range(4)) + "\n"
    cues = (
        f"{number}\n{_clock(shot.start_s + 0.3)} --> {_clock(shot.end_s - 0.3)}\n{_sentence(video, chance)}\n"
        for number, shot in enumerate(video.shots, start=1)
    )
    return "\n".join(cues)


def _sentence(video: Video, chance: np.random.Generator) -> str:
    pattern = PATTERNS[chance.integers(len(PATTERNS))]
    return pattern.format(*(_word(video, chance) for _ in range(pattern.count("{}"))))


def _word(video: Video, chance: np.random.Generator) -> str:
    if chance.random() > TOPICAL:
        return _one(COMMON, chance)
    wrong = chance.random() < WRONG
    return _one(TOPICS[chance.integers(len(TOPICS)) if wrong else words_of(video.category)], chance)


def _one(words: str, chance: np.random.Generator) -> str:
    return str(chance.choice(words.split()))


def _clock(seconds: float) -> str:
    """SubRip's clock.

    >>> _clock(61.25)
    '00:01:01,250'
    """
    thousandths = round(seconds * 1000)
    whole, thousandths = divmod(thousandths, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths:03d}"
