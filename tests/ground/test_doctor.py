import json
import shutil
from pathlib import Path

import pytest

from mmgraph import doctor
from mmgraph.cli import main
from mmgraph.doctor import Finding, examined, healthy, memory_bytes, table
from mmgraph.encode import hub
from mmgraph.settings import Component, EncoderSettings, RunSettings, Settings


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    hub.forget()


def settings(run, **encoders):
    return Settings(
        catalogue=Component(class_path="Folder"), run=RunSettings(dir=Path(run)), encoders=EncoderSettings(**encoders)
    )


def of(found, name):
    (one,) = [row for row in found if row.name == name]
    return one


def test_this_machine_can_run_a_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 0
    found = [Finding(**one) for one in json.loads(capsys.readouterr().out)]
    assert healthy(found)
    assert {one.state for one in found} <= {"ok", "warn"}
    assert [one.name for one in found if one.state == "warn" and not one.todo] == []
    assert of(found, "torch").found.startswith("2.11")
    assert [of(found, name).state for name in doctor._IMPORTED] == ["ok"] * 5
    assert "h264" in of(found, "video codecs").found
    assert "opus" in of(found, "sound codecs").found
    assert "png" in of(found, "pictures").found
    assert "HF_HUB_OFFLINE is set" in of(found, "huggingface").found
    assert "0 models" in of(found, "cache").found


def test_the_table_fits_a_hundred_columns(capsys):
    from rich.console import Console

    rows = [Finding("software", "torch", "bad", "word " * 60, "install it"), Finding("disk", "store", "ok", "fine")]
    Console(width=100).print(table(rows))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "→ install it" in out
    assert table([]).row_count == 0


def test_a_library_that_does_not_load_is_a_row_and_status_2(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_IMPORTED", ("torch", "no_such_module"))
    monkeypatch.setattr(doctor, "_PRESENT", ("no-such-package",))
    assert main(["doctor"]) == 2
    found = examined()
    assert of(found, "torch").state == "ok"
    assert of(found, "no_such_module").state == "bad"
    assert "its import says: No module named 'no_such_module'" in of(found, "no_such_module").found
    assert of(found, "no-such-package") == Finding("software", "no-such-package", "bad", "not installed", doctor._AGAIN)
    assert "no_such_module" in capsys.readouterr().out


def test_codecs_that_are_missing_are_named():
    found = doctor._known("video codecs", ("h264", "no_such_codec"), doctor._has_decoder, "do this")
    assert (found.state, found.found, found.todo) == ("warn", "h264; not: no_such_codec", "do this")
    assert doctor._known("video codecs", ("no_such_codec",), doctor._has_decoder, "do this").state == "bad"
    assert not doctor._has_container("no_such_container")
    assert not doctor._has_picture("HEIFX")


@pytest.mark.parametrize(("free", "state"), [(10**10, "ok"), (10**9, "warn"), (10**8, "bad")])
def test_a_disk_that_is_full(monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, free))
    found = list(doctor._disks(tmp_path / "a" / "run", tmp_path / "store"))
    assert [one.state for one in found] == [state, state]
    assert f"{free / 10**9:.1f} GB free" in found[0].found


def test_a_folder_that_cannot_be_written_names_its_setting(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    found = list(doctor._disks(tmp_path / "run", tmp_path / "store"))
    assert [one.todo for one in found] == ["set run.dir to another folder", "set encoders.store to another folder"]
    assert not healthy(found)


def test_settings_say_where_to_look(tmp_path, monkeypatch):
    for name in ("_python", "_packages", "_devices", "_codecs", "_extras"):
        monkeypatch.setattr(doctor, name, list)
    found = examined(settings(tmp_path / "mine" / "run", offline=True, store=tmp_path / "vectors"))
    assert of(found, "run folder").found.startswith(str(tmp_path / "mine" / "run"))
    assert of(found, "store").found.startswith(str(tmp_path / "vectors"))
    assert of(found, "huggingface").found == "not asked (encoders.offline is set)"


def test_the_cache_is_measured(tmp_path):
    blobs = tmp_path / "cache" / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "one").write_bytes(b"0" * 30_000_000)
    assert of(list(doctor._hubs(True)), "cache").found.endswith("1 models, 0.03 GB")


def test_memory_is_that_of_the_process():
    assert 10**8 < memory_bytes() < 10**14


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["doctor", "x"], "--config is missing; given: x"),
        (["encoders", "push"], "no such argument; given: push; mmgraph encoders"),
        (["encoders", "pull"], "--config is missing"),
        (["encoders", "pull", "--config", "a.yaml", "--to"], "encoders pull needs a folder after --to"),
        (["encoders", "pull", "--config", "no.yaml", "--to=x"], "cannot read the configuration; given: no.yaml"),
    ],
)
def test_wrong_words_are_one_line(capsys, words, message):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mmgraph: {message}")
    assert err.count("\n") == 1
