"""``model.candidates``: each model is trained, validation takes one, and the run is that of the one that was taken."""

import dataclasses
import json
import shutil

import pytest
from runs_made import QUICK, Asked, write_csv

from mmgraph import pipeline
from mmgraph.cli import main
from mmgraph.configuration import load
from mmgraph.errors import RunError, SettingsError

MODELS = [{"layer": "sage"}, {"layer": "sgc", "depth": 1}, {"layer": "appnp", "depth": 3, "width": 16, "dropout": 0.5}]
FAST = (*QUICK, "--evaluate.baselines", "[majority]", "--outputs.examples", "1", "--trainer.max_epochs", "4")
TOPIC = {"class_path": "Categories", "init_args": {"field": "topic"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = Asked(tmp_path_factory.mktemp("candidates"))
    made.set(model={"candidates": MODELS})
    assert made(*FAST)[0] == 0
    return made


def read(run, name):
    return json.loads((run / name).read_text())


def test_each_was_judged_as_if_it_were_alone_and_the_best_is_the_run(made):
    tried = read(made.run, "models.json")
    assert [one["name"] for one in tried] == ["sage", "sgc, depth 1", "appnp, depth 3, width 16, dropout 0.5"]
    assert not (made.run / "tried").exists()
    best = max(tried, key=lambda one: one["value"])
    assert [one["chosen"] for one in tried] == [one is best for one in tried]
    values = {}
    for number, model in enumerate(MODELS):
        alone = made.run.parent / f"alone-{number}"
        made.set(
            model={"candidates": [], "layer": "sage", "depth": 2, "dropout": 0.3, **model, "width": model.get("width", 8)}
        )
        assert made(*FAST, "--run.dir", alone)[0] == 0
        rows = [line.split(",") for line in (alone / "curves.csv").read_text().splitlines()[1:]]
        for what in ("text/follows/text mrr", "text.topic accuracy"):
            values[what] = max(float(row[2]) for row in rows if row[1] == "valid/" + what.replace(" ", "/"))
        assert tried[number]["figures"] == pytest.approx(values)
        assert tried[number]["value"] == pytest.approx(sum(values.values()) / 2)
        if tried[number]["chosen"]:
            for file in ("metrics.json", "evidence.json", "curves.csv"):
                assert (alone / file).read_text() == (made.run / file).read_text()
    made.set(model={"candidates": MODELS, "layer": "sage", "depth": 2, "dropout": 0.3, "width": 8})


def test_commands_on_the_run_take_the_model_that_was_taken(made, capsys):
    assert main(["evaluate", str(made.run), "--again"]) == 0
    assert "the numbers are those of metrics.json (largest difference 0)" in capsys.readouterr().out
    assert main(["label", str(made.run)]) == 0
    page = (made.run / "report" / "index.html").read_text()
    assert "Models that were tried" in page
    assert all(one["name"] in page for one in read(made.run, "models.json"))


def test_an_update_goes_on_with_the_model_that_was_taken(made, tmp_path, capsys):
    run, answers = made.run.parent / "updated", tmp_path / "answers.csv"
    shutil.copytree(made.run, run)
    write_csv(answers, ("id", "field", "value"), [("t34", "topic", "y"), ("t35", "topic", "z")])
    assert main(["update", str(run), str(answers)]) == 0
    assert read(run, "models.json") == read(made.run, "models.json")
    assert "Models that were tried" in (run / "report" / "index.html").read_text()
    capsys.readouterr()
    assert main(["evaluate", str(run), "--again"]) == 0
    assert "the numbers are those of metrics.json (largest difference 0)" in capsys.readouterr().out


def test_a_killed_run_goes_on_with_the_model_at_which_it_was_killed(made, monkeypatch, tmp_path):
    run, whole, calls = tmp_path / "killed", pipeline.train, []

    def killed(module, data, trainer, folder, settings):
        calls.append(folder.name)
        if calls == ["0", "1"]:
            raise RunError("killed")
        return whole(module, data, trainer, folder, settings)

    monkeypatch.setattr(pipeline, "train", killed)
    assert made(*FAST, "--run.dir", run)[0] == 2
    assert (run / "tried" / "0" / "best.ckpt").exists()
    status = made(*FAST, "--run.dir", run, "--model.width=12")[0]
    assert status == 2, "training has begun: another model is another run"
    assert made(*FAST, "--run.dir", run)[0] == 0
    assert calls == ["0", "1", "0", "1", "2"]
    for file in ("models.json", "metrics.json", "curves.csv"):
        assert (run / file).read_text() == (made.run / file).read_text()
    calls.append("evaluation was killed")
    (run / "metrics.json").unlink()
    assert made(*FAST, "--run.dir", run)[0] == 0
    assert calls[-1] == "checkpoints", "the choice was made: the chosen model alone goes on"
    assert (run / "metrics.json").read_text() == (made.run / "metrics.json").read_text()


def test_without_validation_there_is_nothing_to_choose_by(asked):
    asked.set(model={"candidates": MODELS}, tasks=[TOPIC], split={"labels": {"valid": 0.0}})
    status, _, err = asked(*FAST)
    assert status == 2
    assert "model.candidates: there is nothing on validation to choose a model by" in err
    assert not (asked.run / "tried").exists(), "nothing was trained, so the settings may still be mended"
    assert asked(*FAST, "--split.labels.valid", "0.2")[0] == 0


def test_a_model_that_ran_away_is_one_clear_line(made, tmp_path, monkeypatch):
    run, whole = tmp_path / "ran_away", pipeline.train

    def ran_away(*given):
        trained = whole(*given)
        return dataclasses.replace(trained, curves=[(epoch, name, float("nan")) for epoch, name, _ in trained.curves])

    monkeypatch.setattr(pipeline, "train", ran_away)
    with pytest.raises(
        SettingsError, match="sage has no finite mrr of text/follows/text on validation; lower its learning_rate"
    ):
        pipeline.fit(load(made.config, [*FAST, "--run.dir", str(run)]))
    assert not (run / "models.json").exists()


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"layer": "sgcc"}, "model.candidates[1].layer"),
        ({"layer": "sgc", "deep": 3}, "deep"),
        ({"depth": 3}, "layer"),
        ({"layer": "sgc", "depth": -1}, "model.candidates[1].depth"),
    ],
)
def test_a_candidate_that_is_none_is_one_clear_line(asked, candidate, said):
    asked.set(model={"candidates": [{"layer": "sage"}, candidate]})
    status, _, err = asked()
    assert status == 2
    assert said in err
    assert "candidates" in err
    assert len(err.strip().splitlines()) == 1
    assert not asked.run.exists()


def test_a_dry_run_counts_the_time_of_all(asked):
    asked.set(model={"candidates": MODELS})
    status, out, err = asked("--dry-run")
    assert status == 0, err
    assert "training, the other models" in out
    assert not asked.run.exists()


def test_it_is_said_which_was_taken(asked):
    asked.set(model={"candidates": MODELS[:2]}, tasks=[TOPIC])
    status, out, _ = asked(*FAST)
    assert status == 0
    taken = next(one["name"] for one in read(asked.run, "models.json") if one["chosen"])
    assert f"of 2 models validation chose {taken} (" in out
