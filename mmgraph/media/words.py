"""The characters of a text file: plain, subtitles, or the strings of a JSON side-car."""

import codecs
import html
import json
import re
from pathlib import Path

from mmgraph.errors import MediaError
from mmgraph.media.clip import Words
from mmgraph.media.guard import guarded

LONGEST_BYTES = 32 * 2**20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


def read(path: Path) -> Words:
    """The text of a file; subtitles without times and tags, JSON as its strings. Raises MediaError: binary, empty, too long."""
    with guarded(path):
        if path.stat().st_size > LONGEST_BYTES:
            raise MediaError(f"a text of more than {LONGEST_BYTES // 2**20} MB", given=path)
        text = characters(path.read_bytes(), path)
        suffix = path.suffix.lower()
        if suffix in (".srt", ".vtt") or text.startswith("WEBVTT"):
            text = spoken(text)
        elif suffix == ".json":
            text = "\n".join(strings(json.loads(text)))
    return plain(text, path)


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
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().split("\n")
        times = [index for index, line in enumerate(lines) if "-->" in line]
        if times:  # what has no times is a heading, a note or a style
            cleaned = (html.unescape(_TAGS.sub("", line)).strip() for line in lines[times[0] + 1 :])
            said += [line for line in cleaned if line and line not in said[-1:]]
    return "\n".join(said)


def strings(value: object) -> list[str]:
    """All strings among the values of JSON, in order.

    >>> strings({"title": "Walk", "tags": ["dog", 3], "more": {"by": "me"}})
    ['Walk', 'dog', 'me']
    """
    if isinstance(value, str):
        return [value] if value.strip() else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in inner for text in strings(part)]
