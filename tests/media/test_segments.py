"""The catalogue after its media were examined: bad files gone with a reason, videos cut, labels passed on."""

import dataclasses
import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from media_made import with_subtitles, write_video

from mmgraph.catalogue.contract import ITEM_COLUMNS, Catalogue, items_frame, labels_frame, links_frame
from mmgraph.catalogue.importers.folder import Folder
from mmgraph.errors import CatalogueError, MediaError, NothingLeft, SettingsError
from mmgraph.media import content, workers
from mmgraph.media.modalities import having, moving
from mmgraph.media.segments import content_hashes, cut
from mmgraph.settings import MediaSettings, SegmentSettings


def settings(method="windows", min_s=0.5, max_s=1.0, workers=1) -> MediaSettings:
    return MediaSettings(segments=SegmentSettings(method=method, min_s=min_s, max_s=max_s), workers=workers)


def catalogue(items, labels=(), links=()) -> Catalogue:
    return Catalogue(items_frame(items), links_frame(list(links)), labels_frame(list(labels)))


def of_kind(result, kind):
    return result.items[result.items["kind"] == kind]


@pytest.fixture(scope="module")
def zoo(made, tmp_path_factory):
    """One good file of each sort beside every sort of broken one."""
    root = tmp_path_factory.mktemp("zoo")
    for name in ("plain.mp4", "silent.mp4", "one.mp4", "tone.ogg", "red.png", "words.txt"):
        shutil.copy(made / name, root / name)
    for name in ("empty.mp4", "empty.wav", "empty.png", "empty.txt"):
        (root / name).touch()
    garbage = np.random.default_rng(7).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    for name in ("garbage.mp4", "garbage.mkv", "garbage.mp3", "garbage.jpg", "garbage.txt"):
        (root / name).write_bytes(garbage)
    for whole, name in (
        ("plain.mp4", "half.mp4"),
        ("plain.mkv", "half.mkv"),
        ("tone.wav", "half.wav"),
        ("red.png", "half.png"),
    ):
        raw = (made / whole).read_bytes()
        (root / name).write_bytes(raw[: len(raw) // 2])
    shutil.copy(made / "heard.mp4", root / "heard.mp4")
    shutil.copy(made / "silent.mp4", root / "silent.mp3")
    shutil.copy(made / "red.png", root / "picture.mp4")
    shutil.copy(made / "tone.ogg", root / "sound.png")
    shutil.copy(made / "red.png", root / "picture.txt")
    return root


REASONS = {
    **dict.fromkeys(["empty.mp4", "empty.wav", "empty.png", "empty.txt"], "the file is empty (0 bytes)"),
    **dict.fromkeys(["garbage.mp4", "garbage.mkv", "garbage.mp3", "garbage.jpg"], "cannot be decoded: "),
    "garbage.txt": "it is not text",
    "half.mp4": "cannot be decoded: ",
    "half.mkv": "cut short: it states",
    "half.wav": "cut short: it states",
    "half.png": "cannot be decoded: ",
    "heard.mp4": "it is no video: it holds sound but no moving pictures; as a sound file",
    "silent.mp3": "it is no music: it holds moving pictures without sound",
    "picture.mp4": "it is no video: it holds a still picture",
    "sound.png": "it is no image: it holds sound",
    "picture.txt": "it is no text: it holds a still picture",
}


@pytest.mark.parametrize("method", ["windows", "shots", "none"])
def test_every_broken_file_is_quarantined_with_its_reason(zoo, method):
    result = cut(Folder(root=zoo).read(), settings(method))
    reasons = {one.id: one.reason for one in result.unread}
    assert set(reasons) == set(REASONS)
    for name, reason in REASONS.items():
        assert reasons[name].startswith(reason), name
        assert "\n" not in reasons[name]
    kept = result.items[result.items["kind"] != "segment"]
    assert set(kept["id"]) == {"plain.mp4", "silent.mp4", "one.mp4", "tone.ogg", "red.png", "words.txt"}


def test_windows_of_a_video(made):
    before = catalogue(
        [{"id": "v", "kind": "video", "path": str(made / "silent.mp4")}, {"id": "u", "kind": "user"}],
        labels=[{"id": "v", "field": "mood", "value": "calm", "split": "test"}, {"id": "u", "field": "mood", "value": "wild"}],
        links=[{"source": "u", "relation": "saw", "target": "v"}],
    )
    copies = before.items.copy(), before.labels.copy()
    result = cut(before, settings(max_s=0.8, min_s=0.5))
    new = of_kind(result, "segment")
    assert new["id"].tolist() == ["v#000", "v#001", "v#002"]
    assert new["start_s"].tolist() == [0.0, 0.8, 1.4]
    assert new["end_s"].tolist() == [0.8, 1.4, 2.0]
    assert new["text"].isna().all()
    assert (new["parent"] == "v").all()
    assert (new["path"] == str(made / "silent.mp4")).all()
    assert result.items.columns.tolist() == list(ITEM_COLUMNS)
    assert result.items.index.tolist() == list(range(5))
    assert (result.items.dtypes == before.items.dtypes).all()
    labels = list(result.labels.itertuples(index=False, name=None))
    assert sorted(labels) == [("u", "mood", "wild", None)] + [
        (name, "mood", "calm", "test") for name in ("v", "v#000", "v#001", "v#002")
    ]
    assert len(result.links) == 1
    pd.testing.assert_frame_equal(before.items, copies[0])
    pd.testing.assert_frame_equal(before.labels, copies[1])


def test_shots_of_a_video(tmp_path):
    def picture(number: int) -> np.ndarray:
        return np.full((48, 64, 3), (200, 30, 30) if number < 30 else (30, 30, 200), np.uint8)

    write_video(tmp_path / "a.mp4", 60, picture=picture)
    new = of_kind(cut(Folder(root=tmp_path).read(), settings("shots", max_s=10)), "segment")
    assert list(zip(new["start_s"], new["end_s"], strict=True)) == [
        (0.0, pytest.approx(1.2)),
        (pytest.approx(1.2), pytest.approx(2.4)),
    ]


def test_method_none_leaves_videos_whole(made):
    before = catalogue([{"id": "v", "kind": "video", "path": str(made / "silent.mp4")}])
    pd.testing.assert_frame_equal(cut(before, settings("none")).items, before.items)


def test_given_segments_are_kept_and_the_video_is_not_cut_again(made):
    path = str(made / "silent.mp4")
    rows = [
        {"id": "v", "kind": "video", "path": path},
        {"id": "w", "kind": "video", "path": path},
        {"id": "mine", "kind": "segment", "path": path, "parent": "v", "start_s": 0.3, "end_s": 1.1},
    ]
    new = of_kind(cut(catalogue(rows), settings()), "segment")
    assert new["id"].tolist() == ["mine", "w#000", "w#001"]
    assert new["start_s"].tolist() == [0.3, 0.0, 1.0]


def test_a_given_segment_with_a_file_of_its_own_is_examined_too(made, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"nonsense")
    both = {"kind": "segment", "parent": "v", "start_s": 0.0}
    rows = [
        {"id": "v", "kind": "video", "path": str(made / "silent.mp4")},
        {"id": "good", "path": str(made / "plain.mkv"), "end_s": 1.0} | both,
        {"id": "bad", "path": str(tmp_path / "bad.mp4"), "end_s": 1.0} | both,
        {"id": "late", "path": str(made / "silent.mp4"), "end_s": 4.0} | both | {"start_s": 3.0},
        {"id": "song", "path": str(made / "tone.ogg"), "end_s": 1.0} | both,
    ]
    result = cut(catalogue(rows), settings())
    assert result.items["id"].tolist() == ["v", "good", "song"]
    reasons = {one.id: one.reason for one in result.unread}
    assert reasons["bad"].startswith("cannot be decoded")
    assert reasons["late"] == "it starts at 3 s, and the file ends at 2 s"


def test_what_a_file_holds_is_told_by_the_file_and_not_by_the_kind(made, tmp_path, caplog):
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7 nothing of ours")
    shutil.copy(made / "plain.mkv", tmp_path / "film.xyz")
    shutil.copy(made / "silent.mp4", tmp_path / "named.jpg")
    (tmp_path / "note.log").write_text("Dear diary")
    files = {
        "photo": made / "red.png",
        "song": made / "tone.ogg",
        "clip": made / "plain.mp4",
        "mute": made / "silent.mp4",
        "film": tmp_path / "film.xyz",
        "picture": tmp_path / "named.jpg",
        "letter": made / "words.txt",
        "paper": tmp_path / "paper.pdf",
        "text": tmp_path / "note.log",
        "video": made / "silent.mp4",
    }
    rows = [{"id": kind, "kind": kind, "path": str(path)} for kind, path in files.items()] + [{"id": "u", "kind": "user"}]
    rows.append({"id": "said", "kind": "user", "text": "hello"})
    result = cut(catalogue(rows), settings(max_s=2.0), tmp_path / "cache")
    assert not result.unread
    having_of = {name: set(result.items.loc[having(result, name), "id"]) for name in ("image", "audio", "text")}
    assert having_of == {
        "image": {"photo", "clip", "mute", "film", "picture", "video", "video#000"},
        "audio": {"song", "clip", "film"},
        "text": {"letter", "text", "said"},
    }
    assert set(result.items.loc[moving(result), "id"]) == {"clip", "mute", "film", "picture", "video", "video#000"}
    assert set(result.items.loc[result.items["kind"] == "segment", "parent"]) == {"video"}  # no other kind is cut
    assert "1 files of items of kind paper hold nothing that can be decoded; they stay as items without media" in caplog.text
    again = cut(catalogue(rows), settings(max_s=2.0), tmp_path / "cache")
    assert again.holds == result.holds


def test_a_damaged_file_of_any_kind_is_left_out_if_its_ending_is_known(tmp_path, made):
    (tmp_path / "bad.jpg").write_bytes(b"nonsense")
    rows = [{"id": "bad", "kind": "photo", "path": str(tmp_path / "bad.jpg")}, {"id": "t", "kind": "text", "text": "said"}]
    result = cut(catalogue(rows, links=[{"source": "t", "relation": "of", "target": "bad"}]), settings())
    assert result.items["id"].tolist() == ["t"]
    assert [one.id for one in result.unread] == ["bad"]
    assert not len(result.links)


def test_without_examination_endings_tell_what_a_file_holds():
    rows = [
        {"id": name, "kind": name.split(".")[0], "path": f"/nowhere/{name}"}
        for name in ("photo.JPG", "a.mp4", "music.xyz", "b.pdf")
    ]
    before = catalogue(rows)
    assert having(before, "image").tolist() == [True, True, False, False]
    assert having(before, "audio").tolist() == [False, True, True, False]
    assert having(before, "text").tolist() == [False] * 4
    assert having(catalogue([]), "text").shape == moving(catalogue([])).shape == (0,)


def test_overlapping_windows(made):
    before = catalogue([{"id": "v", "kind": "video", "path": str(made / "silent.mp4")}])
    overlapping = MediaSettings(segments=SegmentSettings(method="windows", min_s=0.5, max_s=1.0, overlap_s=0.5), workers=1)
    new = of_kind(cut(before, overlapping), "segment")
    assert list(zip(new["start_s"], new["end_s"], strict=True)) == [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]
    assert len(set(content_hashes(cut(before, overlapping)).values())) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"overlap_s": 1.0, "max_s": 1.0},
            r"max_s must be at least 0.04 s longer than overlap_s.*; given: overlap_s 1.0, max_s 1.0",
        ),
        ({"overlap_s": 3.0, "max_s": 1.0}, r"max_s must be at least 0.04 s longer than overlap_s"),
        ({"min_s": 0.001, "max_s": 0.001}, r"max_s must be at least 0.04 s longer than overlap_s"),
        ({"overlap_s": 0.5, "method": "shots"}, r"only windows can overlap; given: overlap_s 0.5, method shots"),
        ({"overlap_s": 0.5, "method": "subtitles"}, r"only windows can overlap"),
    ],
)
def test_settings_that_do_not_go_together(wrong, message):
    segments = SegmentSettings(**{"method": "windows", "min_s": 0.5, "max_s": 1.0} | wrong)
    with pytest.raises(SettingsError, match=message) as caught:
        cut(catalogue([{"id": "u", "kind": "user"}]), MediaSettings(segments=segments))
    assert "\n" not in str(caught.value)


SRT = """1
00:00:00,200 --> 00:00:00,800
Hello

2
00:00:01,000 --> 00:00:01,600
<i>out</i> there
"""


@pytest.fixture
def spoken(made, tmp_path):
    """A video of two seconds with two cues beside it."""
    root = tmp_path / "spoken"
    root.mkdir()
    shutil.copy(made / "silent.mp4", root / "a.mp4")
    (root / "a.srt").write_text(SRT)
    (root / "about.txt").write_text("about")
    return root


def pieces(result):
    new = of_kind(result, "segment")
    return list(zip(new["parent"], new["start_s"], new["end_s"], new["text"], strict=True))


def test_a_video_is_cut_by_the_subtitles_beside_it(spoken, tmp_path):
    by_words = settings("subtitles", min_s=0.3, max_s=1.0)
    result = cut(Folder(root=spoken).read(), by_words, tmp_path / "cache")
    expected = [("a.mp4", 0.0, 1.0, "Hello"), ("a.mp4", 1.0, 1.6, "out there"), ("a.mp4", 1.6, 2.0, None)]
    assert pieces(result) == expected
    assert set(of_kind(result, "text")["id"]) == {"about.txt"}  # what the segments say is not said once more
    assert set(result.items.loc[having(result, "text"), "id"]) == {"about.txt", "a.mp4#000", "a.mp4#001"}
    assert pieces(cut(Folder(root=spoken).read(), by_words, tmp_path / "cache")) == expected
    (spoken / "a.srt").write_text(SRT.replace("Hello", "Good morning").replace("01,000", "01,200"))
    changed = pieces(cut(Folder(root=spoken).read(), by_words, tmp_path / "cache"))
    assert changed[:2] == [("a.mp4", 0.0, 0.8, "Good morning"), ("a.mp4", 0.8, 1.2, None)]


def test_another_method_keeps_the_subtitles_as_an_item(spoken):
    result = cut(Folder(root=spoken).read(), settings())
    assert set(of_kind(result, "text")["id"]) == {"a.srt", "about.txt"}
    assert of_kind(result, "segment")["text"].isna().all()


def test_subtitles_that_something_names_stay_an_item(spoken):
    (spoken / "labels.csv").write_text("id,field,value\na.srt,language,en\n")
    result = cut(Folder(root=spoken).read(), settings("subtitles", 0.3, 1.0))
    assert set(of_kind(result, "text")["id"]) == {"a.srt", "about.txt"}
    assert pieces(result)[0] == ("a.mp4", 0.0, 1.0, "Hello")


def test_subtitles_beside_a_video_of_the_tables_and_of_several_the_shortest_name(spoken, made):
    (spoken / "a.en.srt").write_text(SRT.replace("Hello", "Other"))
    (spoken / "a.mp4.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nThird\n")
    assert pieces(cut(Folder(root=spoken).read(), settings("subtitles", 0.3, 1.0)))[0][3] == "Hello"
    video = catalogue([{"id": "v", "kind": "video", "path": str(spoken / "a.mp4")}])
    assert pieces(cut(video, settings("subtitles", 0.3, 1.0)))[0] == ("v", 0.0, 1.0, "Hello")


def test_a_video_without_subtitles_is_cut_evenly_and_spoken_of(spoken, made, caplog):
    shutil.copy(made / "plain.mkv", spoken / "b.mkv")
    (spoken / "a.srt").write_text("no cues")
    result = cut(Folder(root=spoken).read(), settings("subtitles", 0.3, 1.5))
    assert [(parent, start, text) for parent, start, _, text in pieces(result)] == [
        ("a.mp4", 0.0, None),
        ("a.mp4", 1.0, None),
        ("b.mkv", 0.0, None),
        ("b.mkv", 1.0, None),
    ]
    assert "2 videos have no subtitles and are cut evenly; the first: a.mp4" in caplog.text


def test_a_video_is_cut_by_the_track_inside_it(tmp_path, made):
    with_subtitles(made / "silent.mp4", SRT, tmp_path / "a.mkv")
    result = cut(Folder(root=tmp_path).read(), settings("subtitles", 0.3, 1.0))
    assert pieces(result) == [
        ("a.mkv", 0.0, pytest.approx(1.0), "Hello"),
        ("a.mkv", pytest.approx(1.0), pytest.approx(1.6), "out there"),
        ("a.mkv", pytest.approx(1.6), pytest.approx(2.0), None),
    ]


def test_lengths_of_segments_are_no_reason_to_decode_again(made, tmp_path, monkeypatch):
    before = catalogue([{"id": "v", "kind": "video", "path": str(made / "silent.mp4")}])
    for method in ("windows", "shots"):
        cut(before, settings(method), tmp_path)
    monkeypatch.setattr(workers, "_START", "raise SystemExit(1)")
    assert len(of_kind(cut(before, settings("windows", max_s=0.5), tmp_path), "segment")) == 4
    assert len(of_kind(cut(before, settings("shots", max_s=0.5), tmp_path), "segment")) == 4
    assert len(cut(before, settings("none"), tmp_path).items) == 1


def test_a_video_whose_only_given_segment_is_unusable_stays_whole(made):
    both = {"kind": "segment", "parent": "v", "path": str(made / "silent.mp4")}
    rows = [
        {"id": "v", "kind": "video", "path": str(made / "silent.mp4")},
        {"id": "late", "start_s": 9.0, "end_s": 10.0} | both,
    ]
    assert cut(catalogue(rows), settings()).items["id"].tolist() == ["v"]


def test_an_id_that_is_taken(made):
    rows = [{"id": "v", "kind": "video", "path": str(made / "silent.mp4")}, {"id": "v#000", "kind": "user"}]
    with pytest.raises(CatalogueError, match=r"an item has the id that a segment would get; given: 'v#000'"):
        cut(catalogue(rows), settings())


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 1), (-1, 5)])
def test_bounds_that_make_no_sense(low, high):
    with pytest.raises(SettingsError, match=r"media.segments: min_s must be above 0 and at most max_s"):
        cut(catalogue([{"id": "u", "kind": "user"}]), settings(min_s=low, max_s=high))


def test_tables_without_media_pass(monkeypatch):
    monkeypatch.setattr(workers, "_START", "raise SystemExit(1)")
    before = catalogue([{"id": "u", "kind": "user"}, {"id": "t", "kind": "text", "text": "said"}])
    pd.testing.assert_frame_equal(cut(before, settings()).items, before.items)


def test_nothing_left(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nonsense")
    with pytest.raises(
        NothingLeft, match=r"nothing usable is left: none of 1 files can be read; the first: .*a.mp4: cannot be decoded"
    ):
        cut(Folder(root=tmp_path).read(), settings())


def test_children_leave_with_their_parent(tmp_path, made):
    (tmp_path / "a.mp4").write_bytes(b"nonsense")
    (tmp_path / "a.txt").write_text("about a")
    shutil.copy(made / "red.png", tmp_path)
    result = cut(Folder(root=tmp_path).read(), settings())
    assert result.items["id"].tolist() == ["red.png"]


def test_a_second_run_starts_no_decoder(zoo, tmp_path, monkeypatch):
    first = cut(Folder(root=zoo).read(), settings("shots"), tmp_path)
    monkeypatch.setattr(workers, "_START", "raise SystemExit(1)")
    monkeypatch.setattr(content, "_digest", lambda path: pytest.fail(f"{path} was read again"))
    second = cut(Folder(root=zoo).read(), settings("shots"), tmp_path)
    pd.testing.assert_frame_equal(first.items, second.items)
    assert first.unread == second.unread


def test_other_settings_or_bytes_are_examined_again(tmp_path, made):
    root, cache = tmp_path / "data", tmp_path / "cache"
    root.mkdir()
    shutil.copy(made / "silent.mp4", root / "a.mp4")
    assert len(of_kind(cut(Folder(root=root).read(), settings(max_s=1.0), cache), "segment")) == 2
    assert len(of_kind(cut(Folder(root=root).read(), settings(max_s=0.5), cache), "segment")) == 4
    write_video(root / "a.mp4", 25)
    assert len(of_kind(cut(Folder(root=root).read(), settings(max_s=1.0), cache), "segment")) == 1


def test_a_damaged_cache_only_costs_the_work_again(made, tmp_path):
    before = catalogue([{"id": "v", "kind": "video", "path": str(made / "silent.mp4")}])
    for name in ("hashes.jsonl", "examined.jsonl"):
        (tmp_path / name).write_text('["a", 1]\n["b"')
    assert len(cut(before, settings(), tmp_path).items) == 3


def test_content_hashes(made, tmp_path):
    shutil.copy(made / "silent.mp4", tmp_path / "copy.mp4")
    rows = [
        {"id": "v", "kind": "video", "path": str(made / "silent.mp4")},
        {"id": "copy", "kind": "video", "path": str(tmp_path / "copy.mp4")},
        {"id": "t", "kind": "text", "text": "said"},
        {"id": "u", "kind": "user"},
    ]
    result = cut(catalogue(rows), settings(), tmp_path)
    hashes = content_hashes(result, tmp_path)
    assert hashes == content_hashes(result)
    assert hashes["v"] == hashes["copy"] == hashlib.sha256((made / "silent.mp4").read_bytes()).hexdigest()
    assert hashes["v#000"] == hashes["copy#000"] != hashes["v#001"]
    assert hashes["t"] == hashlib.sha256(b"said").hexdigest()
    assert "u" not in hashes
    assert len(set(hashes.values())) == 4


def test_content_hashes_of_a_file_that_has_gone(tmp_path):
    gone = dataclasses.replace(catalogue([{"id": "v", "kind": "video", "path": str(tmp_path / "gone.mp4")}]))
    with pytest.raises(MediaError, match=r"the file has gone since it was examined; given: .*gone.mp4"):
        content_hashes(gone)


@pytest.mark.real
def test_the_real_sign_language_clips(shared):
    paths = sorted((shared / "data/videos/asl").glob("*.mkv"))[:4]
    rows = [{"id": path.name, "kind": "video", "path": str(path)} for path in paths]
    result = cut(catalogue(rows), settings("shots", 1.0, 10.0, workers=2))
    assert not result.unread
    assert len(of_kind(result, "segment")) >= 4
