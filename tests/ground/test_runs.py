"""The run folder: gone on with by the same settings, refused to others, never a stranger's."""

import json
import os

import pytest

from mmgraph.configuration import load
from mmgraph.errors import RunError
from mmgraph.runs import RunFolder, RunModel, answering, finished_run, open_run, read_json, write_csv, write_json
from mmgraph.settings import Component, ModelSettings, RunSettings, Settings


def wanted(folder, **settings):
    return Settings(
        catalogue=Component(class_path="Folder", init_args={"root": "here"}), run=RunSettings(dir=folder), **settings
    )


@pytest.fixture
def begun(tmp_path):
    """A run whose training has begun."""
    run = open_run(wanted(tmp_path / "run"))
    run.checkpoints.mkdir()
    write_json(run.metrics, [])
    return run


def test_a_new_folder_has_the_settings(tmp_path):
    settings = wanted(tmp_path / "a" / "run")
    run = open_run(settings)
    assert load(run.settings) == settings
    assert [path.name for path in run.path.iterdir()] == ["settings.yaml"]


def test_an_empty_folder_is_taken(tmp_path):
    assert open_run(wanted(tmp_path)).settings.exists()


def test_the_same_settings_go_on(begun):
    open_run(wanted(begun.path))
    assert begun.metrics.exists()
    assert begun.checkpoints.exists()


def test_training_longer_is_going_on(begun):
    open_run(wanted(begun.path, trainer={"max_epochs": 9}))
    assert load(begun.settings).trainer == {"max_epochs": 9}
    assert begun.metrics.exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"model": ModelSettings(width=3)}, "model.width: 3 instead of 128"),
        ({"tasks": ("links",)}, r"tasks: \('links',\) instead of \(\)"),
        ({"encoders": {"image": ("clap",)}}, r"encoders.image\[0\]: clap instead of image_statistics"),
    ],
)
def test_other_settings_are_refused_and_the_key_is_named(begun, other, message):
    from mmgraph.settings import convert, plain

    settings = convert(
        {**plain(wanted(begun.path)), **{k: v if isinstance(v, dict) else plain_of(v) for k, v in other.items()}}, Settings
    )
    before = begun.settings.read_bytes()
    with pytest.raises(RunError, match=rf"holds a run made by other settings; given: {message}; .*--restart"):
        open_run(settings)
    assert begun.settings.read_bytes() == before
    assert begun.metrics.exists()


def plain_of(value):
    import msgspec

    return msgspec.to_builtins(value, enc_hook=str)


def test_a_run_that_never_trained_may_be_mended(tmp_path):
    open_run(wanted(tmp_path / "run"))
    mended = wanted(tmp_path / "run", model=ModelSettings(width=3))
    assert load(open_run(mended).settings) == mended


def test_restart_throws_away_what_the_run_wrote_and_nothing_else(begun):
    mine = begun.path / "notes.txt"
    mine.write_text("mine")
    (begun.path / "store").mkdir()
    begun.report.parent.mkdir()
    begun.report.write_text("<html>")
    settings = wanted(begun.path, model=ModelSettings(width=3))
    open_run(settings, restart=True)
    assert load(begun.settings) == settings
    assert sorted(path.name for path in begun.path.iterdir()) == ["notes.txt", "settings.yaml", "store"]


def test_restart_of_nothing_is_a_start(tmp_path):
    assert open_run(wanted(tmp_path / "new"), restart=True).settings.exists()


@pytest.mark.parametrize("restart", [False, True])
def test_a_strangers_folder_is_refused(tmp_path, restart):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="run.dir is no run folder and not empty; given: .*; choose another run.dir"):
        open_run(wanted(tmp_path), restart)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="run.dir is a file, not a folder; given: .*thesis.txt; choose another run.dir"):
        open_run(wanted(tmp_path / "thesis.txt"))


@pytest.mark.parametrize("restart", [False, True])
def test_a_strangers_settings_are_refused(tmp_path, restart):
    (tmp_path / "settings.yaml").write_text("editor: vi\n")
    (tmp_path / "graph").mkdir()
    with pytest.raises(RunError, match="settings.yaml are no settings of a run; given: editor is not a setting"):
        open_run(wanted(tmp_path), restart)
    assert (tmp_path / "graph").exists()


def test_what_a_killed_process_left_is_swept(begun):
    begun.predictions.mkdir()
    left = [begun.path / ".metrics.json.1234.part", begun.predictions / ".links.csv.1234.part"]
    for path in left:
        path.write_text("half")
    open_run(wanted(begun.path))
    assert not any(path.exists() for path in left)


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"cannot write .*settings.yaml; given: .*; free or choose another disk"):
        open_run(wanted(tmp_path / "file" / "run"))


def test_every_file_of_a_run_is_documented():
    from pathlib import Path

    text = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
    run = RunFolder(Path("run"))
    names = [getattr(run, name) for name, value in vars(RunFolder).items() if isinstance(value, property)]
    assert len(names) > 10
    for path in names:
        assert os.fspath(path.relative_to("run")) in text, path


def test_json_and_csv_are_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    assert read_json(tmp_path / "a.json") == {"ü": [1, None]}
    assert "ü" in (tmp_path / "a.json").read_text(encoding="utf-8")
    write_csv(tmp_path / "a.csv", ("id", "reason"), [("a,b", 'say "no"\nnow')])
    assert (tmp_path / "a.csv").read_text() == 'id,reason\n"a,b","say ""no""\nnow"\n'


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", [float("nan")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [None, "{", ""])
def test_broken_json_is_said(tmp_path, text):
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(RunError, match="cannot read .*a.json"):
        read_json(tmp_path / "a.json")
    with pytest.raises(json.JSONDecodeError):
        json.loads("{")


def test_of_a_folder_of_runs_those_in_it_are_named(tmp_path):
    for seed in (3, 4):
        open_run(wanted(tmp_path / f"seed-{seed}"))
    with pytest.raises(
        RunError, match="this is no run folder; given: .*; give one of those in it, such as .*seed-3, .*seed-4$"
    ):
        finished_run(tmp_path)


def test_the_models_that_answer_some_heads():
    one = Settings(catalogue="tables").model
    first, second = RunModel(one, "1", None), RunModel(one, "0", frozenset({"a.x", "a/r/b"}))
    assert answering([first], {"a.x"}) == [first]
    assert answering([first, second], {"a.x", "a.y", "a/r/b"}) == [first, second]
    assert answering([first, second], {"a.x", "a.y"}) == [first, RunModel(one, "0", frozenset({"a.x"}))]
    assert answering([first, second], {"a.y"}) == [first]
    assert answering([first, second], {"a.x"}) == [RunModel(one, "0", None)]
