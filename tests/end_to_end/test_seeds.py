"""``mmgraph fit --seeds``: one run a seed, and what they say together."""

import json
import re
import statistics

import pytest
from runs_made import QUICK, Asked

from mmgraph import pipeline
from mmgraph.cli import main
from mmgraph.errors import RunError

FAST = (*QUICK, "--outputs.report", "false", "--evaluate.baselines", "[popularity, majority]", "--trainer.max_epochs", "1")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    return Asked(tmp_path_factory.mktemp("seeds"))


def metrics(folder):
    return {
        (one["target"], one["split"], one["method"], one["metric"]): one["value"]
        for one in json.loads((folder / "metrics.json").read_text())
        if not one["group"]
    }


def test_a_killed_series_goes_on_and_its_numbers_are_those_of_its_runs(asked, monkeypatch, capsys):
    whole, calls = pipeline.fit, []

    def killed(settings, restart=False):
        calls.append(settings.run.seed)
        if settings.run.seed == 4 and calls.count(4) == 1:
            raise RunError("killed")
        return whole(settings, restart)

    monkeypatch.setattr(pipeline, "fit", killed)
    assert asked(*FAST, "--seeds", "2", "--run.seed", "3")[0] == 2
    assert not (asked.run / "seeds.json").exists()
    assert asked(*FAST, "--seeds=2", "--run.seed", "3")[0] == 0
    assert calls == [3, 4, 4]  # the finished one was left as it is
    told = json.loads((asked.run / "seeds.json").read_text())
    assert (told["seeds"], told["runs"], told["split"]) == ([3, 4], ["seed-3", "seed-4"], "seed")
    each = [metrics(asked.run / name) for name in told["runs"]]
    assert each[0] != each[1]
    for one in told["metrics"]:
        key = (one["target"], one["split"], one["method"], one["metric"])
        assert one["values"] == [run[key] for run in each if key in run]
        assert one["mean"] == pytest.approx(statistics.mean(one["values"]))
    assert {one["target"] for one in told["differences"]} == {"text/follows/text", "text.topic"}
    held = [(asked.run / name / "predictions" / "held_out.csv").read_text() for name in told["runs"]]
    assert held[0] != held[1]
    assert (asked.run.parent / "store").is_dir()  # the one of every run beside; media are encoded once
    assert not (asked.run / "store").exists()
    capsys.readouterr()
    assert main(["evaluate", str(asked.run)]) == 0
    assert "text/follows/text  (test, 2 seeds)" in capsys.readouterr().out
    assert main(["compare", str(asked.run)]) == 0
    assert re.search(r"(?s)seed-3.*seed-4", capsys.readouterr().out)


def test_the_split_can_stay_the_same(asked):
    other = asked.run.parent / "same"
    assert asked(*FAST, "--run.dir", other, "--seeds", "1,2", "--same-split")[0] == 0
    held = [(other / f"seed-{seed}" / "predictions" / "held_out.csv").read_text() for seed in (1, 2)]
    assert held[0] == held[1]
    told = json.loads((other / "seeds.json").read_text())
    assert told["split"] == "same"


@pytest.mark.parametrize(("words", "wrong"), [
    (("--seeds", "five"), "--seeds needs how many seeds, or seeds with commas between; given: five; --seeds 5"),
    (("--seeds", "0"), "--seeds needs how many seeds"),
    (("--seeds", "1,1"), "--seeds names a seed twice; given: 1,1"),
    (("--seeds",), "--seeds needs a number, or seeds with commas between"),
    (("--same-split",), "--same-split is for several seeds; give --seeds N as well"),
])  # fmt: skip
def test_mistakes_are_one_line(asked, capsys, words, wrong):
    assert main(["fit", "--config", str(asked.config), *words]) == 2
    assert capsys.readouterr().err.startswith(f"mmgraph: {wrong}")


def test_a_run_is_no_place_for_several(asked, capsys):
    inside = asked.run / "seed-3"
    assert main(["fit", "--config", str(asked.config), "--run.dir", str(inside), "--seeds", "2"]) == 2
    assert "run.dir holds a single run already" in capsys.readouterr().err
