"""Where the clip of an item is found."""

from dataclasses import replace
from pathlib import Path

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame
from mmgraph.media.clip import Source, Span
from mmgraph.media.source import sources


def catalogue(*rows):
    return Catalogue(items_frame(list(rows)), links_frame([]), labels_frame([]))


def test_empty():
    assert sources(catalogue()) == {}


def test_own_file_own_text_and_neither():
    found = sources(
        catalogue(
            {"id": "v", "kind": "video", "path": "/m/v.mp4"},
            {"id": "t", "kind": "text", "text": "words"},
            {"id": "s", "kind": "segment", "path": "/m/v.mp4", "parent": "v", "start_s": 1.5, "end_s": 3.0},
            {"id": "u", "kind": "user"},
            {"id": "w", "kind": "word", "parent": "u"},
        )
    )
    assert found == {
        "v": Source("v", Path("/m/v.mp4"), moving=True),
        "t": Source("t", text="words"),
        "s": Source("s", Path("/m/v.mp4"), Span(1.5, 3.0), moving=True),
    }


def test_a_gif_moves_where_it_was_found_to():
    before = catalogue({"id": "a", "kind": "photo", "path": "/m/a.gif"}, {"id": "b", "kind": "video", "path": "/m/b.gif"})
    found = sources(replace(before, holds={"/m/a.gif": ("still",), "/m/b.gif": ("moving",)}))
    assert {key: source.moving for key, source in found.items()} == {"a": False, "b": True}


def test_a_stretch_of_the_parents_file_in_the_parents_time():
    found = sources(
        catalogue(
            {"id": "v", "kind": "video", "path": "/m/v.mp4", "start_s": 10.0, "end_s": 20.0},
            {"id": "s", "kind": "segment", "parent": "v", "start_s": 2.0, "end_s": 5.0},
            {"id": "part", "kind": "segment", "parent": "s", "start_s": 1.0},
            {"id": "lost", "kind": "segment", "parent": "gone", "start_s": 1.0},
            {"id": "round", "kind": "segment", "parent": "round", "start_s": 1.0},
        )
    )
    assert found["s"].span == Span(12.0, 15.0)
    assert found["part"].span == Span(13.0, 15.0)
    assert set(found) == {"v", "s", "part"}
