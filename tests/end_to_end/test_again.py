"""Finished runs on the command line: measured again, compared, asked for links; one of relations, one of facts."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from runs_made import Asked, write_csv

from mmgraph.cli import main
from mmgraph.testing import FakeEncoder

QUIET = ("--outputs.report", "false")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = Asked(tmp_path_factory.mktemp("again"))
    assert made(*QUIET)[0] == 0
    return made


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """Numbers that follow each other, and their doubles."""
    folder = tmp_path_factory.mktemp("facts")
    write_csv(folder / "items.csv", ("id", "kind"), [(f"n{i}", "n") for i in range(60)])
    links = [(f"n{i}", "next", f"n{(i + 1) % 60}") for i in range(60)] + [(f"n{i}", "double", f"n{2 * i}") for i in range(30)]
    write_csv(folder / "links.csv", ("source", "relation", "target"), links)
    settings = {
        "run": {"dir": str(folder / "runs" / "facts")},
        "catalogue": {"class_path": "Tables", "init_args": {"root": str(folder)}},
        "graph": {"edges": []},
        "tasks": [{"class_path": "Facts", "init_args": {"kind": "n"}}],
        "model": {"width": 8, "layer": "none"},
        "trainer": {"max_epochs": 2, "accelerator": "cpu"},
        "evaluate": {"bootstrap": 20, "calibration": "isotonic", "precision": 0.0},
        "outputs": {"report": False},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(settings))
    assert main(["fit", "--config", str(folder / "my.yaml")]) == 0
    return folder / "runs" / "facts"


@pytest.fixture(scope="module")
def paths(facts, tmp_path_factory):
    """The same numbers, answered by paths; the gnn alone is handed out."""
    settings = yaml.safe_load((facts.parents[1] / "my.yaml").read_text())
    folder = tmp_path_factory.mktemp("paths")
    given = {"kind": "n", "depth": 2, "width": 4, "aggregate": "sum"}
    settings["run"]["dir"] = str(folder / "runs" / "paths")
    settings["tasks"] = [{"class_path": "Paths", "init_args": given}]
    settings["model"] = {"width": 2, "layer": "none", "id_embedding": "none"}
    settings["evaluate"]["baselines"] = []
    (folder / "my.yaml").write_text(yaml.safe_dump(settings))
    assert main(["fit", "--config", str(folder / "my.yaml")]) == 0
    return folder / "runs" / "paths"


@pytest.mark.parametrize("which", ["run", "facts", "paths"])
def test_measured_again_from_the_checkpoints_the_numbers_are_the_same(which, request, capsys):
    given = request.getfixturevalue(which)
    folder = given.run if which == "run" else given
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--again"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert main(["evaluate", str(folder)]) == 0
    assert again[:-1] == capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"the numbers are those of metrics\.json \(largest difference 0\)", again[-1])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("which", "relation"),
    [("run", "text/follows/text"), ("facts", "n/next/n"), ("facts", "n/double/n"), ("paths", "n/double/n")],
)
def test_predicted_links_are_those_that_fit_wrote(which, relation, request, tmp_path, capsys):
    given = request.getfixturevalue(which)
    folder = given.run if which == "run" else given
    words = ("--relation", relation, "--to", str(tmp_path / "x.parquet"))
    capsys.readouterr()
    assert main(["predict", str(folder), *words]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(("all abstain: no threshold", "abstained where the probability is under"))
    assert out[-1] == str(tmp_path / "x.parquet")
    links = pd.read_parquet(folder / "predictions" / "links.parquet")
    links = links[links["relation"] == relation].reset_index(drop=True)
    table = pd.read_parquet(tmp_path / "x.parquet")
    np.testing.assert_allclose(table["score"], links["score"], rtol=1e-4, atol=1e-5)
    same = ["source", "rank", "known", "abstain"]
    pd.testing.assert_frame_equal(table[same], links[same])
    assert (table["target"] == links["target"]).mean() > 0.98  # equal scores may differ in their last digit
    assert len(table)


def test_some_links_of_one_source_as_json(run, capsys):
    words = ("--source", "t3", "t8", "--top-k=2", "--exclude-known", "--format", "json")
    assert main(["predict", str(run.run), *words]) == 0
    path = run.run / "predictions" / "asked.text.follows.text.json"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    rows = json.loads(path.read_text())
    assert [(row["source"], row["rank"]) for row in rows] == [("t3", 1), ("t3", 2), ("t8", 1), ("t8", 2)]
    assert not any(row["known"] for row in rows)


def test_groups_are_shown_where_they_are_asked_for(facts, capsys):
    assert main(["evaluate", str(facts)]) == 0
    assert "by group" not in capsys.readouterr().out
    assert main(["evaluate", str(facts), "--groups"]) == 0
    text = capsys.readouterr().out
    for wanted in ("n/*/n  (test, by group)", "links of the answer", "warm and cold", "double", "next"):
        assert wanted in text, wanted


def test_calibration_and_ranks_are_written(facts):
    told = json.loads((facts / "calibration.json").read_text())
    assert [one["relation"] for one in told] == ["n/next/n", "n/double/n"]
    assert {one["calibration"]["shape"] for one in told} == {"isotonic"}
    assert all(one["reliability"]["n"] and one["threshold"] is not None for one in told)  # any precision is at least 0
    ranks = pd.read_parquet(facts / "ranks.parquet")
    rows = json.loads((facts / "metrics.json").read_text())
    for method, some in ranks.groupby("method", observed=True):
        (mrr,) = (
            r["value"] for r in rows if (r["method"], r["metric"], r["split"], r["group"]) == (method, "mrr", "test", "")
        )
        assert (1 / some["rank"]).mean() == pytest.approx(mrr)
    ours = ranks[ranks["method"] == "mmgraph"]
    known = {(f"n{i}", "n/next/n", f"n{(i + 1) % 60}") for i in range(60)}
    known |= {(f"n{i}", "n/double/n", f"n{2 * i}") for i in range(30)}
    asked = set(zip(ours["source"], ours["relation"], ours["target"], strict=True))
    assert asked <= known
    assert len(asked) * 2 == len(ours)
    assert ours["direction"].value_counts().to_dict() == {"target": len(asked), "source": len(asked)}


WRONG = {
    "no folder": (("evaluate", "nowhere"), "this is no run folder; given: nowhere; give a folder that `mmgraph fit` wrote"),
    "two folders": (("evaluate", "RUN", "RUN"), "evaluate needs one run folder; given: "),
    "no such word": (("evaluate", "RUN", "--agian"), r"no such argument; given: --agian; mmgraph evaluate RUN \[--again\] \[--groups\]"),
    "no relation": (("predict", "RUN", "--relation", "a/b/c"),
                    "the run was not trained to predict this relation; given: a/b/c; there are: text/follows/text"),
    "several relations": (("predict", "FACTS"), "the run answers about several relations; name one by --relation; there are: n/next/n"),
    "no source": (("predict", "RUN", "--source", "t99"), "no item of kind text has this id; given: t99; did you mean "),
    "no format": (("predict", "RUN", "--format", "xml"), "no such --format; given: xml; known: parquet, csv, json"),
    "no number": (("predict", "RUN", "--top-k", "ten"), "--top-k needs a number; given: ten"),
    "no value": (("predict", "RUN", "--source"), "--source needs a value; mmgraph predict RUN"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line(run, facts, capsys, case):
    words, message = WRONG[case]
    capsys.readouterr()
    assert main([{"RUN": str(run.run), "FACTS": str(facts)}.get(word, word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(f"mmgraph: {message}", err), err
    assert err.count("\n") == 1


def test_unfinished_broken_and_changed(asked, capsys):
    """One run, spoilt step by step."""
    assert asked(*QUIET)[0] == 0
    calibration = asked.run / "calibration.json"
    whole = calibration.read_text()

    def said(*words):
        capsys.readouterr()
        assert main([*words, str(asked.run)]) == 2
        return capsys.readouterr().err

    calibration.write_text('[{"relation": "a/b/c"}]')
    assert "calibration.json is broken; given: 'calibration'; run `mmgraph fit` again" in said("predict")
    calibration.write_text(whole)
    rows = json.loads((asked.run / "metrics.json").read_text())
    rows[0]["value"] += 0.25
    (asked.run / "metrics.json").write_text(json.dumps(rows))
    assert "the numbers are not those of metrics.json; given: largest difference 0.25;" in said("evaluate", "--again")
    asked.add("links.csv", "t0,follows,t9")
    assert "the data are not those of the run any more; given: other links of text/follows/text" in said("predict")
    asked.add("items.csv", "t99,text,another")
    assert "the data are not those of the run any more; given: other items of kind text" in said("evaluate", "--again")
    (asked.run / "evidence.json").unlink()
    assert "this run is not finished; given: " in said("evaluate")


def test_what_a_run_said_is_not_said_again_and_what_is_new_is(asked, capsys, caplog):
    asked.add("labels.csv", "t0,topic,y")  # one of many items has two values
    (asked.root / "features").mkdir()
    (asked.root / "features" / "notes.txt").write_text("")
    status, _, err = asked(*QUIET)
    assert status == 0
    assert "1 files in features/ are ignored: notes.txt" in err
    log = asked.run / "log.jsonl"
    log.write_text("half a li\n" + log.read_text())

    def warned():
        caplog.clear()
        assert main(["evaluate", str(asked.run), "--again"]) == 0
        return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]

    assert warned() == []
    (asked.root / "features" / "more.txt").write_text("")
    assert warned() == ["2 files in features/ are ignored: more.txt, notes.txt"]
    assert capsys.readouterr().out.count("the numbers are those of metrics.json") == 2


def test_a_run_keeps_the_encoder_that_it_took_also_where_a_preferred_one_can_be_had_by_now(asked, capsys, monkeypatch):
    preferred = {"modality": "text", "width": 5, "lacks": "no weights in there"}
    asked.set(encoders={"text": [{"class_path": "mmgraph.testing.FakeEncoder", "init_args": preferred}, "hashed_ngrams"]})
    status, _, err = asked(*QUIET)
    assert status == 0
    assert "is passed over" in err
    metrics, encoders = (asked.run / "metrics.json"), (asked.run / "encoders.json")
    whole, told = metrics.read_bytes(), json.loads(encoders.read_text())
    monkeypatch.setattr(FakeEncoder, "available", lambda self: None)

    assert main(["evaluate", str(asked.run), "--again"]) == 0
    said = capsys.readouterr()
    assert "the numbers are those of metrics.json" in said.out
    assert "passed over" not in said.err

    status, _, err = asked(*QUIET)  # as after a kill: it goes on from its checkpoints
    assert status == 0
    assert "passed over" not in err
    assert metrics.read_bytes() == whole
    assert json.loads(encoders.read_text()) == told

    told["text"]["card"]["revision"] = "0"
    encoders.write_text(json.dumps(told))
    for words in (["predict", str(asked.run)], ["fit", "--config", str(asked.config)]):
        assert main([*words, *(QUIET if words[0] == "fit" else ())]) == 2
        assert (
            "encoders.text: the encoder is not that of the run any more; given: revision 0 became " in capsys.readouterr().err
        )
