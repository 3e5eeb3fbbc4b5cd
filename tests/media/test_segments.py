"""The catalogue after its media were examined: bad files gone with a reason, videos cut, labels passed on."""

import dataclasses
import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from media_made import write_video

from mmgraph.catalogue.contract import ITEM_COLUMNS, Catalogue, items_frame, labels_frame, links_frame
from mmgraph.catalogue.importers.folder import Folder
from mmgraph.errors import CatalogueError, MediaError, NothingLeft, SettingsError
from mmgraph.media import segments, workers
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
    **dict.fromkeys(["garbage.mp4", "garbage.mkv", "garbage.mp3", "garbage.jpg"], "cannot be decoded: InvalidDataError"),
    "garbage.txt": "it is not text",
    "half.mp4": "cannot be decoded: InvalidDataError",
    "half.mkv": "cut short: it states",
    "half.wav": "cut short: it states",
    "half.png": "cannot be decoded: OSError",
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
    assert new["id"].tolist() == ["v#000", "v#001"]
    assert new["start_s"].tolist() == [0.0, 0.8]
    assert new["end_s"].tolist() == [0.8, 2.0]
    assert (new["parent"] == "v").all()
    assert (new["path"] == str(made / "silent.mp4")).all()
    assert result.items.columns.tolist() == list(ITEM_COLUMNS)
    assert result.items.index.tolist() == list(range(4))
    assert (result.items.dtypes == before.items.dtypes).all()
    labels = list(result.labels.itertuples(index=False, name=None))
    assert sorted(labels) == [("u", "mood", "wild", None)] + [
        (name, "mood", "calm", "test") for name in ("v", "v#000", "v#001")
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


def test_files_of_a_kind_that_is_not_decoded_are_spoken_of(made, caplog):
    rows = [{"id": "p", "kind": "photo", "path": str(made / "red.png")}, {"id": "u", "kind": "user"}]
    cut(catalogue(rows), settings())
    assert "items of kind photo have files that are not decoded" in caplog.text


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
    monkeypatch.setattr(segments, "_digest", lambda path: pytest.fail(f"{path} was read again"))
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
