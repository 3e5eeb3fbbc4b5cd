"""Characters of text files, whatever their encoding; binary files are refused."""

import json

import pytest

from mmgraph.errors import MediaError
from mmgraph.media.clip import Source, Words
from mmgraph.media.decode import decode
from mmgraph.media.words import cues
from mmgraph.settings import MediaSettings


def text(path, content: bytes) -> str:
    path.write_bytes(content)
    clip = decode(Source("a", path), "text", MediaSettings())
    assert isinstance(clip, Words)
    return clip.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
def test_encodings(tmp_path, encoding):
    assert text(tmp_path / "a.txt", "naïve café\r\nzwei".encode(encoding)) == "naïve café\nzwei"


def test_big_endian_with_mark(tmp_path):
    assert text(tmp_path / "a.txt", b"\xfe\xff" + "œuvre".encode("utf-16-be")) == "œuvre"


def test_a_letter_cut_in_the_middle(tmp_path):
    assert text(tmp_path / "a.txt", "Grüße 漢".encode()[:-1]) == "Grüße"


@pytest.mark.parametrize("name", ["a.txt", "a.srt", "a.json", "a.md"])
@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "the file is empty"), (bytes(range(256)), "it is not text|cannot be decoded")]
)
def test_nothing_and_garbage(tmp_path, name, content, reason):
    with pytest.raises(MediaError, match=rf"({reason}).*; given: .*{name}"):
        text(tmp_path / name, content)


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b" \n\t"), ("a.json", b"{}"), ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n")]
)
def test_no_words(tmp_path, name, content):
    with pytest.raises(MediaError, match="it holds no text"):
        text(tmp_path / name, content)


def test_subtitles(tmp_path):
    srt = "1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}<i>Hello</i>\r\nthere\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n7 o'clock\r\n"
    assert text(tmp_path / "a.srt", srt.encode()) == "Hello\nthere\n7 o'clock"
    vtt = "WEBVTT - title\n\nNOTE not said\n\nSTYLE\n::cue {}\n\nname\n00:01.000 --> 00:02.000 align:start\n"
    vtt += "<v Ann>Fish &amp; chips\n\n00:02.000 --> 00:03.000\nFish & chips\n"
    assert text(tmp_path / "a.vtt", vtt.encode()) == "Fish & chips"


def test_json(tmp_path):
    value = {"title": "Walk", "n": 3, "tags": ["dog", None, {"deep": "park"}], "empty": " "}
    assert text(tmp_path / "a.json", json.dumps(value).encode()) == "Walk\ndog\npark"
    with pytest.raises(MediaError, match="cannot be decoded: JSONDecodeError"):
        text(tmp_path / "b.json", b"{")
    with pytest.raises(MediaError, match="cannot be decoded: it is nested too deeply"):
        text(tmp_path / "c.json", b"[" * 100_000)


def test_a_text_of_the_tables():
    source = Source("a", text=" from a table ")
    assert decode(source, "text", MediaSettings()) == Words("from a table")
    assert decode(source, "image", MediaSettings()) is None
    with pytest.raises(MediaError, match="it holds no text; given: a"):
        decode(Source("a", text=" "), "text", MediaSettings())


def test_other_endings_are_texts_too(tmp_path):
    assert text(tmp_path / "a.tex", b"\\section{Words}") == "\\section{Words}"


def test_no_cues():
    assert cues("") == []
    assert cues("WEBVTT\n\nNOTE nothing --> here\n") == []
    assert cues("1\n00:00:01,000 --> 00:00:02,000\n\n") == []  # nothing is said
    assert cues("1\n00:00:02,000 --> 00:00:01,000\nBack in time\n") == []
    assert cues("one line --> of prose") == []


@pytest.mark.parametrize(
    "times",
    [
        "00:00:01,500 --> 00:00:02,000",
        "00:00:01.500 --> 00:00:02.000",
        "00:01.500 --> 00:02.000 align:start position:10%",
        "0:00:01,5-->0:00:02",
        "00: 00: 01,500 -> 00: 00: 02,000",
        "00:00:01,500 --> 00:00:02,000  X1:63 X2:223 Y1:43 Y2:58",
    ],
)
@pytest.mark.parametrize("start", ["", "\ufeff", "1\r\n", "WEBVTT\n\nname\n"])
def test_a_cue_in_every_writing(times, start):
    assert cues(f"{start}{times}\nsaid\n") == [(1.5, 2.0, "said")]


def test_cues_out_of_order_overlapping_and_without_empty_lines_between():
    text = "2\n00:00:03,000 --> 00:00:05,000\nlast\n7\n1\n00:00:01,000 --> 00:00:04,000\nfirst\n\nnot said\n"
    text += "\n99:59:59,999 --> 100:00:00,500\nend"
    assert cues(text) == [(1.0, 4.0, "first"), (3.0, 5.0, "last\n7"), (359999.999, 360000.5, "end")]
