"""`mmgraph update` on runs of a small folder of tables: answers are trained on, and what is held out stays."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from runs_made import Asked, contents, half_written, read_csv, write_csv

from mmgraph import updating
from mmgraph.cli import main
from mmgraph.errors import RunError
from mmgraph.model.going_on import begin
from mmgraph.pipeline import built
from mmgraph.rerun import reopen


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = Asked(tmp_path_factory.mktemp("update"))
    made.write_books()
    made.set(model={"patience": 3})
    words = ("--encoders.text", "[hashed_ngrams]", "--split.labels.k", 2, "--evaluate.baselines", "[majority]")
    assert made(*words, "--trainer.max_epochs", 8, "--outputs.examples", 1)[0] == 0
    return made


@pytest.fixture
def run(made, tmp_path):
    """A copy that a test may change, beside the same store."""
    folder = made.run.parent / tmp_path.name
    shutil.copytree(made.run, folder)
    yield folder
    shutil.rmtree(folder)


def called(capsys, *words):
    capsys.readouterr()
    status = main(["update", *map(str, words)])
    return (status, *capsys.readouterr())


def answers(path, rows):
    write_csv(path, ("id", "field", "value"), rows)
    return path


TRUE = [(f"t{i}", "topic", "xyz"[i % 3]) for i in range(40, 52)]


def test_answers_are_trained_on_and_valid_and_test_stay(run, tmp_path, capsys):
    before, old = reopen(run), contents(run)
    (run / "asked.csv").write_text("mine")
    status, out, err = called(capsys, run, answers(tmp_path / "a.csv", [*TRUE, ("t52", "topic", ""), TRUE[0]]), "--epochs", 5)
    assert status == 0, err
    assert out.splitlines()[0] == "update 1: 12 answers to text.topic"
    after = reopen(run)
    one, two = before.split.labels["text.topic"], after.split.labels["text.topic"]
    assert (two.valid.tolist(), two.test.tolist()) == (one.valid.tolist(), one.test.tolist())
    ids = after.graph.ids["text"]
    assert {ids[i] for i in set(two.train) - set(one.train)} == {row[0] for row in TRUE}
    assert all(two.labels.classes[two.labels.values[i]] == "xyz"[i % 3] for i in two.train)
    seen = after.split.visible.labels["text", "topic"].values
    assert set(np.flatnonzero(seen >= 0)) == set(two.train)
    assert read_csv(run / "answers.csv") == [{"id": i, "field": "text.topic", "value": v} for i, _, v in TRUE]
    (done,) = json.loads((run / "updates.json").read_text())
    assert (done["answers"], done["aside"], done["fields"], done["epochs"]) == (12, 0, ["text.topic"], 5)
    for change in done["changes"]:
        rows = json.loads((run / "metrics.json").read_text())
        same = [r for r in rows if r["split"] == "test" and not r["group"] and r["n"] == change["n"]
                and all(r[key] == change[key] for key in ("target", "metric", "method"))]  # fmt: skip
        assert [r["value"] for r in same] == [change["after"]]
        assert change["difference"] == pytest.approx(change["after"] - change["before"])
        assert any(f"{change['before']:.3f} before, {change['after']:.3f} after" in line for line in out.splitlines())
    assert {change["target"] for change in done["changes"]} == {"text.topic", "text/follows/text"}
    assert all((change["low"] is None) == (change["target"] != "text.topic") for change in done["changes"])
    table = pd.read_parquet(run / "predictions" / "labels.parquet").set_index("id")
    assert set(table.index[table["split"] == "train"]) >= {row[0] for row in TRUE}
    new = contents(run)
    assert new.keys() - old.keys() == {"answers.csv", "updates.json", "asked.csv"}
    assert (run / "asked.csv").read_text() == "mine"
    same = {name for name in old if old[name] == new[name]}
    assert {"settings.yaml", "versions.json", "graph/graph.safetensors"} <= same
    assert not {"metrics.json", "checkpoints/best.ckpt", "predictions/labels.csv", "report/index.html"} & same
    assert not half_written(run)
    assert main(["evaluate", str(run), "--again"]) == 0


def test_what_is_measured_before_is_what_the_run_had(made, run, tmp_path, capsys):
    assert called(capsys, run, answers(tmp_path / "a.csv", TRUE), "--epochs", 1)[0] == 0
    (done,) = json.loads((run / "updates.json").read_text())
    rows = json.loads((made.run / "metrics.json").read_text())
    for change in done["changes"]:
        (value,) = {r["value"] for r in rows if r["split"] == "test" and not r["group"]
                    and all(r[key] == change[key] for key in ("target", "metric", "method"))}  # fmt: skip
        assert change["before"] == value


def test_training_goes_on_from_the_checkpoint(run, tmp_path, capsys, monkeypatch):
    """With nothing learnt since, the weights are those of the field's own best epoch."""
    begun = {}

    def watched(module, data, trainer, folder, settings):
        begun.update({name: value.clone() for name, value in module.state_dict().items()})
        return updating_train(module, data, trainer, folder, settings)

    updating_train = updating.train
    monkeypatch.setattr(updating, "train", watched)
    opened = reopen(run)
    (number,) = [i for i, one in enumerate(opened.trained.heads) if one.head.name == "text.topic"]
    best = torch.load(run / "checkpoints" / f"best-{number}.ckpt", weights_only=True)["state_dict"]
    assert called(capsys, run, answers(tmp_path / "a.csv", TRUE), "--epochs", 1)[0] == 0
    assert begun.keys() == best.keys()
    for name, value in best.items():
        torch.testing.assert_close(begun[name], value, rtol=0, atol=0)


def test_a_second_update_adds_to_the_first_and_a_repeated_one_is_refused(run, tmp_path, capsys):
    first, second = answers(tmp_path / "a.csv", TRUE[:6]), answers(tmp_path / "b.csv", TRUE)
    assert called(capsys, run, first, "--epochs", 1)[0] == 0
    status, _, err = called(capsys, run, first)
    assert status == 2
    assert "the run knows all of these answers; given: 6 answers; give it new ones" in err
    status, out, err = called(capsys, run, second, "--epochs", 1)
    assert status == 0, err
    assert out.splitlines()[0] == "update 2: 6 answers to text.topic, 6 more that were known"
    assert [row["id"] for row in read_csv(run / "answers.csv")] == [row[0] for row in TRUE]
    assert [one["number"] for one in json.loads((run / "updates.json").read_text())] == [1, 2]
    assert len(reopen(run).split.labels["text.topic"].train) == 6 + 12


def test_a_new_class_grows_the_model_and_stands_behind_the_others(run, tmp_path, capsys):
    rows = [*TRUE[:5], ("t58", "topic", "new"), ("t59", "topic", "new"), ("t56", "topic", "newer")]
    file = answers(tmp_path / "a.csv", rows)
    status, _, err = called(capsys, run, file)
    assert status == 2
    assert f"{file.name}, row 7: the field has no such class; given: new; classes: x, y, z; --new-classes adds it" in err
    status, _, err = called(capsys, run, file, "--new-classes", "--epochs", 1)
    assert status == 0, err
    opened = reopen(run)
    assert opened.split.labels["text.topic"].labels.classes == ("x", "y", "z", "new", "newer")
    assert json.loads((run / "updates.json").read_text())[0]["classes"] == {"text.topic": ["new", "newer"]}
    assert called(capsys, run, answers(tmp_path / "b.csv", [("t57", "topic", "new")]), "--epochs", 1)[0] == 0


def test_weights_that_have_grown_keep_what_they_had(run, tmp_path):
    opened = reopen(run)
    from mmgraph import registry
    from mmgraph.catalogue.answers import read_answers
    from mmgraph.split.answered import answered

    file = answers(tmp_path / "a.csv", [("t58", "topic", "new")])
    grown = answered(opened.split, opened.graph, read_answers(file), "parent", new_classes=True).split
    tasks = [registry.create("task", task) for task in opened.settings.tasks]
    module, _ = built(opened.settings, grown, tasks, {})
    fresh = {name: value.clone() for name, value in module.state_dict().items()}
    best = run / "checkpoints" / "best.ckpt"
    begin(module, best)
    state = torch.load(best, weights_only=True)["state_dict"]
    for name, value in module.state_dict().items():
        if name.startswith("heads.1.classify"):
            torch.testing.assert_close(value[:3], state[name])
            torch.testing.assert_close(value[3:], fresh[name][3:])
        else:
            torch.testing.assert_close(value, state[name])
    smaller, _ = built(opened.settings, opened.split, tasks[:1], {})
    torch.save({"state_dict": smaller.state_dict()}, tmp_path / "other.ckpt")
    with pytest.raises(RunError, match="other.ckpt is of another model; given: heads.1"):
        begin(module, tmp_path / "other.ckpt")


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """The same run after an update that nobody killed."""
    folder = made.run.parent / "whole"
    shutil.copytree(made.run, folder)
    file = answers(tmp_path_factory.mktemp("whole") / "a.csv", TRUE)
    assert main(["update", str(folder), str(file), "--epochs", "7"]) == 0
    return folder


@pytest.mark.parametrize("where", ["train", "write_answers", "put_in_place"])
def test_a_killed_update_goes_on_and_ends_with_the_same_numbers(whole, run, tmp_path, capsys, monkeypatch, where):
    file = answers(tmp_path / "a.csv", TRUE)
    before = contents(run)
    real = getattr(updating, where)

    def killed(*words, **named):
        if where == "train":
            real(words[0], words[1], {**words[2], "max_epochs": 5}, *words[3:])  # a checkpoint of the fifth epoch is there
        raise Killed

    monkeypatch.setattr(updating, where, killed)
    with pytest.raises(Killed):
        main(["update", str(run), str(file), "--epochs", "7"])
    monkeypatch.setattr(updating, where, real)
    now = contents(run)
    assert {name: now[name] for name in before if name != "log.jsonl"} == {n: h for n, h in before.items() if n != "log.jsonl"}
    other = answers(tmp_path / "b.csv", TRUE[:2])
    status, _, err = called(capsys, run, other)
    assert status == 2
    assert "an update with another file or options was cut off" in err
    assert called(capsys, run, file, "--epochs", 7)[0] == 0
    assert not (run / "update").exists()
    for name in ("metrics.json", "updates.json", "answers.csv", "predictions/labels.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


def test_an_update_that_was_cut_off_while_it_took_its_place_is_finished(made, run, tmp_path, capsys, monkeypatch):
    file = answers(tmp_path / "a.csv", TRUE)
    from mmgraph.outputs import placing

    real, moved = placing.shutil.rmtree, []

    def once(path):
        if moved:
            raise Killed
        moved.append(path)
        real(path)

    monkeypatch.setattr(placing.shutil, "rmtree", once)
    with pytest.raises(Killed):
        main(["update", str(run), str(file), "--epochs", "1"])
    monkeypatch.setattr(placing.shutil, "rmtree", real)
    assert main(["evaluate", str(run)]) == 2
    assert "an update of this run was cut off" in capsys.readouterr().err
    status, out, err = called(capsys, run, file, "--epochs", 1)
    assert status == 0, err
    assert out.splitlines()[0] == "update 1: 12 answers to text.topic"
    assert main(["evaluate", str(run), "--again"]) == 0


def test_a_run_with_answers_is_not_fitted_over(made, run, tmp_path, capsys):
    assert called(capsys, run, answers(tmp_path / "a.csv", TRUE), "--epochs", 1)[0] == 0
    settings = yaml.safe_load((run / "settings.yaml").read_text())
    settings["run"]["dir"] = str(run)
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(settings))
    for words in ((), ("--restart",)):
        capsys.readouterr()
        assert main(["fit", "--config", str(tmp_path / "again.yaml"), *words]) == 2
        said = f"this run has taken answers of people; given: {run / 'answers.csv'}; choose another run.dir"
        assert said in capsys.readouterr().err
    assert len(read_csv(run / "answers.csv")) == len(TRUE)


def test_items_that_belong_with_held_out_ones_are_known_and_not_trained_on(run, tmp_path, capsys):
    opened = reopen(run)
    split, ids = opened.split.labels["text.topic"], opened.graph.ids["text"]
    held = {int(ids[i][1:]) // 6 for i in (*split.valid, *split.test)}
    inside = [i for i in (8, 9) if i // 6 in held]
    assert inside, "the split has changed: take other items"
    rows = [(f"t{i}", "topic", "xyz"[i % 3]) for i in inside]
    status, out, err = called(capsys, run, answers(tmp_path / "a.csv", [*rows, *TRUE]), "--epochs", 1)
    assert status == 0, err
    assert f"; {len(inside)} items are not trained on, as they belong with held-out ones" in out
    now = reopen(run).split.labels["text.topic"]
    assert not set(inside) & set(now.train)
    assert (now.labels.values[inside] >= 0).all()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("t99", "topic", "x"), "a.csv, row 2: no item has this id; given: t99; near: t9"),
        (("b1", "topic", "x"), "a.csv, row 2: an item of kind book has no topic; given: b1; the field is of kind text"),
        (("t40", "mood", "x"), "a.csv, row 2: the run was not trained for labels of this field; given: mood; it answers: text.topic"),
        (("t40", "topic", "xx"), "a.csv, row 2: the field has no such class; given: xx; did you mean x?; --new-classes adds it"),
        (("t40", "topic", " "), "a.csv has no answer; given: 1 rows; fill in the column value"),
        (("", "topic", "x"), "a.csv, row 2, column 'id': not given; say which item and field the value is of"),
        (("t0", "topic", "y"), "a.csv, row 2: the item has another value; given: y, where it is x"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_one_line_and_changes_nothing(made, tmp_path, capsys, row, said):
    before = contents(made.run)
    status, _, err = called(capsys, made.run, answers(tmp_path / "a.csv", [row]))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
    assert contents(made.run) == before


def test_two_answers_that_contradict_each_other_are_one_line(made, tmp_path, capsys):
    file = answers(tmp_path / "a.csv", [TRUE[0], (TRUE[0][0], "topic", "z" if TRUE[0][2] != "z" else "x")])
    status, _, err = called(capsys, made.run, file)
    assert status == 2
    assert "a.csv, row 3: an earlier row gives the item another value; given: " in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "update needs a run folder and a file of answers or links; given: none"),
        (("RUN", "nowhere.csv"), "there is no such table; given: nowhere.csv"),
        (("RUN", "nowhere.csv", "--epochs", "0"), "--epochs needs at least one; given: 0"),
    ],
)
def test_what_cannot_be_called_is_one_line(made, capsys, words, said):
    status, _, err = called(capsys, *(made.run if word == "RUN" else word for word in words))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
