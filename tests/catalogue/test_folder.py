"""A tree of files becomes items; files need not be readable media for that."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from mmgraph.catalogue.animated import animated
from mmgraph.catalogue.importers.folder import Folder
from mmgraph.errors import CatalogueError


def tree(root: Path, *names: str, **tables: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text)
    return root


def rows(catalogue, *columns):
    return list(catalogue.items[list(columns)].itertuples(index=False, name=None))


def test_one_file(tmp_path):
    catalogue = Folder(root=tree(tmp_path, "a.mp4")).read()
    assert rows(catalogue, "id", "kind", "path", "parent") == [("a.mp4", "video", str(tmp_path / "a.mp4"), None)]
    assert not len(catalogue.labels)


def test_kinds_order_hidden_and_odd_files(tmp_path, caplog):
    names = [
        "b/z.OGG",
        "b/a.jpeg",
        "a.WebM",
        "LICENSE",
        "README.md",
        "x.xyz",
        ".hidden.mp4",
        ".git/c.mp4",
        "t.md",
        "b/.DS_Store",
    ]
    catalogue = Folder(root=tree(tmp_path, *names)).read()
    assert rows(catalogue, "id", "kind") == [
        ("a.WebM", "video"),
        ("b/a.jpeg", "image"),
        ("b/z.OGG", "music"),
        ("t.md", "text"),
    ]
    assert "left out, as their endings or names are of no kind: 3 files under" in caplog.text


def test_side_cars(tmp_path):
    names = ["a.mp4", "a.txt", "a.srt", "a.jpg", "a.jpg.json", "sub/a.txt", "p.png", "p.vtt", "q.txt"]
    catalogue = Folder(root=tree(tmp_path, *names)).read()
    parents = dict(rows(catalogue, "id", "parent"))
    assert parents == {
        "a.mp4": None,
        "a.jpg": None,
        "a.txt": "a.mp4",
        "a.srt": "a.mp4",
        "a.jpg.json": "a.jpg",
        "sub/a.txt": None,
        "p.png": None,
        "p.vtt": "p.png",
        "q.txt": None,
    }


def test_links_to_folders_are_followed_once(tmp_path):
    tree(tmp_path / "data", "one/a.mp4")
    tree(tmp_path / "elsewhere", "b.mp4")
    (tmp_path / "data/one/loop").symlink_to(tmp_path / "data", target_is_directory=True)
    (tmp_path / "data/two").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    catalogue = Folder(root=tmp_path / "data").read()
    assert catalogue.items["id"].tolist() == ["one/a.mp4", "two/b.mp4"]


def test_a_link_to_nothing_is_unread(tmp_path):
    tree(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "gone.mp4")
    catalogue = Folder(root=tmp_path).read()
    assert catalogue.items["id"].tolist() == ["a.mp4"]
    assert [(one.id, one.reason) for one in catalogue.unread] == [("b.mp4", "the file is not there")]


def test_a_name_that_is_not_unicode_is_unread(tmp_path):
    tree(tmp_path, "a.mp4")
    try:
        with open(bytes(tmp_path) + b"/b\xff.mp4", "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes no such name")
    catalogue = Folder(root=tmp_path).read()
    assert [(one.id, one.reason) for one in catalogue.unread] == [("b\\udcff.mp4", "the file name is not UTF-8; rename it")]


def test_a_name_with_a_line_break_is_unread(tmp_path):
    catalogue = Folder(root=tree(tmp_path, "a.mp4", "b\n.mp4", "c\u2028.mp4", "d\n.xyz")).read()
    assert catalogue.items["id"].tolist() == ["a.mp4"]
    reason = "the file name holds a line break or the like; rename it"
    assert [(one.id, one.reason) for one in catalogue.unread] == [("b\\n.mp4", reason), ("c\\u2028.mp4", reason)]


def test_a_folder_that_the_system_refuses_is_left_out(tmp_path, caplog, monkeypatch):
    real = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert Folder(root=tree(tmp_path, "a.mp4", "closed/b.mp4")).read().items["id"].tolist() == ["a.mp4"]
    assert "a folder cannot be read and is left out" in caplog.text


def test_a_link_that_leads_to_itself_is_unread(tmp_path):
    tree(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "b.mp4")
    (unread,) = Folder(root=tmp_path).read().unread
    assert unread.reason == "the path cannot be used: Too many levels of symbolic links"


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_ordinary_file_is_unread(tmp_path):
    tree(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "b.mp4")
    (unread,) = Folder(root=tmp_path).read().unread
    assert (unread.id, unread.reason) == ("b.mp4", "it is a pipe, socket or device, no file")


def gif(path: Path, pictures: int, seed: int = 0) -> Path:
    frames = [Image.effect_noise((40, 30), 20 + 10 * number + seed) for number in range(pictures)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80)
    return path


def test_a_gif_that_moves_is_a_video(tmp_path):
    gif(tmp_path / "moves.GIF", 5)
    gif(tmp_path / "still.gif", 1)
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    (tmp_path / "none.gif").touch()
    catalogue = Folder(root=tmp_path).read()
    assert dict(rows(catalogue, "id", "kind")) == {
        "broken.gif": "image",
        "moves.GIF": "video",
        "none.gif": "image",
        "still.gif": "image",
    }


@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_a_gif_cut_short_anywhere_never_fails_and_never_gains_pictures(tmp_path, pictures):
    raw = gif(tmp_path / "a.gif", pictures).read_bytes()
    with Image.open(tmp_path / "a.gif") as image:
        assert animated(str(tmp_path / "a.gif")) == (getattr(image, "n_frames", 1) > 1)
    for end in range(0, len(raw), 7):
        (tmp_path / "b.gif").write_bytes(raw[:end])
        assert animated(str(tmp_path / "b.gif")) <= (pictures > 1)


def test_every_ending(tmp_path):
    endings = {
        "video": "mp4 mov mkv webm avi ts m4v",
        "music": "wav flac ogg opus mp3 m4a",
        "image": "jpg jpeg png webp gif tiff tif bmp avif",
        "text": "txt md srt vtt json",
    }
    names = {f"{ending}.{ending}": kind for kind, all_of in endings.items() for ending in all_of.split()}
    assert dict(rows(Folder(root=tree(tmp_path, *names)).read(), "id", "kind")) == names


def test_subtitles_may_name_a_language(tmp_path):
    names = ["a.mp4", "a.en.srt", "a.pt-BR.vtt", "a.mp4.srt", "a.en.txt", "a.second.srt", "b.en.mp4", "b.en.srt"]
    parents = dict(rows(Folder(root=tree(tmp_path, *names)).read(), "id", "parent"))
    assert parents == {
        "a.mp4": None,
        "b.en.mp4": None,
        "a.en.srt": "a.mp4",
        "a.pt-BR.vtt": "a.mp4",
        "a.mp4.srt": "a.mp4",
        "a.en.txt": None,
        "a.second.srt": None,
        "b.en.srt": "b.en.mp4",
    }


def test_weak_labels_only_on_request(tmp_path):
    root = tree(
        tmp_path,
        "cats/tom_01.mp4",
        "cats/tom_01.txt",
        "dogs/big/rex2.mp4",
        "0_x.wav",
        labels="id,field,value\n0_x.wav,folder,cats\n",
    )
    assert len(Folder(root=root).read().labels) == 1
    by_folder = Folder(root=root, labels_from="folder").read().labels
    assert set(by_folder[["id", "field", "value"]].itertuples(index=False, name=None)) == {
        ("0_x.wav", "folder", "cats"),
        ("cats/tom_01.mp4", "folder", "cats"),
        ("dogs/big/rex2.mp4", "folder", "big"),
    }
    by_name = Folder(root=root, labels_from="file_name").read().labels
    named = by_name[by_name["field"] == "name"]
    assert dict(zip(named["id"], named["value"], strict=True)) == {"cats/tom_01.mp4": "tom", "dogs/big/rex2.mp4": "rex"}


def test_folders_as_parents(tmp_path):
    catalogue = Folder(root=tree(tmp_path, "a/b/c.mp4", "a/b/c.txt", "d.mp4"), parents_from="folder").read()
    assert sorted(rows(catalogue, "id", "kind", "parent"), key=str) == [
        ("a", "folder", None),
        ("a/b", "folder", "a"),
        ("a/b/c.mp4", "video", "a/b"),
        ("a/b/c.txt", "text", "a/b/c.mp4"),
        ("d.mp4", "video", None),
    ]


def test_tables_at_the_root_add_items_and_name_files(tmp_path):
    root = tree(
        tmp_path,
        "v/a.mp4",
        "v/a.txt",
        "v/b.mp4",
        "v/c.mp4",
        items="id,kind,path,parent\nu,user,,\nfilm,video,v/a.mp4,\nv/b.mp4,clip,,\ntale,text,,\n",
        links="source,relation,target\nu,watched,v/c.mp4\nu,watched,film\n",
        labels="id,field,value\nv/b.mp4,mood,calm\n",
    )
    catalogue = Folder(root=root).read()
    assert sorted(rows(catalogue, "id", "kind", "parent"), key=str) == [
        ("film", "video", None),
        ("tale", "text", None),
        ("u", "user", None),
        ("v/a.txt", "text", "film"),
        ("v/b.mp4", "clip", None),
        ("v/c.mp4", "video", None),
    ]
    assert dict(rows(catalogue, "id", "path"))["v/b.mp4"] == str(tmp_path / "v/b.mp4")
    assert len(catalogue.links) == 2
    assert {"items.csv", "links.csv", "labels.csv", "."} == set(catalogue.sources)


def test_segments_of_the_tables_do_not_replace_their_video(tmp_path):
    items = "id,kind,path,parent,start_s,end_s\ns,segment,,a.mp4,0,1\nt,segment,a.mp4,a.mp4,1,2\n"
    catalogue = Folder(root=tree(tmp_path, "a.mp4", items=items)).read()
    assert catalogue.kinds() == {"video": 1, "segment": 2}
    assert set(catalogue.items["path"]) == {str(tmp_path / "a.mp4")}


def test_a_link_to_a_file_that_is_not_in_the_folder(tmp_path):
    root = tree(tmp_path, "a.mp4", links="source,relation,target\na.mp4,next,b.mp4\n")
    with pytest.raises(CatalogueError, match=r"links.csv, row 2, column 'target': no item has this id; given: 'b.mp4'"):
        Folder(root=root).read()


def test_the_listing_changes_with_the_files(tmp_path):
    before = Folder(root=tree(tmp_path, "a.mp4")).read().sources["."]
    assert Folder(root=tmp_path).read().sources["."] == before
    assert Folder(root=tree(tmp_path, "b.mp4")).read().sources["."] != before


@pytest.mark.real
def test_the_real_videos_and_music(shared):
    videos = Folder(root=shared / "data/videos", labels_from="file_name").read()
    assert videos.kinds() == {"video": 28}
    assert videos.labels.set_index("id")["value"]["asl/again.mkv"] == "again"
    music = Folder(root=shared / "data/music").read()
    assert music.kinds() == {"music": 14, "text": 14}
    texts = music.items[music.items["kind"] == "text"]
    assert (texts["parent"].str.removesuffix(".ogg") == texts["id"].str.removesuffix(".txt")).all()
