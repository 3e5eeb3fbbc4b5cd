"""How a length of time is divided into pieces: at cuts, in windows, by cues; neither too short nor too long."""

import itertools
import math
from collections.abc import Sequence

Pieces = list[tuple[float, float]]
Cues = Sequence[tuple[float, float, str]]
_TINY = 1e-9


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
    return _closed(edges, duration_s, min_s, max_s)


def _closed(edges: list[float], duration_s: float, min_s: float, max_s: float) -> Pieces:
    """Starts of pieces, of which only the last may be too short -> pieces; those that are too long are divided."""
    if len(edges) > 1 and duration_s - edges[-1] < min_s:
        edges.pop()
    divided = [0.0]
    for start, end in itertools.pairwise([*edges, float(duration_s)]):
        count = max(1, math.ceil((end - start) / max_s - _TINY))
        divided += [start + (end - start) * part / count for part in range(1, count)] + [end]
    return list(itertools.pairwise(divided))


def windows(duration_s: float, min_s: float, max_s: float, overlap_s: float = 0.0) -> Pieces:
    """Windows of ``max_s``, each beginning ``overlap_s`` before the one before it ends; together they cover 0..duration_s.

    The last is what is left. Where that is shorter than ``min_s``, the last two share their stretch evenly, with the same
    overlap. ``max_s`` always holds; ``min_s`` gives way where both cannot. ``overlap_s`` is below ``max_s``.

    >>> windows(21.0, 2.0, 10.0)
    [(0.0, 10.0), (10.0, 15.5), (15.5, 21.0)]
    >>> windows(9.0, 1.0, 4.0, overlap_s=1.0)
    [(0.0, 4.0), (3.0, 7.0), (6.0, 9.0)]
    """
    if duration_s <= 0:
        return []
    stride = max_s - overlap_s
    count = max(1, math.ceil((duration_s - overlap_s) / stride - _TINY))
    starts = [stride * part for part in range(count)]
    ends = [start + max_s for start in starts] if overlap_s else starts[1:]  # without overlap to the last bit the next start
    pieces = [*zip(starts[:-1], ends, strict=False), (starts[-1], float(duration_s))]
    if count > 1 and duration_s - starts[-1] < min_s - _TINY:
        length = (duration_s - starts[-2] + overlap_s) / 2
        last = duration_s - length if overlap_s else starts[-2] + length
        pieces[-2:] = [(starts[-2], starts[-2] + length), (last, float(duration_s))]
    return pieces


def by_cues(cues: Cues, duration_s: float, min_s: float, max_s: float) -> list[tuple[float, float, str]]:
    r"""Subtitles -> pieces (start_s, end_s, said) that cover 0..duration_s exactly and in order.

    A piece begins where a cue does. A silence of ``min_s`` or longer is a piece of its own, with nothing said; a shorter one
    belongs to what was said before it. Cues are joined until they last ``min_s``; what is longer than ``max_s`` is divided
    evenly, as in ``merge_and_divide``. A cue is said in each piece that holds half of it, or half of which it fills.

    >>> by_cues([(1.0, 3.0, "Hello"), (5.0, 6.0, "you"), (6.0, 8.0, "there")], 10.0, 2.0, 4.0)
    [(0.0, 3.0, 'Hello'), (3.0, 5.0, ''), (5.0, 8.0, 'you\nthere'), (8.0, 10.0, '')]
    """
    if duration_s <= 0:
        return []
    inside = sorted(
        (max(0.0, start), min(end, duration_s), said) for start, end, said in cues if start < duration_s and end > 0
    )
    edges, reach = [0.0], 0.0
    for start, end in [*((start, end) for start, end, _ in inside), (duration_s, duration_s)]:
        if reach > edges[-1]:  # something is said in this piece, so a long silence after it is another
            silence = max(reach, edges[-1] + min_s)
            if start - silence >= min_s:
                edges.append(silence)
        if start < duration_s and start - edges[-1] >= min_s:
            edges.append(start)
        reach = max(reach, end)
    return _said(_closed(edges, duration_s, min_s, max_s), inside)


def _said(pieces: Pieces, cues: Cues) -> list[tuple[float, float, str]]:
    """Each piece with the words of its cues; both in order of time."""
    lines: list[list[str]] = [[] for _ in pieces]
    first = 0
    for start, end, said in cues:
        while first + 1 < len(pieces) and pieces[first][1] <= start:
            first += 1
        for number in range(first, len(pieces)):
            begun, done = pieces[number]
            if begun >= end:
                break
            shared = min(end, done) - max(start, begun)
            if 2 * shared >= min(end - start, done - begun) - _TINY and said not in lines[number][-1:]:
                lines[number].append(said)
    return [(*piece, "\n".join(some)) for piece, some in zip(pieces, lines, strict=True)]
