"""``model.candidates``: each model is trained, the best on validation answers, and another what it is clearly better at."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from runs_made import QUICK, Asked, contents, write_csv
from torch import nn

from mmgraph import candidates, pipeline
from mmgraph.candidates import best
from mmgraph.cli import main
from mmgraph.configuration import load
from mmgraph.errors import RunError, SettingsError
from mmgraph.evaluate.prepared import of_links
from mmgraph.knock_outs import same
from mmgraph.model.train import Trained, TrainedHead
from mmgraph.newcomer import network_scores
from mmgraph.pipeline import refitted
from mmgraph.rerun import reopen
from mmgraph.runs import RunFolder
from mmgraph.settings import CandidateSettings, ModelSettings, Settings
from mmgraph.taking import tasks_of
from mmgraph.types import Relation

MODELS = [{"layer": "sage"}, {"layer": "sgc", "depth": 1, "width": 32}, {"layer": "none", "width": 32, "dropout": 0.5}]
FAST = (*QUICK, "--evaluate.baselines", "[majority]", "--outputs.examples", "1", "--trainer.max_epochs", "4")
HEADS = {"text/follows/text": "mrr", "text.topic": "accuracy"}
TOPIC = {"class_path": "Categories", "init_args": {"field": "topic"}}


@pytest.fixture(scope="module", autouse=True)
def _several_answer():
    """Over four links nothing is clearly better; here whatever is better answers, so that what follows is of several models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "best", lambda figures, main, count: best(figures, main, 0))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = Asked(tmp_path_factory.mktemp("candidates"))
    made.set(model={"candidates": MODELS})
    assert made(*FAST)[0] == 0
    return made


def read(run, name):
    return json.loads((run / name).read_text())


def of_target(run, file, target):
    return [one for one in read(run, file) if one["target"] == target]


def curves(run):
    return (run / "curves.csv").read_text().splitlines()


def test_each_was_judged_as_if_it_were_alone_and_answers_what_it_is_best_at(made):
    tried = read(made.run, "models.json")
    assert [one["name"] for one in tried] == ["sage", "sgc, depth 1, width 32", "none, width 32, dropout 0.5"]
    assert not (made.run / "tried").exists()
    assert [sorted(one["heads"]) for one in tried] == [
        [],
        ["text/follows/text"],
        ["text.topic"],
    ]  # several, so what follows is of several
    best = max(tried, key=lambda one: one["value"])
    assert [one["chosen"] for one in tried] == [one is best for one in tried]
    values, answered = {}, set()
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
        for head in tried[number]["heads"]:
            answered.add(head)
            best_of_all = max(one["figures"][f"{head} {HEADS[head]}"] for one in tried)
            assert tried[number]["figures"][f"{head} {HEADS[head]}"] == best_of_all
            for file in ("metrics.json", "evidence.json"):
                assert of_target(alone, file, head) == of_target(made.run, file, head) != []
            mine = [row for row in curves(alone) if head in row]
            assert mine == [row for row in curves(made.run) if head in row]
        if tried[number]["chosen"]:
            for file in sorted(path.name for path in (alone / "embeddings").iterdir()):
                assert (alone / "embeddings" / file).read_bytes() == (made.run / "embeddings" / file).read_bytes()
    assert answered == set(HEADS)
    places = {path.name for path in (made.run / "checkpoints").iterdir()}
    assert places == {str(i) for i, one in enumerate(tried) if one["chosen"] or one["heads"]}
    made.set(model={"candidates": MODELS, "layer": "sage", "depth": 2, "dropout": 0.3, "width": 8})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.data(), st.integers(1, 500))
def test_another_answers_only_what_it_is_clearly_better_at(figures, data, count):
    main = data.draw(st.integers(0, len(figures) - 1))
    taken = best(figures, main, count)
    if taken != main:
        assert figures[taken] == max(figures)
        assert figures[taken] - figures[main] > np.sqrt(figures[taken] * (1 - figures[taken]) / count)
    elif figures[main] < max(figures):
        assert max(figures) - figures[main] <= np.sqrt(max(figures) * (1 - max(figures)) / count) + 1e-12
    assert best(figures, main, 0) == main or figures[main] < max(figures)


class Made(nn.Module):
    """A head that is known by its name and figure."""

    def __init__(self, name):
        super().__init__()
        self.name, self.figure = name, "mrr"


def test_what_was_passed_over_may_be_taken_when_another_is_the_main_one(tmp_path):
    """Of a, which the first two are nearly as good at, the second; the first is the main one until the third comes."""
    figures = {"0": (0.50, 0.50), "1": (0.52, 0.40), "2": (0.30, 0.90)}

    def trained(folder, only=None):
        heads = [TrainedHead(Made(name), {"item": torch.tensor([[float(folder.name)]])}) for name in only or ("a", "b")]
        curves = [(0, f"valid/{name}/mrr", value) for name, value in zip("ab", figures[folder.name], strict=True)]
        return Trained(heads, {"item": torch.tensor([[float(folder.name)]])}, curves)

    def train(settings, folder):
        folder.mkdir(parents=True)
        return trained(folder)

    settings = Settings(
        catalogue="tables", model=ModelSettings(candidates=tuple(CandidateSettings(layer="sage") for _ in range(3)))
    )
    run = RunFolder(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "best", best)
        answer = candidates.choose_model(
            settings, run, train, lambda _, folder, curves, only: trained(folder, only), {"a": 400, "b": 400}
        )
    assert [(one.head.name, one.embeddings["item"].item()) for one in answer.heads] == [("a", 1), ("b", 2)]
    assert answer.embeddings["item"].item() == 2
    assert [(one["chosen"], one["heads"]) for one in read(tmp_path, "models.json")] == [
        (False, []),
        (False, ["a"]),
        (True, ["b"]),
    ]
    assert {path.name for path in run.checkpoints.iterdir()} == {"1", "2"}
    assert answer.curves == [(0, "valid/b/mrr", 0.90), (0, "valid/a/mrr", 0.52)]


def test_how_many_validation_links_and_labels_there_are_is_known_by_the_names_of_heads(made, monkeypatch):
    asked, opened = [], reopen(made.run)
    monkeypatch.setattr(candidates, "best", lambda figures, main, count: asked.append(count) or 0)
    pipeline.fit(load(made.config, [*FAST, "--run.dir", str(made.run.parent / "counted"), "--trainer.max_epochs", "1"]))
    held = [len(opened.split.links[Relation.parse("text/follows/text")].valid), len(opened.split.labels["text.topic"].valid)]
    assert asked == held and 0 < held[0] < held[1]


def test_facts_are_counted_and_what_answers_nothing_stays_with_the_main_model(asked, monkeypatch):
    counts = []
    monkeypatch.setattr(candidates, "best", lambda figures, main, count: counts.append(count) or int(main == 0))
    facts = {"class_path": "Facts", "init_args": {"kind": "text"}}
    likes = {"class_path": "Recommend", "init_args": {"relation": "user/likes/text"}}
    asked.set(model={"candidates": MODELS[:2]}, tasks=[facts, likes, {"class_path": "Masked"}])
    assert asked(*FAST, "--trainer.max_epochs", "1")[0] == 0
    tried, relations = read(asked.run, "models.json"), read(asked.run, "graph.json")["relations"]
    valid = {one["relation"]: one["valid"] for one in relations}
    assert counts[0] == valid["text/follows/text"] > 0
    assert 0 < counts[1] <= min(5, valid["user/likes/text"]), "users, not their links"
    assert len(counts) == 2
    assert {one["chosen"]: one["heads"] for one in tried} == {True: ["masked"], False: ["text/*/text", "user/likes/text"]}


def test_a_call_that_is_killed_when_it_has_chosen_goes_on(made, monkeypatch, tmp_path):
    run, remove = tmp_path / "chosen", shutil.rmtree

    def killed(path, *more, **named):
        if path == run / "checkpoints" / "0":
            (path / "best.ckpt").unlink()
            raise RunError("killed")
        remove(path, *more, **named)

    monkeypatch.setattr(shutil, "rmtree", killed)
    assert made(*FAST, "--run.dir", run)[0] == 2
    monkeypatch.setattr(shutil, "rmtree", remove)
    assert made(*FAST, "--run.dir", run)[0] == 0
    assert (run / "metrics.json").read_text() == (made.run / "metrics.json").read_text()


def test_commands_on_the_run_take_the_models_that_were_taken(made, capsys):
    assert main(["evaluate", str(made.run), "--again"]) == 0
    assert "the numbers are those of metrics.json (largest difference 0)" in capsys.readouterr().out
    assert main(["label", str(made.run)]) == 0
    page = (made.run / "report" / "index.html").read_text()
    assert "Models that were tried" in page
    assert all(one["name"] in page for one in read(made.run, "models.json"))


def test_every_part_of_an_opened_run_takes_the_model_of_its_head(made):
    opened = reopen(made.run)
    tasks = tasks_of(opened)
    again = refitted(opened.settings, opened.models, opened.tops)(same, opened.split, tasks)
    assert [one.head.name for one in again.heads] == [one.head.name for one in opened.trained.heads] == list(HEADS)
    for one, two in zip(again.heads, opened.trained.heads, strict=True):
        torch.testing.assert_close(one.embeddings, two.embeddings)
    torch.testing.assert_close(again.embeddings, opened.trained.embeddings)
    (topic,) = refitted(opened.settings, opened.models, opened.tops)(same, opened.split, tasks[1:]).heads
    assert topic.embeddings["text"].shape[1] == 32
    follows = opened.trained.heads[0]
    last = np.array([opened.graph.count("text") - 1])
    expected = of_links(follows.head, follows.embeddings).scores(last, "target")
    np.testing.assert_allclose(network_scores(opened, opened.split, follows.head.relation), expected, rtol=1e-5)


def test_an_update_goes_on_with_the_models_that_were_taken(made, tmp_path, capsys):
    run, answers = made.run.parent / "updated", tmp_path / "answers.csv"
    shutil.copytree(made.run, run)
    write_csv(answers, ("id", "field", "value"), [("t34", "topic", "y"), ("t35", "topic", "z")])
    assert main(["update", str(run), str(answers)]) == 0
    assert read(run, "models.json") == read(made.run, "models.json")
    assert "Models that were tried" in (run / "report" / "index.html").read_text()
    assert not contents(run / "checkpoints").items() & contents(made.run / "checkpoints").items()
    capsys.readouterr()
    assert main(["evaluate", str(run), "--again"]) == 0
    assert "the numbers are those of metrics.json (largest difference 0)" in capsys.readouterr().out


def test_an_update_is_shorter_than_the_epochs_between_two_validations(made, tmp_path):
    run, answers = tmp_path / "seldom", tmp_path / "answers.csv"
    assert made(*FAST, "--run.dir", run, "--trainer.check_val_every_n_epoch", "3")[0] == 0
    write_csv(answers, ("id", "field", "value"), [("t34", "topic", "y"), ("t35", "topic", "z")])
    assert main(["update", str(run), str(answers), "--epochs", "1"]) == 0


def test_a_broken_list_of_models_is_one_clear_line(made, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(made.run, run)
    (run / "models.json").write_text(json.dumps([{"name": "sage", "chosen": True}] * 3))
    assert main(["evaluate", str(run), "--again"]) == 2
    assert "models.json does not say which model answers what; given: 3 models; run `mmgraph fit" in capsys.readouterr().err


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
    for file in ("models.json", "metrics.json"):
        assert (run / file).read_text() == (made.run / file).read_text()
    calls.append("evaluation was killed")
    (run / "metrics.json").unlink()
    assert made(*FAST, "--run.dir", run)[0] == 0
    assert sorted(calls[6:]) == ["1", "2"], "the choice was made: those that answer go on alone"
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


def test_a_layer_beside_candidates_is_not_left_out_silently(asked):
    asked.set(model={"candidates": MODELS})
    status, _, err = asked("--model.layer", "gat")
    assert status == 2
    assert "model.layer is of one model, model.candidates of several; given: model.layer: gat; leave one out" in err
    assert asked("--model.layer", "gat", "--model.candidates", "[]", "--print_config")[0] == 0


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
    taken = next(one["name"] for one in read(asked.run, "models.json") if one["heads"])
    assert f"of 2 models validation chose {taken} (" in out
