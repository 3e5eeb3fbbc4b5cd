"""The characters of a text file: plain, subtitles, or the strings of a JSON side-car."""

import codecs
import html
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmgraph.errors import MediaError
from mmgraph.media.clip import Words
from mmgraph.media.guard import check_file, guarded

LONGEST_BYTES = 32 * 2**20
_LONGEST_JSON = 8 * 2**20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MOMENT = r"((?:\d{1,4}\s?:\s?)?\d{1,2}\s?:\s?\d{1,2}(?:[.,]\d{1,9})?)"
_CUE = re.compile(rf"{_MOMENT}\s*-{{1,2}}>\s*{_MOMENT}")
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


def read(path: Path) -> Words:
    """The text of a file; subtitles without times and tags, JSON as its strings. Raises MediaError: binary, empty, too long."""
    with guarded(path):
        text = written(path)
        suffix = path.suffix.lower()
        if suffix in (".srt", ".vtt") or text.startswith("WEBVTT"):
            text = spoken(text)
        elif suffix == ".json":
            text = "\n".join(strings(_parsed(text, path)))
    return plain(text, path)


def written(path: Path) -> str:
    """All characters of a text file, as they stand there (for `cues`). Raises MediaError: no file, binary, too long."""
    check_file(path)
    with guarded(path):
        if path.stat().st_size > LONGEST_BYTES:
            raise MediaError(f"a text of more than {LONGEST_BYTES // 2**20} MB", given=path)
        return characters(path.read_bytes(), path)


def _parsed(text: str, path: Path) -> Any:
    if len(text) > _LONGEST_JSON:  # brackets take 60 times their size once they are lists
        raise MediaError(f"JSON of more than {_LONGEST_JSON // 2**20} MB", given=path, todo="keep its text alone, as .txt")
    return json.loads(text)


def plain(text: str, given: object) -> Words:
    """A text that is not empty; raises MediaError."""
    if not text.strip():
        raise MediaError("it holds no text", given=given)
    return Words(text.strip())


def characters(raw: bytes, given: object) -> str:
    """Bytes -> text: by byte order mark, else UTF-8, else Windows-1252; raises MediaError for what is no text at all.

    >>> characters("naïve".encode("latin-1"), "here")
    'naïve'
    """
    text = _decoded(raw)
    if _CONTROLS.search(text):
        raise MediaError("it is not text (it holds control characters)", given=given)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw: bytes) -> str:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(raw) > 3:  # the file ends within a letter
            return raw[: error.start].decode("utf-8")
        return raw.decode("cp1252", errors="replace")


def spoken(text: str) -> str:
    r"""What is said in SRT or WebVTT subtitles.

    >>> spoken("1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> &amp;\ngoodbye\n")
    'Hello &\ngoodbye'
    """
    said: list[str] = []
    for _, lines in _blocks(text):
        said += [line for line in lines if line not in said[-1:]]
    return "\n".join(said)


def cues(text: str) -> list[tuple[float, float, str]]:
    r"""The cues (start_s, end_s, said) of SRT or WebVTT subtitles by their times; no cue without words or without a length.

    Cues may overlap. Times are read with comma or point, with or without hours; cue settings are passed over.

    >>> cues("2\n00:00:03,5 --> 00:00:04,250\nBye\n\n1\n00:01.000 --> 00:02.000 align:start\n<b>Oh</b>\nhello\n")
    [(1.0, 2.0, 'Oh\nhello'), (3.5, 4.25, 'Bye')]
    """
    found: list[tuple[float, float, str]] = []
    for times, lines in _blocks(text):
        moments = _CUE.match(times)
        if moments and lines:
            start_s, end_s = (_seconds(moment) for moment in moments.groups())
            found += [(start_s, end_s, "\n".join(lines))] if end_s > start_s else []
    return sorted(found)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each cue's line of times, and its lines without tags; what has no times is a heading, a note or a style.

    A cue ends with an empty line, or where the next one begins without any.
    """
    lines = [line.strip() for line in text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    starts = [index for index, line in enumerate(lines) if "->" in line and (_CUE.match(line) or "-->" in line)]
    for start, following in itertools.zip_longest(starts, starts[1:], fillvalue=len(lines)):
        block = lines[start + 1 : following]
        if "" in block:
            block = block[: block.index("")]
        elif following < len(lines) and block and block[-1].isdecimal():
            block.pop()  # the number of the next cue
        cleaned = (html.unescape(_TAGS.sub("", line)).strip() for line in block)
        yield lines[start], [line for line in cleaned if line]


def _seconds(moment: str) -> float:
    """Seconds of ``[hours:]minutes:seconds``.

    >>> _seconds("1:02:03,5"), _seconds("02:03.250")
    (3723.5, 123.25)
    """
    seconds = 0.0
    for part in re.sub(r"\s", "", moment).replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def strings(value: object) -> list[str]:
    """All strings among the values of JSON, in order.

    >>> strings({"title": "Walk", "tags": ["dog", 3], "more": {"by": "me"}})
    ['Walk', 'dog', 'me']
    """
    if isinstance(value, str):
        return [value] if value.strip() else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in inner for text in strings(part)]
