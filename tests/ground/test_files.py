"""Files are written whole or not at all."""

import errno
import os

import pytest

from mmgraph.errors import RunError
from mmgraph.files import sha256, whole, write_text, write_with


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "deep" / "a.txt"
    with whole(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "one"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]


def test_an_error_inside_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), whole(path) as temporary:
        temporary.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    if call == "replace":
        monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(RunError, match=r"cannot write .*a.txt; given: No space left on device; free or choose another disk"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_under_a_file_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_a_read_only_disk_is_said(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(RunError, match="Read-only file system"):
        write_text(tmp_path / "a.txt", "x")


def test_bytes_and_their_hash(tmp_path):
    path = tmp_path / "a.bin"
    write_with(path, lambda file: file.write(b"abc"))
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
