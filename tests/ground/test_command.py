"""The command line answers fast, and without the heavy libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmgraph.cli import main

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 0.4
HEAVY = ("torch", "numpy", "pandas", "lightning", "dgl", "sklearn", "pyarrow", "rich")
ASK = f"""
import sys
from mmgraph.cli import main
status = main(sys.argv[1:])
print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""
VIDEO = str(ROOT / "configs" / "video.yaml")
WRONG = {
    "an unknown key": ("--modle.width=3", "modle is not a setting; given: {'width': 3}; did you mean model?"),
    "a wrong type": ("--model.width=wide", "model.width: expected int, got str; given: wide; give int >= 1"),
    "an unknown key of a component": (
        "--tasks.0.relatoin=a/b/c",
        "tasks[0].relatoin is not an argument of Links; given: a/b/c; did you mean relation?",
    ),
    "a wrong type of a component": (
        "--tasks.2.weight=much",
        "tasks[2].weight: expected float, got str; given: much; its type is float",
    ),
    "an unknown key of the trainer": (
        "--trainer.max_epoch=3",
        "trainer.max_epoch is not an argument of lightning.Trainer; given: 3; did you mean max_epochs?",
    ),
}


def asked(*words):
    """Exit status, lines of stderr, and the least seconds of CPU of eight tries, or of those before it was little enough."""
    least = float("inf")
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", ASK, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        out, err = process.stdout.read(), process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        process.stderr.close()
        least = min(least, used.ru_utime + used.ru_stime)
        if least <= LIMIT_S:
            break
    return process.returncode, out, err.splitlines(), least


def test_help_is_fast_and_light():
    status, out, err, seconds = asked("--help")
    assert status == 0
    assert "usage: mmgraph COMMAND" in out
    assert err == ["loaded:"]
    assert seconds <= LIMIT_S


@pytest.mark.parametrize("case", WRONG)
def test_a_typing_error_is_answered_fast_and_light(case):
    word, message = WRONG[case]
    status, out, err, seconds = asked("fit", "--config", VIDEO, word)
    assert status == 2
    assert out == ""
    assert err == [f"mmgraph: {message}", "loaded:"]
    assert seconds <= LIMIT_S


def test_the_package_is_the_command():
    words = [sys.executable, "-m", "mmgraph", "--help"]
    told = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
    assert told.stdout.startswith("usage: mmgraph COMMAND")


def test_a_typing_error_in_the_file_is_answered_as_well(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(Path(VIDEO).read_text().replace("relation: segment/follows", "relaton: segment/follows"))
    status, _, err, seconds = asked("fit", "--config", str(path))
    assert (status, err[1]) == (2, "loaded:")
    assert "tasks[0].relaton is not an argument of Links; given: segment/follows/segment; did you mean relation?" in err[0]
    assert seconds <= LIMIT_S


def test_the_resolved_settings_are_printed_without_a_run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", VIDEO, "--model.width", "7", "--print_config"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "printed.yaml").write_text(printed)
    assert main(["fit", "--config=printed.yaml", "--print_config"]) == 0
    assert capsys.readouterr().out == printed
    assert "width: 7" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["printed.yaml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["fti"],
            "no such command; given: fti; known: fit, encode, evaluate",
        ),
        (["fit"], "--config is missing; given: nothing; write --config FILE.yaml"),
        (["fit", "--config"], "--config is missing"),
        (
            ["fit", "/"],
            "--config is missing; given: /; write --config FILE.yaml, for a folder of media such as configs/folder.yaml, and",
        ),
        (["fit", "x.yaml"], "--config is missing; given: x.yaml"),
        (["fit", "--config", "no.yaml"], "cannot read the configuration; given: no.yaml; No such file or directory"),
        (
            ["fit", "--config", "a.yaml", "--config=b.yaml"],
            "--config is given twice; given: a.yaml and b.yaml; keep one of them",
        ),
        (
            ["predict", "run", "--to", "a.csv", "--to", "b.csv"],
            "--to is given twice; given: a.csv and b.csv; keep one of them",
        ),
        (["predict", "run", "--to", "a.csv", "--format", "json"], "--to must end as its format; given: a.csv; name it a.json"),
        (["predict", "run", "--recall", "0.5"], "--recall is for an approximate search; give --approximate as well"),
        (["compare", "run"], "compare needs two runs at least; given: run; mmgraph compare RUN RUN ..."),
        (["names", "run", "no.yaml"], "cannot read the names; given: no.yaml; No such file or directory"),
        (["settings", "model"], "no such argument; given: model; mmgraph settings"),
        (["sample"], "sample needs a folder; mmgraph sample DIR"),
        (["sample", "a", "b"], "no such argument; given: b"),
        (["sample", "a", "--seed", "x"], "no such argument; given: --seed"),
    ],
)
def test_wrong_words_are_one_line(capsys, words, message):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mmgraph: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["-h"], ["fit", "--help"], ["--version"], ["settings"]])
def test_questions_are_answered(capsys, words):
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""
