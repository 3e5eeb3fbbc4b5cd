"""Making a corpus: the same again, whole or not at all, and never over somebody's files."""

import json
import logging
import shutil
import subprocess
import sys
import time

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from mmgraph.corpus import CorpusSize, build, make
from mmgraph.errors import RunError

TINY = CorpusSize(videos=1, images=2, music=2, texts=2, users=2)


def _samples(folder):
    """Every file of a corpus, decoded."""
    found = {}
    for path in sorted(folder.glob("*/*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix == ".mp4":
                with av.open(str(path)) as file:
                    found[name] = [frame.to_ndarray() for frame in file.decode()]
            elif path.suffix in (".ogg", ".wav"):
                found[name] = [soundfile.read(path)[0]]
            elif path.suffix in (".png", ".jpg"):
                found[name] = [np.asarray(Image.open(path))]
            else:
                found[name] = [np.frombuffer(path.read_bytes(), dtype=np.uint8)]
        except (av.error.InvalidDataError, soundfile.LibsndfileError, OSError):
            found[name] = [np.frombuffer(path.read_bytes(), dtype=np.uint8)]
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "corpus"
    make(folder, seed=5, size=TINY, workers=1)
    return folder


def test_the_same_seed_gives_the_same_samples_for_any_number_of_workers(tiny, tmp_path):
    make(tmp_path / "again", seed=5, size=TINY, workers=3)
    one, other = _samples(tiny), _samples(tmp_path / "again")
    assert list(one) == list(other)
    for name, arrays in one.items():
        assert len(arrays) == len(other[name])
        for left, right in zip(arrays, other[name], strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)
    for name in ("items.csv", "links.csv", "labels.csv"):
        assert (tiny / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_listening_adds_rows_and_nothing_else(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "_media", lambda *_: None)
    make(tmp_path / "more", seed=5, size=TINY, workers=1, listening=True)
    for name in ("items.csv", "labels.csv"):
        assert (tiny / name).read_bytes() == (tmp_path / "more" / name).read_bytes()
    plain, more = ((folder / "links.csv").read_text().splitlines() for folder in (tiny, tmp_path / "more"))
    assert {line.split(",")[1] for line in set(more) - set(plain)} == {"listens"} and set(plain) < set(more)
    with pytest.raises(RunError, match="holds another sample corpus"):
        make(tmp_path / "more", seed=5, size=TINY)


def test_another_seed_gives_other_files(tiny, tmp_path):
    make(tmp_path / "other", seed=6, size=TINY, workers=1)
    assert not {path.name for path in tiny.glob("*/*")} & {path.name for path in (tmp_path / "other").glob("*/*")}
    assert (tiny / "links.csv").read_bytes() != (tmp_path / "other" / "links.csv").read_bytes()


def test_a_corpus_that_is_there_is_left_alone(tiny, caplog):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    with caplog.at_level(logging.INFO, logger="mmgraph"):
        make(tiny, seed=5, size=TINY)
    assert "already in" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_an_empty_folder_is_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "jobs", lambda _folder, _truth: [])
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty", seed=5, size=TINY, workers=1)
    assert json.loads((tmp_path / "empty" / ".mmgraph-sample.json").read_text())["seed"] == 5


@pytest.mark.parametrize(("seed", "size"), [(4, TINY), (5, CorpusSize(videos=2))])
def test_another_corpus_is_not_overwritten(tiny, seed, size):
    with pytest.raises(RunError, match=r"holds another sample corpus; given: .*choose another folder"):
        make(tiny, seed=seed, size=size)


def test_foreign_files_are_not_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="holds something that is no sample corpus"):
        make(tmp_path, size=TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="holds something that is no sample corpus"):
        make(tmp_path / "file", size=TINY)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_stopped_run_leaves_nothing(tmp_path, monkeypatch, error):
    def stop(*_arguments):
        raise error

    monkeypatch.setattr(build, "_tables", stop)
    monkeypatch.setattr(build, "jobs", lambda _folder, _truth: [])
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else RunError) as raised:
        make(tmp_path / "deep" / "corpus", size=TINY, workers=1)
    assert raised.type is KeyboardInterrupt or "No space left on device" in str(raised.value)
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_a_killed_run_left_is_swept_and_what_a_living_one_writes_is_not(tiny, tmp_path, monkeypatch):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    left, living = tmp_path / f".corpus.{gone.stdout.strip()}.part", tmp_path / ".corpus.1.part"
    (left / "videos").mkdir(parents=True)
    living.mkdir()
    monkeypatch.setattr(build, "jobs", lambda _folder, _truth: [])
    make(tmp_path / "corpus", size=TINY, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".corpus.1.part", "corpus"]


def test_a_kill_leaves_no_half_corpus_and_the_next_run_sweeps_up(tmp_path):
    folder = tmp_path / "corpus"
    code = f"from mmgraph.corpus import make; from pathlib import Path; make(Path({str(folder)!r}), workers=1)"
    running = subprocess.Popen([sys.executable, "-c", code])
    left = tmp_path / f".corpus.{running.pid}.part"
    deadline = time.monotonic() + 60
    while not any(left.glob("videos/*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.kill()
    running.wait()
    assert left.is_dir()
    assert not folder.exists()
    make(folder, seed=5, size=TINY, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_worker_that_fails_is_reported_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(build.sys, "executable", shutil.which("false"))
    with pytest.raises(RunError, match=r"cannot write .*; given: stopped") as raised:
        make(tmp_path / "corpus", size=TINY, workers=2)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_the_marker_tells_nothing_of_the_truth(tiny):
    assert set(json.loads((tiny / ".mmgraph-sample.json").read_text())) == {"version", "seed", "size"}


def test_importing_the_package_loads_no_codec():
    code = "import sys, mmgraph.corpus; assert not {'av', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
